"""Read whatever a sender put into the properties of a message, instead of losing the connection over it.

The broker passes on timestamps in a far future, strings that are no UTF-8, tables of any depth. pamqp raises while it
reads the frame, before there is a message that could be refused; the message would come again at once, for ever, and
every other system's commands with it. So what cannot be read is read as something that the intake refuses.
"""

from collections.abc import Callable
from typing import Any, Final

from pamqp import decode

Decoder = Callable[..., tuple[int, Any]]

_UNREADABLE: Final = (ValueError, OverflowError, OSError, RecursionError)
_LENGTH: Final = 4
_NO_TEXT: Final = "\x1a"
"""Stands for bytes that are no UTF-8. It is a single byte, so that what fitted into a property still does when it is
passed on; U+FFFD has three."""


def _short_string(value: bytes) -> tuple[int, str]:
    length = value[0]
    return length + 1, value[1 : length + 1].decode(errors="replace").replace("\ufffd", _NO_TEXT)


def _timestamp(value: bytes) -> tuple[int, Any]:
    try:
        return decode.timestamp(value)
    except _UNREADABLE:
        return 8, None


def _table(value: bytes) -> tuple[int, Any]:
    try:
        return decode.field_table(value)
    except _UNREADABLE:
        return _LENGTH + int.from_bytes(value[:_LENGTH], "big"), {}


def be_tolerant() -> None:
    """Have this process read them so. Called once, before anything connects."""
    decode.METHODS.update(shortstr=_short_string, timestamp=_timestamp, table=_table)
