"""A connection to the broker: frames in and out of a socket. What one turn of the loop writes goes out as one."""

import asyncio
import ssl
from typing import Final, cast
from urllib.parse import unquote, urlsplit

from pamqp import commands, frame
from pamqp.heartbeat import Heartbeat

from bench import frames
from bench.channel import Channel, Closed

CONNECT_WITHIN: Final = 30.0
CLOSE_WITHIN: Final = 5.0
BEAT_EVERY: Final = 30
"""Seconds. Both sides take each other for dead after twice as much, or a little more, without a word."""

_PROTOCOL: Final = b"AMQP\x00\x00\x09\x01"
_CAPABILITIES: Final = ("authentication_failure_close", "basic.nack", "consumer_cancel_notify", "publisher_confirms")


class Wire(asyncio.Protocol):
    """A connection. Make it with `connect`."""

    def __init__(self) -> None:
        """Nothing is sent before the socket is there."""
        self.frame_max = 4096
        self._loop = asyncio.get_running_loop()
        self._own = Channel(self, 0)
        self._channels = {0: self._own}
        self._start = self._own.reply()
        self._rest = b""
        self._out: list[bytes] = []
        self._heard_at = self._loop.time()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None

    @property
    def closing(self) -> asyncio.Future[None]:
        """Raises why, once the connection is gone."""
        return self._own.closing

    async def open(self, user: str, password: str, vhost: str) -> None:
        """Log in. Raises `Closed` when the broker does not want us."""
        await self._start
        tune = await self._own.call(
            commands.Connection.StartOk(
                client_properties={"capabilities": dict.fromkeys(_CAPABILITIES, True)},
                mechanism="PLAIN",
                response=f"\0{user}\0{password}",
            )
        )
        self.frame_max = int(tune.frame_max) or 131072
        beat = commands.Connection.TuneOk(tune.channel_max, self.frame_max, 2 * BEAT_EVERY)
        self._own.send(beat)
        await self._own.call(commands.Connection.Open(virtual_host=vhost))
        self._beat()

    async def channel(self, *, confirms: bool = False) -> Channel:
        """Open a channel."""
        number = next(number for number in range(1, 2048) if number not in self._channels)
        channel = self._channels[number] = Channel(self, number)
        await channel.call(commands.Channel.Open())
        if confirms:
            await channel.call(commands.Confirm.Select())
        return channel

    async def writable(self) -> None:
        """Wait while the broker does not read."""
        await self._writable.wait()

    async def close(self) -> None:
        """Say goodbye, and close."""
        if not self.closing.done():
            goodbye = commands.Connection.Close(reply_code=200, reply_text="", class_id=0, method_id=0)
            await asyncio.wait([asyncio.ensure_future(self._own.call(goodbye))], timeout=CLOSE_WITHIN)
        self.abandon()

    def abandon(self) -> None:
        """Close without a word."""
        self._fail(Closed("closed by us"))

    def write(self, data: bytes) -> None:
        """Send, with whatever else is written in this turn of the loop. Raises `Closed`."""
        if self.closing.done():
            raise Closed("the connection is closed")
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def forget(self, channel: int) -> None:
        """Free the channel's number."""
        self._channels.pop(channel, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self.write(_PROTOCOL)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._fail(exc or Closed("the connection was lost"))

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._heard_at = self._loop.time()
        data, at = self._rest + data, 0
        try:
            while len(data) - at >= frames.HEAD.size:
                kind, number, size = frames.HEAD.unpack_from(data, at)
                end = at + frames.HEAD.size + size
                if end >= len(data):
                    break
                self._take(kind, number, data[at + frames.HEAD.size : end])
                at = end + 1
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing after it can be understood
            self._fail(error)
        self._rest = data[at:]

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        if kind != frames.HEARTBEAT and (channel := self._channels.get(number)):
            channel.take(kind, payload)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport:
            self._transport.write(b"".join(out))

    def _beat(self) -> None:
        if self.closing.done():
            return
        if self._loop.time() - self._heard_at > 2 * BEAT_EVERY:
            self._fail(TimeoutError("the broker is silent"))
            return
        self.write(frame.marshal(Heartbeat(), 0))
        self._loop.call_later(BEAT_EVERY, self._beat)

    def _fail(self, error: Exception) -> None:
        for channel in list(self._channels.values()):
            channel.fail(error)
        if self._transport:
            self._transport.close()


async def connect(url: str) -> Wire:
    """Connect to amqp(s)://user:password@host:port/vhost and log in. Raises OSError, `Closed` among them."""
    parts = urlsplit(url)
    secure = parts.scheme == "amqps"
    port = parts.port or (5671 if secure else 5672)
    context = ssl.create_default_context() if secure else None
    async with asyncio.timeout(CONNECT_WITHIN):
        _, wire = await asyncio.get_running_loop().create_connection(Wire, parts.hostname or "", port, ssl=context)
        try:
            await wire.open(
                unquote(parts.username or ""), unquote(parts.password or ""), unquote(parts.path[1:]) or "/"
            )
        except BaseException:
            wire.abandon()
            raise
    return wire
