"""What a sender put into a message's properties can be read, and passed on, whatever it is."""

import pytest
from pamqp import decode, frame
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from services.chassis.intake import Faulty, Intake
from services.chassis.outbox import frames_of
from services.chassis.parking import parked
from services.chassis.tolerance import be_tolerant
from tests.unit.deliveries import SYSTEM, delivered

FULL = {
    "ASCII": b"x" * 255,
    "two bytes a character": "ä".encode() * 127,
    "four bytes a character": "\U0001f600".encode() * 63,
    "no text at all": b"\xff" * 255,
    "every other byte": b"x\xff" * 127,
    "characters cut off": b"\xf0\x9f" * 127,
    "halves of characters": b"\xed\xa0\x80" * 85,
}


class Raw(Basic.Properties):
    """Correlation id, message id and type, each of the same bytes."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self._raw = raw

    def marshal(self) -> bytes:
        return (1 << 10 | 1 << 7 | 1 << 5).to_bytes(2, "big") + 3 * (bytes([len(self._raw)]) + self._raw)


@pytest.mark.parametrize("raw", FULL.values(), ids=FULL)
def test_what_fills_a_property_can_be_parked_and_is_no_good_id(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read, it is no longer than it was: it fits into the properties of the message that is parked."""
    monkeypatch.setattr(decode, "METHODS", dict(decode.METHODS))
    be_tolerant()
    _, _, header = frame.unmarshal(frame.marshal(ContentHeader(0, 2, Raw(raw)), 1))
    assert isinstance(header, ContentHeader)
    came = {name: getattr(header.properties, name) for name in ("message_type", "message_id", "correlation_id")}
    message = delivered(**came)
    assert frames_of(parked(f"registry.commands.{SYSTEM}", message, "KeyError"), "registry", 1, 4096)
    faulty = Intake((), 1000).check(f"registry.commands.{SYSTEM}", message)
    assert isinstance(faulty, Faulty)
    assert faulty.field == "message_id"
