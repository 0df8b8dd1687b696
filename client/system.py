"""A connected system: send commands and await their outcomes, read the inbox, drop repetitions."""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError, DeliveryError

from contracts.inbox import INBOX, AuthorityUpdate, CaseUpdate, Milestone, Outcome, SystemUpdate
from contracts.topology import exchange_of, inbox_of
from contracts.types import Message

InboxMessage = Outcome | CaseUpdate | AuthorityUpdate | SystemUpdate | Milestone

_TYPES: Final[Mapping[str, type[Message]]] = {kind.TYPE: kind for kind in INBOX}
_REMEMBERED: Final = 10_000
_PREFETCH: Final = 5_000
"""Messages held here that `inbox` has not yielded yet. Beyond that outcomes wait behind them: read the inbox."""


class LaneFull(Exception):
    """The exchange did not take the command: too many of this system's wait already. Send it again later."""


class Refused(Exception):
    """The command was refused; `outcome` says why."""

    def __init__(self, outcome: Outcome) -> None:
        """Keep the outcome."""
        reason = outcome.refused
        super().__init__(f"{reason.code}: {reason.text} ({reason.field})" if reason else "refused")
        self.outcome = outcome


class System:
    """A system's connection. Use it as an asynchronous context manager; it reconnects by itself."""

    def __init__(self, url: str) -> None:
        """`url` is amqp(s)://<system>:<password>@<host>:<port>/<vhost>; the user's name is the system's."""
        self._url = url
        self.name = urlsplit(url).username or ""
        self._connection: AbstractRobustConnection | None = None
        self._awaited: dict[str, asyncio.Future[Outcome]] = {}
        self._arrived: asyncio.Queue[tuple[InboxMessage, AbstractIncomingMessage]] = asyncio.Queue()
        self._last: AbstractIncomingMessage | None = None
        self._seen: OrderedDict[str, None] = OrderedDict()
        """What was read. What has merely arrived is not: after a reconnection it comes again."""
        self._versions: dict[tuple[str, str], tuple[int, int]] = {}

    async def __aenter__(self) -> Self:
        """Connect, and begin to read the inbox. Raises what aio-pika raises when that fails."""
        self._connection = await aio_pika.connect_robust(self._url)
        outbound = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        inbound = await self._connection.channel()
        await inbound.set_qos(_PREFETCH)
        self._exchange = await outbound.get_exchange(exchange_of(self.name), ensure=False)
        inbox = await inbound.get_queue(inbox_of(self.name), ensure=False)
        await inbox.consume(self._take)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close. What was not read stays in the inbox."""
        if self._connection:
            await self._connection.close()

    async def send(self, command: Message, message_id: str | None = None, traceparent: str | None = None) -> str:
        """Send a command, and return its message id once the broker has it safe.

        Sending again with the same id does nothing twice: the outcome is repeated. Raises `LaneFull`. With a
        `traceparent` (W3C Trace Context) all that comes of it continues the sender's trace.
        """
        message_id = message_id or str(uuid.uuid4())
        message = aio_pika.Message(
            command.model_dump_json(exclude_none=True).encode(),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=message_id,
            type=command.TYPE,
            user_id=self.name,
            headers={"traceparent": traceparent} if traceparent else None,
        )
        try:
            await self._exchange.publish(message, routing_key=command.TYPE, mandatory=True)
        except DeliveryError as error:
            raise LaneFull(command.TYPE) from error
        return message_id

    async def outcome(self, command: Message, message_id: str | None = None, within: float = 60) -> Outcome:
        """Send a command and return its outcome, whichever it is. Raises `TimeoutError` after `within` seconds."""
        message_id = message_id or str(uuid.uuid4())
        async with self.awaiting(message_id, within) as awaited:
            await self.send(command, message_id)
            return await awaited

    @asynccontextmanager
    async def awaiting(self, message_id: str, within: float = 60) -> AsyncIterator[asyncio.Future[Outcome]]:
        """Give the outcome of a command that is sent in the block. Raises `TimeoutError` after `within` seconds."""
        awaited: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._awaited[message_id] = awaited
        try:
            async with asyncio.timeout(within):
                yield awaited
        finally:
            self._awaited.pop(message_id, None)

    async def do(self, command: Message, message_id: str | None = None, within: float = 60) -> Outcome:
        """Send a command and return its outcome. Raises `Refused` when it was not carried out."""
        outcome = await self.outcome(command, message_id, within)
        if outcome.status == "refused":
            raise Refused(outcome)
        return outcome

    async def inbox(self) -> AsyncIterator[InboxMessage]:
        """Yield what arrives, without repetitions and without what is older than what was yielded before.

        A message is acknowledged when the next one is asked for: whoever crashes in between gets it again.
        """
        while True:
            await self._acknowledge_last()
            message, self._last = await self._arrived.get()
            if str(self._last.message_id) not in self._seen and self._is_news(message):
                yield message

    async def _acknowledge_last(self) -> None:
        if self._last is None:
            return
        last, self._last = self._last, None
        self._remember(str(last.message_id))
        # When its connection is gone it comes again, and is then known.
        with suppress(AMQPError, ChannelInvalidStateError):
            await last.ack()

    @asynccontextmanager
    async def expecting(self, within: float = 60) -> AsyncIterator[AsyncIterator[InboxMessage]]:
        """Give the inbox to read for at most `within` seconds. Raises `TimeoutError` after that."""
        async with asyncio.timeout(within):
            yield self.inbox()
        await self._acknowledge_last()

    async def _take(self, raw: AbstractIncomingMessage) -> None:
        message = _parse(raw)
        if isinstance(message, Outcome) and self._resolves(message, raw.correlation_id or ""):
            self._remember(str(raw.message_id))
        elif message is not None and str(raw.message_id) not in self._seen:
            self._arrived.put_nowait((message, raw))
            return
        await raw.ack()

    def _resolves(self, outcome: Outcome, command: str) -> bool:
        """Give the outcome to who awaits it; a repeated one too, for a command that was sent again."""
        awaited = self._awaited.get(command)
        if awaited is None or awaited.done():
            return False
        awaited.set_result(outcome)
        return True

    def _remember(self, message_id: str) -> None:
        self._seen[message_id] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _is_news(self, message: InboxMessage) -> bool:
        """An outcome always is; a case only when it is newer than what was read of it for the same authority."""
        if not isinstance(message, CaseUpdate):
            return True
        key, version = (message.reader, message.case.id), (message.case.epoch, message.case.version)
        newer = version > self._versions.get(key, (0, 0))
        if newer:
            self._versions[key] = version
        return newer


def _parse(raw: AbstractIncomingMessage) -> InboxMessage | None:
    """Types and fields that this SDK does not know yet are left out: the exchange may be newer."""
    kind = _TYPES.get(raw.type or "")
    message = kind.model_validate_json(raw.body, extra="ignore") if kind else None
    return message if isinstance(message, InboxMessage) else None
