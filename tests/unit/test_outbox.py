"""What is published is framed as AMQP has it, and what is said together is written together."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, cast

import pytest
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel
from aiormq.exceptions import ChannelInvalidStateError
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, frame, header

from services.chassis.bus import Outgoing
from services.chassis.outbox import Outbox, frames_of

CHANNEL, AT_MOST = 7, 100
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)
HEADERS = st.dictionaries(WORDS.filter(lambda key: len(key.encode()) <= 128), WORDS | st.booleans(), max_size=3)


class FakeChannel:
    """Takes what is written, as an open channel of aiormq does."""

    number, max_content_size = CHANNEL, AT_MOST

    def __init__(self) -> None:
        self.is_closed = False
        self.delivery_tag = 0
        self.confirmations: dict[int, asyncio.Future[Any]] = {}
        self.message_id_delivery_tag: dict[str, int] = {}
        self.write_queue: asyncio.Queue[ChannelFrame] = asyncio.Queue(1)

    @property
    def real(self) -> Channel:
        """Itself, where a channel is wanted."""
        return cast("Channel", self)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future."""
        return asyncio.get_running_loop().create_future()

    def create_task(self, work: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        """Begin."""
        return asyncio.create_task(work)


def message(number: int, content: bytes = b"{}") -> Outgoing:
    """One of many."""
    return Outgoing("views", "exchange.views.v1", content, f"id-{number}")


def read(written: bytes) -> list[Any]:
    """Return the frames as pamqp reads them."""
    frames = []
    while written:
        consumed, channel, found = frame.unmarshal(written)
        assert channel == CHANNEL
        frames.append(found)
        written = written[consumed:]
    return frames


@given(st.builds(Outgoing, WORDS, WORDS, st.binary(max_size=350), WORDS, st.none() | WORDS, HEADERS))
def test_a_message_is_framed_as_amqp_has_it(sent: Outgoing) -> None:
    """Another implementation reads the same words, persistent and mandatory, and the whole body in pieces."""
    method, head, *pieces = read(frames_of(sent, "casework", CHANNEL, AT_MOST))
    assert isinstance(method, commands.Basic.Publish)
    assert (method.exchange, method.routing_key, method.mandatory) == ("casework", sent.routing_key, True)
    assert isinstance(head, header.ContentHeader)
    said = head.properties
    assert (said.message_type, said.message_id, said.correlation_id) == (
        sent.type,
        sent.message_id,
        sent.correlation_id,
    )
    assert (said.content_type, said.delivery_mode, said.headers or {}) == ("application/json", 2, sent.headers)
    assert said.timestamp is not None
    assert head.body_size == len(sent.body)
    assert all(isinstance(piece, body.ContentBody) and len(piece.value) <= AT_MOST for piece in pieces)
    assert b"".join(piece.value for piece in pieces) == sent.body


def test_a_word_that_amqp_has_no_room_for_is_refused() -> None:
    """It would be read as something else."""
    with pytest.raises(ValueError, match="256"):
        frames_of(Outgoing("k" * 256, "kind", b"", "id"), "casework", CHANNEL, AT_MOST)


async def test_what_is_said_together_is_written_together_and_in_the_order_of_its_numbers() -> None:
    """While the connection is busy more may gather: it goes out next, and behind what was said before."""
    channel = FakeChannel()
    outbox = Outbox(channel.real, "casework")
    first = [outbox.put(message(number)) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    later = [outbox.put(message(number)) for number in (4, 5)]
    written = [(await channel.write_queue.get()).payload, (await channel.write_queue.get()).payload]
    ids = [[one.properties.message_id for one in read(some) if hasattr(one, "properties")] for some in written]
    assert ids == [["id-1", "id-2", "id-3"], ["id-4", "id-5"]]
    assert [*channel.confirmations.values()] == [*first, *later]
    assert channel.message_id_delivery_tag == {f"id-{number}": number for number in range(1, 6)}
    for confirmed in (*first, *later):
        confirmed.set_result(None)
    await asyncio.sleep(0)
    assert not channel.message_id_delivery_tag


async def test_nothing_is_put_into_a_channel_that_is_closed() -> None:
    """Nobody would ever confirm it."""
    channel = FakeChannel()
    channel.is_closed = True
    with pytest.raises(ChannelInvalidStateError):
        Outbox(channel.real, "casework").put(message(1))
    assert not channel.confirmations
