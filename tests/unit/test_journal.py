"""What is played again from the journal: commands that change something, each its sender's by the broker's word."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

from aiormq.abc import DeliveredMessage

from client import journal
from client.wire import Again, Wire
from contracts.casework import ListCases, SendRequest
from contracts.registry import Search
from contracts.topology import EXPIRED, JOURNAL
from tests.unit.deliveries import SYSTEM, delivered

SINCE = datetime(2026, 11, 28, 3, tzinfo=UTC)


class Journal:
    """A stream that holds these messages, and what was done with them."""

    def __init__(self, *messages: DeliveredMessage) -> None:
        self.messages = messages
        self.again: list[Again] = []
        self.said: list[dict[str, str]] = []

    async def stream(self, name: str, since: datetime) -> AsyncIterator[DeliveredMessage]:
        """All of them, in their order."""
        assert (name, since) == (JOURNAL, SINCE)
        for message in self.messages:
            yield message

    async def handle_again(self, message: Again) -> None:
        """Note it."""
        self.again.append(message)

    async def say(self, _: str, __: str, content: dict[str, str]) -> None:
        """Note the record."""
        self.said.append(content)


def a_command(kind: str = SendRequest.TYPE, **changes: Any) -> DeliveredMessage:
    """A command as its system had sent it."""
    return delivered(**({"message_type": kind, "routing_key": kind} | changes))


async def played(*messages: DeliveredMessage) -> Journal:
    """What casework is given to handle again."""
    stream = Journal(*messages)
    await journal.replay(cast("Wire", stream), "casework", SINCE, "me", 10_000)
    return stream


async def test_a_command_is_played_again_for_its_sender_under_its_own_id() -> None:
    """Its sender is whose exchange it came by, whatever its headers say; its order stays."""
    forged = {"imi-queue": "casework.commands.operator", "imi-user": "operator"}
    stream = await played(a_command(tag=1, headers=forged), a_command(tag=2))
    assert [one.message_id for one in stream.again] == ["message-1", "message-2"]
    assert {one.queue for one in stream.again} == {"casework.again"}
    lane = {"imi-queue": f"casework.commands.{SYSTEM}", "imi-routing-key": SendRequest.TYPE, "imi-user": SYSTEM}
    assert [dict(one.headers) for one in stream.again] == [lane, lane]
    assert [(one["by"], one["what"], one["service"]) for one in stream.said] == [("me", "journal", "casework")]


async def test_what_changes_nothing_or_is_no_command_of_the_service_is_left_out() -> None:
    """Questions, other services' commands, unknown types, another key than the type, and what no system sent."""
    stream = await played(
        a_command(ListCases.TYPE),
        a_command(Search.TYPE),
        a_command("casework.nonsense.v1"),
        a_command(routing_key="casework.close_case.v1"),
        a_command(exchange="replay"),
    )
    assert stream.again == []


async def test_a_command_that_had_expired_is_played_again_as_expired() -> None:
    """By the broker's word, and nobody else's id: another system may have used the same."""
    stream = await played(
        a_command(message_id="late"),
        a_command(message_id="late", exchange="in.hu-other", user_id="hu-other"),
        a_command(message_id="in-time"),
        a_command(message_id="late", exchange=EXPIRED),
        a_command(ListCases.TYPE, message_id="in-time", exchange=EXPIRED),
    )
    came_by = [(one.message_id, one.headers["imi-queue"], one.headers["imi-user"]) for one in stream.again]
    assert came_by == [
        ("late", "casework.expired", SYSTEM),
        ("late", "casework.commands.hu-other", "hu-other"),
        ("in-time", f"casework.commands.{SYSTEM}", SYSTEM),
    ]
