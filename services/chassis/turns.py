"""What waits to be handled, lane by lane: each lane has its turn, however much waits in another."""

from collections import OrderedDict, deque

from services.chassis.delivery import Delivery


class Turns:
    """Deliveries by queue. Those of one keep their order; a lone one is in the next group that has room for all."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._lanes: OrderedDict[str, deque[Delivery]] = OrderedDict()

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._lanes)

    def put(self, delivery: Delivery) -> None:
        """Have a delivery wait, behind those of its own queue."""
        self._lanes.setdefault(delivery.queue, deque()).append(delivery)

    def take(self, at_most: int) -> list[Delivery]:
        """Return the next group: one of each queue in turn, until it is full. Where it stopped, the next begins."""
        group: list[Delivery] = []
        while self._lanes and len(group) < at_most:
            queue, waiting = self._lanes.popitem(last=False)
            group.append(waiting.popleft())
            if waiting:
                self._lanes[queue] = waiting  # behind all the others
        return group
