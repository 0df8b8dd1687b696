"""The operator's own connection for repair: messages held without being taken away, streams read to their end."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic

from client import streams
from client.streams import PATIENCE
from contracts.topology import REPLAY
from services.chassis.tolerance import be_tolerant

MARK: Final = "exchange.mark.v1"
"""What is written into a stream to know, when it comes back, that all before has been read."""
_FULL_FOR: Final = 600.0
_LOOK_AGAIN_AFTER: Final = 0.5


class NowhereToGo(Exception):
    """No queue takes this message: what it was for does not exist (any more)."""


class StillFull(Exception):
    """A service does not work off what it is given to handle again."""


@dataclass(frozen=True, slots=True)
class Again:
    """A message to be handled again: `queue` is where, `headers` what the service is told of how it came first."""

    queue: str
    type: str
    body: bytes
    message_id: str | None
    headers: Mapping[str, Any]


class Wire:
    """One connection with the operator's account."""

    def __init__(self, url: str, inbound: AbstractChannel, outbound: AbstractChannel) -> None:
        """Wrap what `open_wire` opened."""
        self.user = urlsplit(url).username or ""
        self._url = url
        self.inbound = inbound
        self._outbound = outbound

    async def handle_again(self, message: Again) -> None:
        """Return when the broker has the message safe in its queue; waits while that is full.

        Raises `NowhereToGo` when there is no such queue, `StillFull` after ten minutes.
        """
        deadline = asyncio.get_running_loop().time() + _FULL_FOR
        while asyncio.get_running_loop().time() < deadline:
            try:
                await self._publish(message)
            except PublishError as error:
                raise NowhereToGo(message.queue) from error
            except DeliveryError:
                await asyncio.sleep(_LOOK_AGAIN_AFTER)
            else:
                return
        raise StillFull(message.queue)

    async def say(self, stream: str, kind: str, content: Mapping[str, Any]) -> None:
        """Add an entry to a stream of the operator's own."""
        await self._publish(Again(stream, kind, json.dumps(content).encode(), str(uuid.uuid4()), {}))

    async def waiting(self, queue: str) -> int:
        """Return how many messages wait in a queue, those in hand not counted."""
        return (await self.inbound.queue_declare(queue, passive=True)).message_count or 0

    async def held(self, queue: str, at_most: int) -> AsyncGenerator[DeliveredMessage, None]:
        """Yield what waits in a queue now, so many at the most. What is not acknowledged goes back when this ends.

        To be ended soon: RabbitMQ takes away from whoever holds something for half an hour. Raises what aiormq raises
        when this account may not read it, also when it is empty.
        """
        left = min(await self.waiting(queue), at_most)
        arrived = asyncio.Queue[DeliveredMessage]()
        await self.inbound.basic_qos(prefetch_count=max(1, min(left, 65_535)))
        consumer = await self.inbound.basic_consume(queue, arrived.put)
        try:
            while left:
                left -= 1
                async with asyncio.timeout(PATIENCE):
                    message = await arrived.get()
                yield message
        except TimeoutError:
            return  # somebody else holds the rest
        finally:
            await self.inbound.basic_cancel(str(consumer.consumer_tag))
            await self.inbound.basic_nack(0, multiple=True)  # whatever is held

    async def stream(self, name: str, since: datetime | None = None) -> AsyncIterator[DeliveredMessage]:
        """Yield what is in a stream at this moment, from a moment on (some may be older), and nothing after.

        Raises as `streams.read`: `TimeoutError` when the stream does not come to its end.
        """
        mark = str(uuid.uuid4())
        await self._publish(Again(name, MARK, b"{}", mark, {}))
        async with aclosing(streams.read(self._url, name, since)) as messages:
            async for message in messages:
                properties = message.header.properties
                if properties.message_type != MARK:
                    yield message
                elif properties.message_id == mark:
                    return

    async def acknowledge(self, message: DeliveredMessage) -> None:
        """Have the broker forget a message that was held."""
        await self.inbound.basic_ack(message.delivery_tag or 0)

    async def _publish(self, message: Again) -> None:
        properties = Basic.Properties(
            content_type="application/json",
            delivery_mode=2,
            message_id=message.message_id,
            message_type=message.type,
            timestamp=datetime.now(UTC),
            user_id=self.user,
            headers=dict(message.headers),
        )
        async with asyncio.timeout(PATIENCE):
            await self._outbound.basic_publish(
                message.body, exchange=REPLAY, routing_key=message.queue, properties=properties, mandatory=True
            )


@asynccontextmanager
async def open_wire(url: str) -> AsyncIterator[Wire]:
    """Connect with the operator's account for as long as the block runs; what is still held goes back then."""
    be_tolerant()
    connection = await aiormq.connect(url)
    try:
        inbound = await connection.channel(publisher_confirms=False)
        outbound = await connection.channel(publisher_confirms=True, on_return_raises=True)
        yield Wire(url, inbound, outbound)
    finally:
        await connection.close()


class Pace:
    """At most so many a second, spread evenly."""

    def __init__(self, rate: float) -> None:
        """`rate` is how many; it is more than nothing."""
        self._pause = 1 / rate
        self._next = 0.0

    async def wait(self) -> None:
        """Return when the next one may go."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, self._next - now))
        self._next = max(now, self._next) + self._pause
