"""Delivery status reports (RFC 3464) as mail servers send them back: which mail did not arrive, and why. Pure.

What comes in was written by anybody: nothing of it is believed but the identity of a mail that we know we sent.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import Message
from typing import Final

_STATUS: Final = re.compile(r"[45]\.\d{1,3}\.\d{1,3}")
_MOST_BOUNDARIES: Final = 30
"""A report and the mail in it have a handful; each that is open is looked for in every line."""
_MESSAGE_ID: Final = re.compile(r"<([0-9a-f-]{36})@([A-Za-z0-9.-]{1,255})>")


@dataclass(frozen=True, slots=True)
class Report:
    """A mail did not arrive: its identity, and the status with which it came back (RFC 3463)."""

    email_id: str
    status: str

    @property
    def permanent(self) -> bool:
        """Whether the address will take no mail, as far as the server can know."""
        return self.status.startswith("5.")


def report_of(content: bytes, domain: str) -> Report | None:
    """Return what a message reports of a mail whose Message-ID is of our `domain`; nothing if it reports no failure."""
    if content.lower().count(b"boundary") > _MOST_BOUNDARIES:
        return None
    try:
        message = message_from_bytes(content)
        if message.get_content_type() != "multipart/report":
            return None
        failure, returned = next(_failures(message), None), next(_returned(message), None)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # no form of a message at all, or one without an end
    found = _MESSAGE_ID.fullmatch(returned.strip()) if returned else None
    if failure is None or found is None or found[2].lower() != domain.lower():
        return None
    return Report(found[1], failure)


def _failures(message: Message) -> Iterator[str]:
    for part in _parts(message, "message/delivery-status"):
        blocks = part.get_payload()
        for recipient in blocks[1:] if isinstance(blocks, list) else ():  # the first is about the message as a whole
            if isinstance(recipient, str):
                continue
            status = _STATUS.match(str(recipient.get("Status", "")).strip())
            if str(recipient.get("Action", "")).strip().lower() == "failed" and status:
                yield status[0]


def _returned(message: Message) -> Iterator[str]:
    """The Message-ID of the mail that is sent back whole, or by its headers."""
    for part in _parts(message, "message/rfc822"):
        inner = part.get_payload(0)
        if isinstance(inner, Message):
            yield str(inner.get("Message-ID", ""))
    for part in _parts(message, "text/rfc822-headers"):
        yield str(message_from_string(str(part.get_payload())).get("Message-ID", ""))


def _parts(message: Message, kind: str) -> Iterator[Message]:
    """Only those of the report itself, not of the mail in it."""
    payload = message.get_payload()
    for part in payload if isinstance(payload, list) else ():
        if isinstance(part, Message) and part.get_content_type() == kind:
            yield part
