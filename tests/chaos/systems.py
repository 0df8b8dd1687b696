"""Connected systems that note everything: what they sent, when it was confirmed, and what came to their inboxes.

A system that is not sure that the broker has a command sends it again, with the same id: so everything that it sends is
owed an outcome in the end.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError, DeliveryError
from pamqp.commands import Basic
from pydantic_core import from_json

from contracts.topology import exchange_of, inbox_of
from tests.chaos.record import Command, Received, Record

PUBLISHING: Final = 8
"""Commands that one system has under way to the broker."""
CONFIRMED_WITHIN: Final = 15.0
AGAIN_AFTER: Final = 0.5
"""Seconds, after which a connection is tried again, and a command that a full lane did not take."""
BROKEN: Final = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError)

Heard = Callable[[Received], None]


@dataclass(frozen=True)
class Saying:
    """A command as it is sent."""

    kind: str
    body: bytes


class Connected:
    """A system. It connects again whenever its connection breaks."""

    def __init__(self, name: str, url: str, record: Record, clock: Callable[[], float], heard: Heard) -> None:
        """Note everything in `record`, at the times that `clock` gives, and tell `heard` of what comes."""
        self.name = name
        self._url = f"{url}?heartbeat=10"
        self._record = record
        self._clock = clock
        self._heard = heard
        self._sayings: dict[str, Saying] = {}
        """What the broker has not confirmed, by id."""
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    @property
    def unconfirmed(self) -> int:
        """How many commands wait for the broker."""
        return len(self._sayings)

    def begin(self) -> None:
        """Connect, in the background."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def end(self) -> None:
        """Disconnect."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def send(self, command: Command, body: bytes) -> None:
        """Send a command until the broker has it; one that it has already is sent once more."""
        self._record.commands.setdefault(command.id, command)
        self._sayings[command.id] = Saying(command.kind, body)
        self._queue.put_nowait(command.id)

    async def _run(self) -> None:
        while True:
            with suppress(*BROKEN):
                async with asyncio.timeout(CONFIRMED_WITHIN):
                    connection = await aiormq.connect(self._url)
                try:
                    await self._talk(connection)
                finally:
                    with suppress(*BROKEN):
                        async with asyncio.timeout(1):
                            await connection.close()
            await asyncio.sleep(AGAIN_AFTER)

    async def _talk(self, connection: Any) -> None:
        """Listen and speak until the connection breaks."""
        async with asyncio.timeout(CONFIRMED_WITHIN):
            inbound = await connection.channel()
            outbound = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await inbound.basic_qos(prefetch_count=500)
            await inbound.basic_consume(inbox_of(self.name), self._taker(inbound))
        self._queue = asyncio.Queue()
        for message_id in self._sayings:
            self._queue.put_nowait(message_id)
        tasks = [asyncio.create_task(self._speak(outbound)) for _ in range(PUBLISHING)]
        gone = [part.closing for part in (connection, inbound, outbound)]
        try:
            await asyncio.wait([*tasks, *gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _speak(self, channel: AbstractChannel) -> None:
        while True:
            message_id = await self._queue.get()
            if saying := self._sayings.get(message_id):
                self._record.commands[message_id].sent.append(self._clock())
                try:
                    await self._publish(channel, message_id, saying)
                except DeliveryError:
                    asyncio.get_running_loop().call_later(AGAIN_AFTER, self._queue.put_nowait, message_id)

    async def _publish(self, channel: AbstractChannel, message_id: str, saying: Saying) -> None:
        properties = Basic.Properties(
            content_type="application/json",
            delivery_mode=2,
            message_id=message_id,
            message_type=saying.kind,
            user_id=self.name,
        )
        async with asyncio.timeout(CONFIRMED_WITHIN):
            await channel.basic_publish(
                saying.body,
                exchange=exchange_of(self.name),
                routing_key=saying.kind,
                properties=properties,
                mandatory=True,
            )
        command = self._record.commands[message_id]
        if command.confirmed_at is None:
            command.confirmed_at = self._clock()
        self._sayings.pop(message_id, None)

    def _taker(self, channel: AbstractChannel) -> Callable[[DeliveredMessage], Any]:
        async def take(message: DeliveredMessage) -> None:
            received = read(self._clock(), self.name, message.header.properties, message.body)
            self._record.received.append(received)
            self._heard(received)
            with suppress(*BROKEN):  # else it comes again
                await channel.basic_ack(message.delivery_tag or 0, wait=False)

        return take


def read(at: float, system: str, properties: Basic.Properties, body: bytes) -> Received:
    """Return what is to be noted of a message."""
    said: dict[str, Any] = from_json(body)
    case = said.get("case") or {}
    refused = said.get("refused") or {}
    # A question that is asked again is answered as of then: only its answer's id stays.
    digest = "" if "found" in said else hashlib.sha256(body).hexdigest()
    return Received(
        at=at,
        system=system,
        id=str(properties.message_id),
        kind=str(properties.message_type),
        digest=digest,
        command=properties.correlation_id if said["kind"] == "outcome" else None,
        status=said.get("status"),
        code=refused.get("code"),
        case=case.get("id"),
        version=case.get("version"),
        state=(case.get("state") or {}).get("code"),
        connected=said["system"] if said["kind"] == "system" and said.get("event") == "connected" else None,
    )


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        """Begin at 0."""
        self._began = time.monotonic()

    def __call__(self) -> float:
        """Return them."""
        return time.monotonic() - self._began
