"""Inboxes that take nothing, though the broker is there: what goes to one of them must not keep all others waiting.

RabbitMQ refuses what goes to a queue whose process is gone, or never answers. If that ended the session, as a broker
that is away does, the cause would come again at once, and nobody would get anything any more.
"""

import time
from dataclasses import dataclass, replace
from typing import Final

DEAF_AFTER: Final = 60.0
"""Seconds without a confirm: longer than it takes a cluster to agree who leads a queue."""
FORGOTTEN_AFTER: Final = 180.0
"""Seconds after which it counts for nothing that one was not confirmed: more than the session takes to try again."""
TRIED_EVERY: Final = 30.0
"""Seconds between two messages by which a deaf queue is tried."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """Since when nothing was confirmed under a key, and when that was last seen, or tried again."""

    since: float
    last: float

    @property
    def is_deaf(self) -> bool:
        """Whether it has been so for long."""
        return self.last - self.since >= DEAF_AFTER


class Deaf:
    """Keys under which nothing is confirmed. It outlives the session, which a publish without an answer ends."""

    def __init__(self) -> None:
        """All are heard."""
        self._unheard: dict[str, Unheard] = {}

    def heard(self, key: str) -> None:
        """Note that something was confirmed."""
        self._unheard.pop(key, None)

    def unheard(self, key: str) -> bool:
        """Note that something was not confirmed in time; say whether it has been so for long: then it is the queue."""
        now = time.monotonic()
        before = self._unheard.get(key)
        if before is None or before.last < now - FORGOTTEN_AFTER:
            before = Unheard(now, now)
        self._unheard[key] = after = replace(before, last=now)
        return after.is_deaf

    def worth_trying(self, key: str) -> bool:
        """Say whether to publish under a key: yes, but to a deaf queue only now and then."""
        now, found = time.monotonic(), self._unheard.get(key)
        if found is None or not found.is_deaf:
            return True
        if found.last > now - TRIED_EVERY:
            return False
        self._unheard[key] = replace(found, last=now)
        return True
