"""A channel: what is published and confirmed on it, and what it is delivered."""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import count, takewhile
from typing import Any, Protocol

from pamqp import commands, frame
from pamqp.base import Frame

from bench import frames
from bench.frames import Delivered, Properties


class Closed(ConnectionError):
    """The connection or the channel is gone, for the reason that the broker gave."""


class Returned(Exception):
    """No queue took a message."""


class Nacked(ConnectionError):
    """The broker did not take a message: a queue is full, or its leader went."""


class Line(Protocol):
    """What a channel writes to."""

    frame_max: int

    def write(self, data: bytes) -> None:
        """Send, with whatever else is written in this turn of the loop. Raises `Closed`."""

    def forget(self, channel: int) -> None:
        """Free the channel's number."""


Take = Callable[[Delivered], None]


class Channel:
    """Rare methods by `call`; publishing, acknowledging and deliveries by hand. Nothing here creates a task."""

    def __init__(self, line: Line, number: int) -> None:
        """Channel 0 is the connection's own."""
        self.closing: asyncio.Future[None] = _future()
        self._line = line
        self._number = number
        self._replies: deque[asyncio.Future[Any]] = deque()
        self._consumers: dict[str, Take] = {}
        self._consumer_tags = count(1)
        self._cancelled: Callable[[str], None] = _ignore
        self._tags = count(1)
        self._unconfirmed: dict[int, tuple[asyncio.Future[None], str]] = {}
        self._tag_of: dict[str, int] = {}
        self._coming: Delivered | None = None
        self._missing = 0

    async def call(self, method: Frame) -> Any:
        """Send a method and return the broker's reply to it. Raises `Closed`."""
        self.send(method)
        return await self.reply()

    def send(self, method: Frame) -> None:
        """Send a method that has no reply."""
        if self.closing.done():
            raise Closed("the channel is closed")
        self._line.write(frame.marshal(method, self._number))

    def reply(self) -> asyncio.Future[Any]:
        """Return what will hold the next reply."""
        self._replies.append(_future())
        return self._replies[-1]

    async def consume(self, queue: str, take: Take) -> str:
        """Have `take` called with each delivery, in the loop's turn in which it comes; return the consumer's tag."""
        tag = f"{self._number}.{next(self._consumer_tags)}"
        self._consumers[tag] = take
        await self.call(commands.Basic.Consume(queue=queue, consumer_tag=tag))
        return tag

    def on_cancelled(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with the tag of a consumer that the broker ended."""
        self._cancelled = tell

    def acknowledge(self, tag: int, *, multiple: bool) -> None:
        """Have the broker forget a delivery, or all up to it; sent in the order of the calls."""
        self._line.write(frames.acknowledged(self._number, tag, multiple))

    def publish(self, exchange: str, routing_key: str, properties: Properties, body: bytes) -> asyncio.Future[None]:
        """Publish a mandatory message, which must have a message id, on a channel with confirms.

        Returns a future that is done when the broker has it safe, or raises `Returned`, `Nacked` or `Closed`.
        """
        if self.closing.done():
            raise Closed("the channel is closed")
        most = self._line.frame_max
        self._line.write(frames.published(self._number, (exchange, routing_key), properties, body, most=most))
        tag, future, message_id = next(self._tags), _future(), properties.message_id or ""
        self._unconfirmed[tag] = future, message_id
        self._tag_of[message_id] = tag
        return future

    async def close(self) -> None:
        """Close, unless it is closed."""
        if not self.closing.done():
            await self.call(commands.Channel.Close(reply_code=200, reply_text="", class_id=0, method_id=0))
            self._line.forget(self._number)
            self.fail(Closed("closed by us"))

    def fail(self, error: Exception) -> None:
        """Be closed: everything that is awaited raises `error`."""
        if self.closing.done():
            return
        for future in (self.closing, *self._replies, *(one for one, _ in self._unconfirmed.values())):
            _break(future, error)

    def take(self, kind: int, payload: bytes) -> None:
        """Take a frame that came."""
        if kind == frames.BODY:
            self._content(payload)
        elif kind == frames.HEADER:
            self._header(payload)
        else:
            self._method(payload)

    def _method(self, payload: bytes) -> None:
        kind = frames.LONG.unpack_from(payload)[0]
        if kind == frames.DELIVER:
            self._coming = frames.delivered(payload)
        elif kind in (frames.ACK, frames.NACK):
            self._confirm(*frames.confirmed(payload), taken=kind == frames.ACK)
        elif kind == frames.RETURN:
            self._coming = frames.returned(payload)
        else:
            whole = frames.HEAD.pack(frames.METHOD, self._number, len(payload)) + payload + frames.END
            self._rare(frame.unmarshal(whole)[2])

    def _rare(self, method: Any) -> None:
        if isinstance(method, commands.Channel.Close):
            self.send(commands.Channel.CloseOk())
            self._line.forget(self._number)
            self.fail(Closed(method.reply_text))
        elif isinstance(method, commands.Connection.Close):
            self.send(commands.Connection.CloseOk())
            raise Closed(method.reply_text)
        elif isinstance(method, commands.Basic.Cancel):
            self._consumers.pop(str(method.consumer_tag), None)
            self._cancelled(str(method.consumer_tag))
        elif self._replies and not (reply := self._replies.popleft()).done():
            reply.set_result(method)

    def _header(self, payload: bytes) -> None:
        assert self._coming
        self._missing, self._coming.properties = frames.header(payload)
        if not self._missing:
            self._complete()

    def _content(self, payload: bytes) -> None:
        assert self._coming
        self._coming.body += payload
        self._missing -= len(payload)
        if not self._missing:
            self._complete()

    def _complete(self) -> None:
        message, self._coming = self._coming, None
        assert message
        if message.delivery_tag:
            self._consumers.get(message.consumer_tag, _ignore)(message)
        elif tag := self._tag_of.get(message.properties.message_id or ""):
            _break(self._unconfirmed[tag][0], Returned(message.routing_key))

    def _confirm(self, tag: int, multiple: bool, *, taken: bool) -> None:
        tags = list(takewhile(lambda one: one <= tag, self._unconfirmed)) if multiple else [tag]
        for one in tags:
            future, message_id = self._unconfirmed.pop(one)
            if self._tag_of.get(message_id) == one:
                del self._tag_of[message_id]
            if not taken:
                _break(future, Nacked(message_id))
            elif not future.done():
                future.set_result(None)


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _break(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever awaits it learns of it; nobody has to


def _ignore(_: object) -> None:
    pass
