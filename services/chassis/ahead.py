"""How much of a queue may be on its way to a replica: of large messages fewer than of small ones.

All queues of a replica come by one connection. What a lane with large commands has on its way there stands before the
small command of another, for as long as it takes to read all of it: piece by piece, a group is handled between any two.
"""

from collections.abc import Mapping
from typing import Final

BYTES_AHEAD: Final = 256 * 1024
"""Of one queue, on the average."""
FEWEST: Final = 2
AT_FIRST: Final = 64
"""As many at the most of a queue of which nothing has come: half a mebibyte may be in each of what has piled up."""
_OFF: Final = 4
"""Times too many or too few, until a queue is consumed anew."""
_RECENT: Final = 16
"""Messages of which the average is, more or less."""


class Ahead:
    """The recent sizes of messages by queue, and with how many ahead each is consumed."""

    def __init__(self) -> None:
        """Nothing has come."""
        self._mean: dict[str, float] = {}
        self._given: dict[str, tuple[int, int]] = {}

    def note(self, queue: str, size: int) -> None:
        """Note the bytes of a message that came."""
        mean = self._mean.get(queue, 0.0)
        self._mean[queue] = mean + (size - mean) / _RECENT

    def give(self, queue: str, most: int) -> int:
        """Return with how many ahead, at the most, to consume a queue now."""
        fit = self._fit(queue, most)
        self._given[queue] = fit, most
        return fit

    def off(self, consumed: Mapping[str, object]) -> list[str]:
        """Return which of these queues are to be consumed anew: their messages have become much larger or smaller."""
        return [queue for queue in consumed if queue in self._given and self._is_off(queue)]

    def _is_off(self, queue: str) -> bool:
        given, most = self._given[queue]
        fit = self._fit(queue, most)
        return fit * _OFF <= given or given * _OFF <= fit

    def _fit(self, queue: str, most: int) -> int:
        mean = self._mean.get(queue)
        fit = AT_FIRST if mean is None else int(BYTES_AHEAD / max(1.0, mean))
        return max(min(FEWEST, most), min(most, fit))
