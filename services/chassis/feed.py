"""Events of other services, taken one after the other from this service's own queue by FastStream."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue
from pamqp.commands import Queue

from contracts.types import Message, read
from services.chassis import metrics, tracing
from services.chassis.bus import PROBE_TIMEOUT, PUBLISH_TIMEOUT, Outgoing
from services.chassis.faults import BROKER_AWAY, Impatient, outlast
from services.chassis.logs import place_of, where
from services.chassis.parking import ROUTING_KEY
from services.chassis.patience import PatientBroker

M = TypeVar("M", bound=Message)
log = structlog.get_logger()

GIVE_BACK_AFTER = 1.0


def open_broker(url: str) -> RabbitBroker:
    """Return a broker whose publishes raise when nothing takes them, and which takes one message at a time."""
    return PatientBroker(url, logger=None, default_channel=Channel(prefetch_count=1, on_return_raises=True))


class Feed:
    """What one queue brings, by type of message. Handlers must be idempotent: an event may come again, or late."""

    def __init__(self, broker: RabbitBroker, service: str, queue: str) -> None:
        """Subscribe to `queue`, which must exist: services declare nothing."""
        self.queue = queue
        self._broker = broker
        self._exchange = RabbitExchange(service, declare=False)
        self._in_hand = 0
        self._caught_up_at = time.monotonic()
        self._handlers: dict[str, tuple[type[Message], Callable[[Any], Awaitable[None]]]] = {}
        # FastStream would answer whatever `reply_to` a sender names: no_reply.
        subscriber = broker.subscriber(RabbitQueue(queue, declare=False), ack_policy=AckPolicy.MANUAL, no_reply=True)
        subscriber(self._take)

    def on(self, message: type[M], handler: Callable[[M], Awaitable[None]]) -> None:
        """Have `handler` called with every `message`; retried while the database is away, parked when it fails."""
        self._handlers[message.TYPE] = (message, handler)

    async def _take(self, message: RabbitMessage) -> None:
        metrics.DELIVERIES.labels(self.queue).inc()
        metrics.REDELIVERIES.labels(self.queue).inc(int(bool(message.raw_message.redelivered)))
        self._in_hand += 1
        try:
            await self._handle(message)
        except Exception as error:  # noqa: BLE001 - whatever it is: given back, or it would never come again
            log.warning("given back", queue=self.queue, fault=type(error).__name__)
            await asyncio.sleep(GIVE_BACK_AFTER)
            await message.nack(requeue=True)
        else:
            await message.ack()
        finally:
            self._in_hand -= 1

    async def _handle(self, message: RabbitMessage) -> None:
        """Return when the message has been handled, or parked. Raises when the broker or the database stays away."""
        try:
            model, handler = self._handlers[message.raw_message.type or ""]
            body = read(model, message.body)
            with _traced(message):
                await outlast(lambda: handler(body))
        except (Impatient, *BROKER_AWAY):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the message must not stop the feed
            log.error(  # noqa: TRY400 - never the words of an error: a database's quotes the document
                "parked", queue=self.queue, message_id=message.message_id, where=where(error)
            )
            await self._park(message, type(error).__name__, place_of(error))

    async def _park(self, message: RabbitMessage, reason: str, place: str) -> None:
        metrics.PARKED.labels(reason).inc()
        headers = {"imi-reason": reason, "imi-place": place, "imi-queue": self.queue}
        kind, message_id = message.raw_message.type or "", str(message.message_id)
        await self.publish(Outgoing(ROUTING_KEY, kind, message.body, message_id, headers=headers))

    async def ready(self) -> bool:
        """Say whether the queue is there and consumed, by the broker's own word: a ping says yes when it is gone."""
        try:
            return bool((await self._looked_at()).consumer_count)
        except BROKER_AWAY:
            return False

    async def waiting(self) -> int:
        """Return how many messages wait in the queue, those in hand not counted. Raises what is in `BROKER_AWAY`."""
        return (await self._looked_at()).message_count or 0

    async def lag(self) -> float:
        """Return for how many seconds, at the most, something has waited here: 0 when nothing does.

        Raises what is in `BROKER_AWAY`; then `unknown_for` says since when nobody knows.
        """
        if not await self.waiting() and not self._in_hand:
            self._caught_up_at = time.monotonic()
            return 0.0
        return self.unknown_for

    @property
    def unknown_for(self) -> float:
        """Seconds since nothing was seen to wait."""
        return time.monotonic() - self._caught_up_at

    async def _looked_at(self) -> Queue.DeclareOk:
        if not self._broker.running:  # asked now, it would open a connection of its own
            raise ConnectionError("not started yet")
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                connection = await self._broker.connect()
                async with connection.channel() as channel:
                    queue = await channel.declare_queue(self.queue, passive=True)
        except RuntimeError as error:  # aio-pika's word for a connection that is being restored
            raise ConnectionError("no connection") from error
        return queue.declaration_result

    async def publish(self, message: Outgoing, expires_after: float | None = None) -> None:
        """Publish to the service's exchange; return when the broker has it safe in a queue, raise when it has not.

        After so many seconds nobody needs it any more: the broker may forget it.
        """
        async with asyncio.timeout(PUBLISH_TIMEOUT):  # while disconnected FastStream would wait outside its own
            await self._broker.publish(
                message.body,
                exchange=self._exchange,
                routing_key=message.routing_key,
                message_type=message.type,
                message_id=message.message_id,
                correlation_id=message.correlation_id,
                headers={**tracing.headers(), **message.headers},
                content_type="application/json",
                timestamp=datetime.now(UTC),
                persist=True,
                mandatory=True,
                expiration=expires_after,
            )


@contextmanager
def _traced(message: RabbitMessage) -> Iterator[None]:
    """What is published meanwhile names this event as what it came from."""
    came_in = message.headers.get(tracing.HEADER)
    parent = str(came_in) if tracing.is_traceparent(came_in) else None
    hop = tracing.begin(f"process {message.raw_message.type}", parent, {"messaging.message.id": message.message_id})
    before = tracing.current.set(hop.traceparent)
    try:
        yield
    finally:
        tracing.current.reset(before)
        hop.end()
