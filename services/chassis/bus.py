"""One connection to RabbitMQ: messages in from queues, messages out to this service's one exchange.

A session lives as long as its connection. When that breaks everything in hand is dropped: nothing was acknowledged, so
the broker delivers it again to whoever consumes next, and the repetition finds what had been done already.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiormq
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel
from aiormq.exceptions import PublishError

from contracts.topology import MAX_MESSAGE_SIZE
from services.chassis import metrics
from services.chassis.faults import BROKER_AWAY
from services.chassis.outbox import Outbox

PUBLISH_TIMEOUT = 30.0
"""Seconds for a confirm. A publish that takes longer ends the session; its cause is delivered again."""
PROBE_TIMEOUT = 3.0

PARKED = "parked"
"""Routing key by which a message goes to the service's `parked` queue."""
BROKEN = BROKER_AWAY
"""What a session's methods raise when it is over."""


class Unroutable(Exception):
    """This message can go nowhere: its addressee does not exist (any more)."""


class TooLarge(Exception):
    """The broker does not take a message of this size."""


Take = Callable[[DeliveredMessage], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish. `message_id` is derived from its cause, so that a repetition carries the same."""

    routing_key: str
    type: str
    body: bytes
    message_id: str
    correlation_id: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)


class Session:
    """An open connection to consume, and one to publish: a broker that is short of memory stops reading the latter."""

    def __init__(self, inbound: Channel, outbound: Channel, exchange: str):
        """Wrap what `open_session` opened."""
        self._inbound = inbound
        self._outbound = outbound
        self._outbox = Outbox(outbound, exchange)

    async def publish(self, message: Outgoing) -> None:
        """Publish persistently; return when the broker has it safe in a queue.

        Raises `Unroutable` when no queue takes it, `TooLarge` when the broker would not, one of `BROKEN` when the
        broker cannot be relied on.
        """
        if len(message.body) > MAX_MESSAGE_SIZE:
            raise TooLarge
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT):
                await self._outbox.put(message)
        except PublishError as error:
            raise Unroutable(message.routing_key) from error
        # What is parked keeps the type that its sender gave it: no label for that.
        kind = PARKED if message.routing_key == PARKED else message.type
        metrics.PUBLISHED.labels(kind).inc()
        metrics.PUBLISHED_BYTES.labels(kind).inc(len(message.body))

    async def consume(self, queue: str, take: Take, prefetch: int) -> str:
        """Have `take` called with each delivery, at most `prefetch` at a time. Returns the consumer's tag."""
        await self._inbound.basic_qos(prefetch_count=prefetch)
        ok = await self._inbound.basic_consume(queue, take)
        return str(ok.consumer_tag)

    def on_cancelled(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with the tag of a consumer that the broker ended, because its queue is gone."""
        self._inbound.on_consumer_cancel_callbacks.add(lambda frame: tell(str(frame.consumer_tag)))

    async def cancel(self, consumer_tag: str) -> None:
        """Let no more deliveries come for this consumer; those in hand can still be acknowledged."""
        await self._inbound.basic_cancel(consumer_tag)

    async def acknowledge(self, delivery_tag: int, *, multiple: bool) -> None:
        """Tell the broker to forget a delivery, or all up to it. Only one task may call this: order matters."""
        await self._inbound.basic_ack(delivery_tag, multiple=multiple, wait=False)

    async def closed(self) -> None:
        """Return when a connection or a channel is gone."""
        channels = (self._inbound, self._outbound)
        futures = [part.closing for channel in channels for part in (channel, channel.connection)]
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)

    async def consumers(self, queue: str) -> int:
        """Return how many consume `queue`. Raises one of `BROKEN` when it does not exist."""
        async with asyncio.timeout(PROBE_TIMEOUT):
            channel = await self._inbound.connection.channel()
            try:
                return int((await channel.queue_declare(queue, passive=True)).consumer_count or 0)
            finally:
                await channel.close()


@asynccontextmanager
async def open_session(url: str, exchange: str) -> AsyncIterator[Session]:
    """Connect to the broker for as long as the block runs. Raises one of `BROKEN` when that fails."""
    async with _channel(url, confirms=False) as inbound, _channel(url, confirms=True) as outbound:
        yield Session(inbound, outbound, exchange)


@asynccontextmanager
async def _channel(url: str, *, confirms: bool) -> AsyncIterator[Channel]:
    async with asyncio.timeout(PUBLISH_TIMEOUT):
        connection = await aiormq.connect(url)
    try:
        channel = await connection.channel(publisher_confirms=confirms, on_return_raises=True)
        assert isinstance(channel, Channel)  # its `basic_publish` can do more than the abstract one's
        yield channel
    finally:
        await connection.close()
