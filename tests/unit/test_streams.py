"""A stream is read whole, but for what the broker itself cannot read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiormq.abc import DeliveredMessage
from hypothesis import given
from hypothesis import strategies as st

from client import streams
from client.streams import Place
from tests.unit.deliveries import delivered

BEGUN = datetime(2026, 11, 28, tzinfo=UTC)


class Broker:
    """A stream whose first message has the number `first`; of the others, those that `spoilt` says break a reader.

    One came each minute. Whoever asks for many ahead is broken as soon as such a one is among them: what stood before
    it may be lost.
    """

    def __init__(self, first: int, spoilt: list[bool]) -> None:
        self.messages = {first + index: bad for index, bad in enumerate(spoilt)}
        self._first, self._place, self._prefetch = first, first, 1
        self.connections = 0

    @asynccontextmanager
    async def reading(self, _: str, __: str, place: Place, prefetch: int) -> AsyncIterator["Broker"]:
        """Consume from a place on."""
        if isinstance(place, datetime):
            place = self._first + (place - BEGUN) // timedelta(minutes=1)
        wanted = self._first if isinstance(place, str) else place
        self._place, self._prefetch = max(self._first, wanted), prefetch
        self.connections += 1
        yield self

    async def next(self) -> DeliveredMessage:
        """The next one."""
        number = self._place
        if number not in self.messages:
            raise TimeoutError
        ahead = range(number, number + max(1, self._prefetch // 100))
        if any(self.messages.get(one) for one in ahead):
            raise streams._Broken
        self._place += 1
        headers: dict[str, Any] = {"x-stream-offset": number}
        return delivered(tag=number + 1, headers=headers)


def read(broker: Broker, since: datetime | None) -> list[int]:
    """The numbers of all messages that come before there are no more."""
    numbers = list[int]()

    async def all_of_it() -> None:
        async with aclosing(streams.read("", "journal", since)) as messages:
            async for message in messages:
                numbers.append(streams._number(message))

    with pytest.MonkeyPatch.context() as patch, suppress(TimeoutError):
        patch.setattr(streams, "_reading", broker.reading)
        asyncio.run(all_of_it())
    return numbers


spoilt = st.lists(st.booleans(), min_size=1, max_size=60)


@given(st.integers(0, 10_000), spoilt, st.integers(0, 59))
def test_all_that_can_be_read_is_read_once_and_in_order(first: int, spoilt: list[bool], since: int) -> None:
    """Wherever the stream begins and whatever breaks the reader: from the first, or from a moment on or before it."""
    good = [first + index for index, bad in enumerate(spoilt) if not bad]
    since %= len(spoilt)
    from_first = read(Broker(first, spoilt), None)
    from_moment = read(Broker(first, spoilt), BEGUN + since * timedelta(minutes=1))
    for numbers in (from_first, from_moment):
        assert numbers == [one for one in good if one >= min(numbers, default=first + len(spoilt))]
    if not spoilt[0]:
        assert from_first == good
    if not (spoilt[0] and spoilt[since]):
        assert set(from_moment) >= {one for one in good if one >= first + since}


@given(st.integers(0, 10_000), st.integers(1, 50))
def test_a_first_message_that_is_spoilt_alone_is_all_that_is_left_out(first: int, others: int) -> None:
    """Its number is not known: it is found."""
    assert read(Broker(first, [True, *[False] * others]), None) == list(range(first + 1, first + 1 + others))


def test_a_stream_full_of_spoilt_messages_costs_a_connection_for_each() -> None:
    """And no more: whoever spoils much makes reading slow, and does not stop it."""
    broker = Broker(0, [False, *[True] * 1_000, False])
    assert read(broker, None) == [0, 1_001]
    assert broker.connections < 1_010
