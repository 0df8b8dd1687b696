"""The broker of the naive services: FastStream as its documentation has it, with the exchange's own durability."""

from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitExchange, RabbitQueue
from faststream.rabbit.subscriber.usecase import RabbitSubscriber
from pydantic_core import to_json

from contracts.types import Message

PREFETCH = 10


def open_broker(url: str) -> RabbitBroker:
    """Return a broker that takes ten messages at a time from each queue. It logs nothing: that is to its advantage."""
    return RabbitBroker(url, logger=None, default_channel=Channel(prefetch_count=PREFETCH, on_return_raises=True))


def subscriber(broker: RabbitBroker, queue: str) -> RabbitSubscriber:
    """Return a subscriber that acknowledges what its handler has done, and has what failed delivered again."""
    return broker.subscriber(RabbitQueue(queue, declare=False), ack_policy=AckPolicy.NACK_ON_ERROR, no_reply=True)


class Publisher:
    """Publishes to the service's own exchange, one message after the other."""

    def __init__(self, broker: RabbitBroker, service: str) -> None:
        """`service` names the exchange, which exists."""
        self._broker = broker
        self._exchange = RabbitExchange(service, declare=False)

    async def message(self, routing_key: str, message: Message, message_id: str, cause: str | None) -> None:
        """Publish a message of the contracts; return when it is confirmed."""
        await self.body(routing_key, message.TYPE, to_json(message, exclude_none=True), message_id, cause)

    async def body(self, routing_key: str, kind: str, body: bytes, message_id: str, cause: str | None) -> None:
        """Publish persistently; return when it is confirmed, raise when no queue takes it."""
        await self._broker.publish(
            body,
            exchange=self._exchange,
            routing_key=routing_key,
            message_type=kind,
            message_id=message_id,
            correlation_id=cause,
            content_type="application/json",
            persist=True,
            mandatory=True,
        )
