"""A long replay: nothing is held for long, nothing is done twice, and what was not chosen stays."""

from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from aiormq.abc import DeliveredMessage

from client import replaying
from client.parked import Parked
from client.replaying import Order, carry_out
from client.wire import Again, Wire
from contracts.casework import SendRequest
from services.chassis.parking import parked
from tests.unit.deliveries import SYSTEM, delivered

LANE = f"casework.commands.{SYSTEM}"


def a_parked(message_id: str) -> DeliveredMessage:
    """A command as it lies in the parked queue."""
    first = delivered(b"{}", message_type=SendRequest.TYPE, routing_key=SendRequest.TYPE, message_id=message_id)
    outgoing = parked(LANE, first, "KeyError")
    return delivered(
        outgoing.body, message_type=outgoing.type, message_id=outgoing.message_id, headers=outgoing.headers
    )


class Queue:
    """The parked queue, and whoever works it off. What goes back is not there again `slow` times one looks."""

    def __init__(self, *message_ids: str, slow: int = 0) -> None:
        self.waits = [a_parked(one) for one in message_ids]
        self.again: list[str] = []
        self.said = 0
        self.most_held = 0
        self._held: list[DeliveredMessage] = []
        self._slow = slow
        self._looks = 0

    async def held(self, queue: str, at_most: int) -> AsyncGenerator[DeliveredMessage, None]:
        """As the wire does."""
        assert queue == "casework.parked"
        self._looks += 1
        if 1 < self._looks <= 1 + self._slow:
            return
        try:
            for message in list(self.waits[:at_most]):
                self._held.append(message)
                yield message
        finally:
            self._held.clear()

    async def acknowledge(self, message: DeliveredMessage) -> None:
        """It is gone, and was held."""
        assert message in self._held
        self.waits.remove(message)

    async def handle_again(self, message: Again) -> None:
        """It fails again, and is parked again under the same id."""
        self.again.append(str(message.message_id))
        self.waits.append(a_parked(str(message.message_id)))

    async def say(self, *_: Any) -> None:
        """The record."""
        self.said += 1


def an_order(*, but: str = "") -> Order:
    """All but one."""
    return Order("replay", lambda one: one.message_id != but, "me", rate=100_000)


async def done(queue: Queue, order: Order) -> list[str]:
    """What was done, by the senders' ids."""
    found: list[Parked] = [one async for one, _ in carry_out(cast("Wire", queue), ["casework"], order)]
    return [one.message_id for one in found]


@pytest.mark.parametrize("held_for", [0.0, 60.0], ids=["taken anew after each", "held as a whole"])
async def test_each_is_handled_again_once_also_when_it_fails_again(
    monkeypatch: pytest.MonkeyPatch, held_for: float
) -> None:
    """However often all goes back: what was parked again meanwhile is left for another time."""
    monkeypatch.setattr(replaying, "HELD_FOR", held_for)
    queue = Queue("a", "b", "stays", "c")
    assert await done(queue, an_order(but="stays")) == ["a", "b", "c"]
    assert queue.again == ["a", "b", "c"]
    assert queue.said == 3
    assert len(queue.waits) == 4


async def test_the_same_message_parked_twice_is_handled_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its service does nothing twice; left in the queue it would be found again and again."""
    monkeypatch.setattr(replaying, "HELD_FOR", 0.0)
    assert await done(Queue("a", "a"), an_order()) == ["a", "a"]


async def test_what_is_not_there_at_once_is_waited_for_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """What went back comes back; what somebody else took does not, and nobody waits for ever."""
    monkeypatch.setattr(replaying, "_LOOK_AGAIN_AFTER", 0.0)
    assert await done(Queue("a", slow=2), an_order()) == ["a"]
    assert await done(Queue("a", slow=100), an_order()) == []
