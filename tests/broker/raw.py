"""A system that knows AMQP and nothing else: sends whatever it likes, reads whatever comes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiormq
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from contracts.topology import exchange_of, inbox_of

Json = dict[str, Any]


class RawSystem:
    """One connection with one channel."""

    def __init__(self, name: str, channel: aiormq.abc.AbstractChannel) -> None:
        self.name = name
        self.exchange = exchange_of(name)
        self.channel = channel
        self._received: list[tuple[Basic.Properties, Json]] = []
        self._arrived = asyncio.Event()

    async def send(
        self,
        body: bytes | Json,
        *,
        exchange: str | None = None,
        routing_key: str | None = None,
        **properties: Any,
    ) -> None:
        """Publish with exactly these properties; returns when the broker has confirmed."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.channel.basic_publish(
            raw,
            exchange=exchange_of(self.name) if exchange is None else exchange,
            routing_key=properties.get("message_type", "") if routing_key is None else routing_key,
            properties=Basic.Properties(**properties),
            mandatory=True,
        )

    async def command(self, kind: str, body: bytes | Json, message_id: str, **changes: Any) -> None:
        """Publish as the documents say, but for the changes."""
        properties: dict[str, Any] = {
            "message_type": kind,
            "message_id": message_id,
            "user_id": self.name,
            "content_type": "application/json",
            "delivery_mode": 2,
        }
        await self.send(body, **(properties | changes))

    async def listen(self) -> None:
        """Begin to read the inbox."""
        await self.channel.basic_consume(inbox_of(self.name), self._take, no_ack=True)

    @property
    def received(self) -> Sequence[tuple[Basic.Properties, Json]]:
        """All that has come so far."""
        return self._received

    async def receive(
        self, fits: Callable[[Basic.Properties, Json], bool], within: float = 20
    ) -> tuple[Basic.Properties, Json]:
        """Return the first message that fits, of all that have come or will."""
        async with asyncio.timeout(within):
            while True:
                for properties, body in self._received:
                    if fits(properties, body):
                        return properties, body
                self._arrived.clear()
                await self._arrived.wait()

    async def outcome(self, message_id: str, within: float = 20) -> Json:
        """Return the outcome of a command."""
        _, body = await self.receive(lambda p, b: p.correlation_id == message_id and b["kind"] == "outcome", within)
        return body

    def outcomes(self, message_id: str) -> list[tuple[str, Json]]:
        """Return id and body of every outcome of a command that has come so far."""
        return [
            (str(p.message_id), b)
            for p, b in self._received
            if p.correlation_id == message_id and b["kind"] == "outcome"
        ]

    async def _take(self, message: DeliveredMessage) -> None:
        self._received.append((message.header.properties, json.loads(message.body)))
        self._arrived.set()


@asynccontextmanager
async def raw_system(url: str, name: str, *, listening: bool = True) -> AsyncIterator[RawSystem]:
    """Connect as a system; everything it received is forgotten in the end."""
    connection = await aiormq.connect(url)
    try:
        system = RawSystem(name, await connection.channel(publisher_confirms=True, on_return_raises=True))
        if listening:
            await system.listen()
        yield system
    finally:
        await connection.close()
