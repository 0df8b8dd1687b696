"""A message in hand, and what a handler says to it."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from aiormq.abc import DeliveredMessage

from services.chassis.bus import Outgoing


@dataclass(slots=True, eq=False)
class Delivery:
    """A message as it came from a queue.

    `came_by` is the lane by which it had come first, when the operator has it handled again.
    """

    queue: str
    message: DeliveredMessage
    came_by: str = ""
    taken_at: float = field(default_factory=time.monotonic)

    @property
    def lane(self) -> str:
        """The queue that says who sent it."""
        return self.came_by or self.queue

    @property
    def age(self) -> float:
        """Seconds since this process took it."""
        return time.monotonic() - self.taken_at

    @property
    def tag(self) -> int:
        """Its number on the channel."""
        return self.message.delivery_tag or 0


@dataclass(frozen=True, slots=True)
class Handled:
    """The handler has decided and stored: publish these, then acknowledge."""

    outgoing: Sequence[Outgoing] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """The handler cannot tell yet: show it the delivery again after so many seconds."""

    seconds: float


Result = Handled | Later
Handler = Callable[[Sequence[Delivery]], Awaitable[Sequence[Result]]]
