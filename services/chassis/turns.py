"""What waits to be handled, lane by lane: each lane has its turn, however much waits in another."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from services.chassis.delivery import Delivery

SMALLEST_SHARE: Final = 4
ACTIVE_FOR: Final = 1.0
"""Seconds after its last delivery for which a share of every group is kept for a lane."""


class Turns:
    """Deliveries by queue. Those of one keep their order; a lone one is in the next group that has room for all.

    No lane fills a group by itself while others are active: whoever comes meanwhile would wait for all of it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing waits."""
        self._clock = clock
        self._lanes: OrderedDict[str, deque[Delivery]] = OrderedDict()
        self._active: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._lanes)

    @property
    def since(self) -> float | None:
        """When the one that waits longest was taken, if any waits."""
        return min((waiting[0].taken_at for waiting in self._lanes.values()), default=None)

    def put(self, delivery: Delivery) -> None:
        """Have a delivery wait, behind those of its own queue."""
        self._lanes.setdefault(delivery.queue, deque()).append(delivery)
        self._active[delivery.queue] = self._clock()

    def take(self, at_most: int) -> list[Delivery]:
        """Return the next group: one of each queue in turn, until it is full. Where it stopped, the next begins."""
        group: list[Delivery] = []
        left = dict.fromkeys(self._lanes, self._share(at_most))
        resting: dict[str, deque[Delivery]] = {}
        while self._lanes and len(group) < at_most:
            queue, waiting = self._lanes.popitem(last=False)
            group.append(waiting.popleft())
            left[queue] -= 1
            if waiting:  # behind all the others, or for the next group
                (self._lanes if left[queue] else resting)[queue] = waiting
        self._lanes.update(resting)
        return group

    def _share(self, at_most: int) -> int:
        since = self._clock() - ACTIVE_FOR
        self._active = {queue: seen for queue, seen in self._active.items() if seen >= since or queue in self._lanes}
        return max(SMALLEST_SHARE, math.ceil(at_most / max(1, len(self._active))))
