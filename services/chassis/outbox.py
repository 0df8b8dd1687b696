"""Publishing on one channel: what is said in one turn of the event loop is written at once.

aiormq takes a lock, a turn of its writer and several objects for each message, which is most of what a message in a
group costs. Here its frames are made by hand (AMQP 0-9-1, 2.3.5 and 4.2) and handed to it together; the connection,
what the broker confirms, returns and closes stay with aiormq.
"""

import asyncio
import time
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from aiormq.abc import ChannelFrame, TaskType
from aiormq.channel import Channel
from aiormq.exceptions import ChannelInvalidStateError
from pamqp import encode

if TYPE_CHECKING:
    from services.chassis.bus import Outgoing

_HEAD: Final = Struct(">BHI")
"""What every frame begins with: its kind, its channel, the size of its payload."""
_CONTENT: Final = Struct(">HHQH")
_TIMESTAMP: Final = Struct(">Q")
_END: Final = b"\xce"
_METHOD, _HEADER, _BODY = 1, 2, 3
_BASIC: Final = 60
_PUBLISH: Final = b"\x00\x3c\x00\x28\x00\x00"
_MANDATORY: Final = b"\x01"
_PERSISTENT: Final = b"\x02"
_ALWAYS: Final = 0x8000 | 0x1000 | 0x0080 | 0x0040
"""The flags of a content type, a delivery mode, a message id and a timestamp."""
_HAS_HEADERS, _HAS_CORRELATION_ID, _HAS_TYPE = 0x2000, 0x0400, 0x0020


class Outbox:
    """Publishes to one exchange: persistent JSON that must reach a queue."""

    def __init__(self, channel: Channel, exchange: str) -> None:
        """The channel confirms, and nobody else publishes on it."""
        self._channel = channel
        self._exchange = exchange
        self._frames: list[bytes] = []
        self._writing: TaskType | None = None

    def put(self, message: "Outgoing") -> asyncio.Future[Any]:
        """Have a message written soon. The future ends when it is confirmed, or raises what aiormq raises.

        Raises `ValueError` for a word that AMQP has no room for.
        """
        channel = self._channel
        if channel.is_closed:
            raise ChannelInvalidStateError(f"{channel!r} closed")
        frames = frames_of(message, self._exchange, channel.number, channel.max_content_size)
        confirmed = channel.create_future()
        channel.delivery_tag += 1
        channel.confirmations[channel.delivery_tag] = confirmed
        channel.message_id_delivery_tag[message.message_id] = channel.delivery_tag  # so aiormq knows what returns
        confirmed.add_done_callback(partial(self._forget, message.message_id, channel.delivery_tag))
        self._frames.append(frames)
        if self._writing is None or self._writing.done():
            self._writing = channel.create_task(self._write())  # which ends with the channel
        return confirmed

    def _forget(self, message_id: str, tag: int, _: asyncio.Future[Any]) -> None:
        if self._channel.message_id_delivery_tag.get(message_id) == tag:
            del self._channel.message_id_delivery_tag[message_id]

    async def _write(self) -> None:
        """One such task at a time: what was numbered first is written first."""
        while self._frames:
            together, self._frames = b"".join(self._frames), []
            await self._channel.write_queue.put(ChannelFrame(payload=together, should_close=False))


def frames_of(message: "Outgoing", exchange: str, channel: int, at_most: int) -> bytes:
    """Return the frames that publish a message, its body in pieces of `at_most` so many bytes."""
    body = message.body
    method = b"".join((_PUBLISH, _short(exchange), _short(message.routing_key), _MANDATORY))
    frames = [_frame(_METHOD, channel, method), _frame(_HEADER, channel, _header(message))]
    frames += [_frame(_BODY, channel, body[at : at + at_most]) for at in range(0, len(body), at_most)]
    return b"".join(frames)


def _header(message: "Outgoing") -> bytes:
    """The size of the body, and the properties in their order; what is empty is left out."""
    flags, values = _ALWAYS, [_JSON]
    if message.headers:
        flags |= _HAS_HEADERS
        values.append(encode.field_table(dict(message.headers)))
    values.append(_PERSISTENT)
    if message.correlation_id:
        flags |= _HAS_CORRELATION_ID
        values.append(_short(message.correlation_id))
    values += (_short(message.message_id), _TIMESTAMP.pack(int(time.time())))
    if message.type:
        flags |= _HAS_TYPE
        values.append(_short(message.type))
    return _CONTENT.pack(_BASIC, 0, len(message.body), flags) + b"".join(values)


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return b"".join((_HEAD.pack(kind, channel, len(payload)), payload, _END))


def _short(text: str) -> bytes:
    """A short string. Raises `ValueError` when it is too long for one."""
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded


_JSON: Final = _short("application/json")
