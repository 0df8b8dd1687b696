"""What waits to be handled, lane by lane: each lane has its turn, however much waits in another."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from services.chassis.delivery import Delivery

SMALLEST_SHARE: Final = 4
BYTES_A_TURN: Final = 16 * 1024
"""A delivery of so many bytes more takes one turn more: a group of large ones would take as long as many groups."""
LONG: Final = 0.02
"""Seconds of a group: after one that took longer, a lane has less of the next beyond what the others have of it."""
ACTIVE_FOR: Final = 1.0
"""Seconds after its last delivery for which a share of every group is kept for a lane."""

_MUCH: Final = 100
"""More than a share."""


class Turns:
    """Deliveries by queue. Those of one keep their order; a lone one is in the next group that has room for all.

    No lane fills a group by itself while others are active: whoever comes meanwhile would wait for all of it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing waits."""
        self._clock = clock
        self._lanes: OrderedDict[str, deque[Delivery]] = OrderedDict()
        self._active: dict[str, float] = {}
        self._beyond = _MUCH

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._lanes)

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(waiting) for waiting in self._lanes.values())

    @property
    def since(self) -> float | None:
        """When the one that waits longest was taken, if any waits."""
        return min((waiting[0].taken_at for waiting in self._lanes.values()), default=None)

    def put(self, delivery: Delivery) -> None:
        """Have a delivery wait, behind those of its own queue."""
        self._lanes.setdefault(delivery.queue, deque()).append(delivery)
        self._active[delivery.queue] = self._clock()

    def take(self, at_most: int) -> list[Delivery]:
        """Return the next group: one of each queue in turn, until it is full. Where it stopped, the next begins.

        What is large counts as several.
        """
        group: list[Delivery] = []
        had, share, all_had = dict.fromkeys(self._lanes, 0), self._share(at_most), 0
        resting: dict[str, deque[Delivery]] = {}
        while self._lanes and all_had < at_most:
            queue, waiting = self._lanes.popitem(last=False)
            group.append(waiting.popleft())
            turns = 1 + len(group[-1].message.body) // BYTES_A_TURN
            had[queue], all_had = had[queue] + turns, all_had + turns
            # When nobody else waits any more, what the others had is all that they have.
            most = share if self._lanes or share == at_most else min(share, all_had - had[queue] + self._beyond)
            if waiting:  # behind all the others, or for the next group
                (self._lanes if had[queue] < most else resting)[queue] = waiting
        self._lanes.update(resting)
        return group

    def took(self, seconds: float) -> None:
        """Note how long the last group took to handle: whoever comes meanwhile waits for it."""
        self._beyond = max(1, self._beyond // 2) if seconds > LONG else min(_MUCH, self._beyond + 1)

    def _share(self, at_most: int) -> int:
        since = self._clock() - ACTIVE_FOR
        self._active = {queue: seen for queue, seen in self._active.items() if seen >= since or queue in self._lanes}
        return max(SMALLEST_SHARE, math.ceil(at_most / max(1, len(self._active))))
