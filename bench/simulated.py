"""A member state's system as cheaply as can be: bare channels, bodies as bytes, acknowledgements in groups."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Self
from urllib.parse import urlsplit

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.channel import Channel
from pamqp.commands import Basic

from contracts.topology import exchange_of, inbox_of

PREFETCH = 500
ACKNOWLEDGE_EVERY = 0.02
"""Seconds."""

Read = Callable[[str, DeliveredMessage], None]
Fail = Callable[[BaseException], None]


class Simulated:
    """A connected system. Make it with `connect`."""

    def __init__(self, name: str, connection: AbstractConnection, out: Channel, inbox: AbstractChannel) -> None:
        """Wrap what `connect` opened."""
        self.name = name
        self._connection = connection
        self._out = out
        self._inbox = inbox
        self._fail: Fail = _raise
        self._last = self._acknowledged = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    async def connect(cls, url: str, read: Read, fail: Fail) -> Self:
        """Log in; `read` is called with all that comes to the inbox, `fail` with what the broker did not take."""
        connection = await aiormq.connect(url)
        out = await connection.channel(publisher_confirms=True)
        assert isinstance(out, Channel)
        inbox = await connection.channel(publisher_confirms=False)
        system = cls(urlsplit(url).username or "", connection, out, inbox)
        system._fail = fail
        await inbox.basic_qos(prefetch_count=PREFETCH)
        await inbox.basic_consume(inbox_of(system.name), system._taker(read))
        system._spawn(system._acknowledge())
        return system

    def send(self, kind: str, message_id: str, body: bytes) -> None:
        """Publish a command persistently, without waiting for the broker's confirm."""
        properties = Basic.Properties(
            content_type="application/json",
            delivery_mode=2,
            message_id=message_id,
            message_type=kind,
            user_id=self.name,
        )
        exchange = exchange_of(self.name)
        self._spawn(
            self._out.basic_publish(
                body, exchange=exchange, routing_key=kind, properties=properties, mandatory=True, wait=False
            )
        )

    async def close(self) -> None:
        """Acknowledge everything that was read, then close."""
        await asyncio.sleep(2 * ACKNOWLEDGE_EVERY)
        for task in self._tasks:
            task.cancel()
        await self._connection.close()

    def _taker(self, read: Read) -> Callable[[DeliveredMessage], Coroutine[Any, Any, None]]:
        async def take(message: DeliveredMessage) -> None:
            read(self.name, message)
            self._last = message.delivery_tag or 0

        return take

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(ACKNOWLEDGE_EVERY)
            if self._last > self._acknowledged:
                self._acknowledged = self._last
                await self._inbox.basic_ack(self._last, multiple=True, wait=False)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._fail(error)


def _raise(error: BaseException) -> None:
    raise error
