"""A stream read to wherever its reader stops, past the messages over which RabbitMQ itself breaks.

Reading a stream, RabbitMQ 3.10 takes the headers `x-basic-app-id` and `x-basic-type` for properties of those names,
where a message has none. Any connected system can write them, and one that is no short text ends the connection of
whoever reads. So a reader begins again behind the last message that it had, takes one at a time there, and leaves out
the one that breaks it again.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.exceptions import AMQPError, ConnectionInternalError

PATIENCE: Final = 30.0
"""Seconds without a message after which what should come is taken not to."""
PREFETCH: Final = 500
_BREAKS_WITHIN: Final = 2.0
_EARLIER: Final = timedelta(minutes=1)
_KEPT: Final = timedelta(days=30)
"""Nothing is kept longer, where anybody but the operator writes."""

Place = int | datetime | str
"""Where to begin: a message's number, a moment (messages may be somewhat older), or `first`."""


class _Broken(Exception):
    """The broker has ended the connection over a message."""


async def read(url: str, stream: str, since: datetime | None = None) -> AsyncGenerator[DeliveredMessage, None]:
    """Yield what is in a stream, from a moment on (some may be older), and go on with what is added.

    Left out is what the broker itself cannot read; and when that is the very first which is kept, maybe some after it.
    Raises `TimeoutError` when nothing comes for `PATIENCE`, and what aiormq raises when the broker goes away.
    """
    place: Place = since.astimezone(UTC) if since else "first"
    careful, earlier = 0, _EARLIER
    while True:
        try:
            async with _reading(url, stream, place, 1 if careful else PREFETCH) as reading:
                while True:
                    message = await reading.next()
                    place, careful = _number(message) + 1, max(0, careful - 1)
                    yield message
                    if careful == 1:
                        break  # past it: as fast as before
            careful = 0
        except _Broken:
            if careful and isinstance(place, datetime):
                place, earlier = place - earlier if earlier < _KEPT else "first", 2 * earlier
            elif careful:
                place = place + 1 if isinstance(place, int) else await _readable(url, stream)
            careful = PREFETCH + 1


@dataclass(frozen=True)
class _Reading:
    """A stream's consumer."""

    connection: AbstractConnection
    channel: AbstractChannel
    arrived: asyncio.Queue[DeliveredMessage]

    async def next(self) -> DeliveredMessage:
        """Return the next message. Raises `_Broken`, `TimeoutError`, or what ended the connection otherwise."""
        getting = asyncio.ensure_future(self.arrived.get())
        try:
            await asyncio.wait([getting, self.connection.closing], timeout=PATIENCE, return_when="FIRST_COMPLETED")
            if getting.done():
                await self.channel.basic_ack(getting.result().delivery_tag or 0)
                return getting.result()
        except (AMQPError, ConnectionError):
            if not self.connection.closing.done():
                raise
        finally:
            getting.cancel()
        if not self.connection.closing.done():
            raise TimeoutError
        error = self.connection.closing.exception()
        raise (_Broken if isinstance(error, ConnectionInternalError) else error) or ConnectionError("closed")


@asynccontextmanager
async def _reading(url: str, stream: str, place: Place, prefetch: int) -> AsyncIterator[_Reading]:
    connection = await aiormq.connect(url)
    try:
        channel = await connection.channel(publisher_confirms=False)
        arrived = asyncio.Queue[DeliveredMessage]()
        await channel.basic_qos(prefetch_count=prefetch)
        await channel.basic_consume(stream, arrived.put, arguments={"x-stream-offset": place})
        yield _Reading(connection, channel, arrived)
    finally:
        await connection.close()


async def _readable(url: str, stream: str) -> int:
    """Return the number of a message that can be read, when the first cannot: from any lower one that is met again."""
    low, high = 0, 1
    while await _breaks(url, stream, high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if await _breaks(url, stream, middle) else (low, middle)
    return high


async def _breaks(url: str, stream: str, number: int) -> bool:
    try:
        async with _reading(url, stream, number, 1) as reading, asyncio.timeout(_BREAKS_WITHIN):
            await reading.next()
    except TimeoutError:
        return False  # there is none yet
    except _Broken:
        return True
    return False


def _number(message: DeliveredMessage) -> int:
    return int((message.header.properties.headers or {})["x-stream-offset"])  # type: ignore[arg-type]  # a stream's have it
