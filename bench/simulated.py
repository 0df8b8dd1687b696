"""A member state's system as cheaply as can be: bodies as bytes, acknowledgements in groups, no task for a message."""

import asyncio
from collections.abc import Callable
from typing import Final, Self
from urllib.parse import urlsplit

from pamqp.commands import Basic

from bench.channel import Channel
from bench.frames import Delivered, Properties
from bench.wire import Wire, connect
from contracts.topology import exchange_of, inbox_of

PREFETCH: Final = 500
ACKNOWLEDGE_EVERY: Final = 0.02
"""Seconds."""

Read = Callable[[str, Delivered], None]
Fail = Callable[[BaseException], None]


class Simulated:
    """A connected system. Make it with `connect`."""

    def __init__(self, name: str, wire: Wire, out: Channel, fail: Fail) -> None:
        """Wrap what `connect` opened."""
        self.name = name
        self._wire = wire
        self._out = out
        self._fail = fail
        self._last = 0
        self._acknowledging: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, url: str, read: Read, fail: Fail) -> Self:
        """Log in; `read` is called with all that comes to the inbox, `fail` with what the broker did not take."""
        wire = await connect(url)
        system = cls(urlsplit(url).username or "", wire, await wire.channel(confirms=True), fail)
        inbox = await wire.channel()
        await inbox.call(Basic.Qos(prefetch_count=PREFETCH))
        await inbox.consume(inbox_of(system.name), system._taker(read))
        system._acknowledging = asyncio.create_task(system._acknowledge(inbox))
        return system

    def send(self, kind: str, message_id: str, body: bytes) -> None:
        """Publish a command persistently, without waiting for the broker's confirm."""
        self.offer(kind, message_id, body).add_done_callback(self._confirmed)

    def offer(self, kind: str, message_id: str, body: bytes) -> asyncio.Future[None]:
        """Publish a command persistently; what is returned is done once the broker has it, or raises why it has not."""
        properties = Properties(
            content_type="application/json",
            delivery_mode=2,
            message_id=message_id,
            message_type=kind,
            user_id=self.name,
        )
        return self._out.publish(exchange_of(self.name), kind, properties, body)

    async def close(self) -> None:
        """Acknowledge everything that was read, then close."""
        await asyncio.sleep(2 * ACKNOWLEDGE_EVERY)
        if self._acknowledging:
            self._acknowledging.cancel()
        await self._wire.close()

    def _confirmed(self, publish: asyncio.Future[None]) -> None:
        if not publish.cancelled() and (error := publish.exception()):
            self._fail(error)

    def _taker(self, read: Read) -> Callable[[Delivered], None]:
        def take(message: Delivered) -> None:
            read(self.name, message)
            self._last = message.delivery_tag

        return take

    async def _acknowledge(self, inbox: Channel) -> None:
        acknowledged = 0
        while True:
            await asyncio.sleep(ACKNOWLEDGE_EVERY)
            if self._last > acknowledged:
                acknowledged = self._last
                inbox.acknowledge(acknowledged, multiple=True)
