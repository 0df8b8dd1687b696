"""What a connected system sends is hostile until checked: who speaks, size, properties, type, form."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiormq.abc import DeliveredMessage
from pydantic import ValidationError

from contracts.identity import derived_uuid
from contracts.topology import is_again, is_expired, is_undelivered, system_of
from contracts.types import Message
from services.chassis import tracing

_MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,128}")
"""Printable ASCII: it is repeated in the outcome's properties, and read by people in logs."""
_NAMEABLE = re.compile(r"[\x21-\x7e]{1,255}")
"""What a refusal can still name: one that is too long, but whole."""
_DECODER = json.JSONDecoder()

BYTES_A_VALUE: Final = 12
"""Of the largest command, on the average at least. It takes as long to read as it has values, whatever they are."""

Fault = tuple[str, str | None]
"""The code of a refusal, and the field that is wrong."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that passed every check which needs no data: its sender is certain, its form is right."""

    system: str
    message_id: str
    body: Message
    digest: str
    age: float = 0.0
    """Seconds since this replica took it."""
    expired: bool = False
    """It ran out in its lane: it may have been carried out, but must not be begun."""
    traceparent: str | None = None

    @property
    def key(self) -> str:
        """Its identity. Two systems may use the same message id: they cannot pre-empt each other's."""
        return f"{self.system}/{self.message_id}"


@dataclass(frozen=True, slots=True)
class Faulty:
    """A message that is refused for what it is, before anybody looks at what it asks."""

    system: str
    code: str
    field: str | None
    message_id: str | None
    type: str | None
    outcome_id: str


class Intake:
    """The checks of one service's lanes."""

    def __init__(self, types: Iterable[type[Message]], max_body: int) -> None:
        """`types` are the commands that the service takes; `max_body` their size in bytes."""
        self._types: Mapping[str, type[Message]] = {kind.TYPE: kind for kind in types}
        self._max_body = max_body

    def check(self, queue: str, message: DeliveredMessage, age: float = 0.0) -> Command | Faulty:
        """Return the command in `message`, or what is wrong with it. The lane that it came by names the sender.

        A command that expired comes by a lane for all; there the broker's check of the user id names the sender.
        Raises `ValueError` when it gave none, and for what the operator has handled again without saying by which lane
        it had come: to nobody can an outcome be addressed.
        """
        properties = message.header.properties
        expired = is_expired(queue)
        system = (properties.user_id or "") if expired else system_of(queue)
        if not system or is_again(queue):
            raise ValueError("no user id, and no lane of its own")
        fault = self._envelope_fault(system, message)
        kind = self._types.get(properties.message_type or "")
        if fault or not kind:
            return _faulty(system, message, *(fault or _unknown(queue)))
        try:
            body = kind.model_validate_json(message.body)
        except ValidationError as error:
            return _faulty(system, message, *_shape_fault(error))
        return Command(
            system,
            str(properties.message_id),
            body,
            _digest(message),
            age,
            expired=expired,
            traceparent=traceparent_of(message),
        )

    def _envelope_fault(self, system: str, message: DeliveredMessage) -> Fault | None:
        return next((fault for is_wrong, fault in self._checks(system, message) if is_wrong), None)

    def _checks(self, system: str, message: DeliveredMessage) -> Iterator[tuple[bool, Fault]]:
        properties = message.header.properties
        yield not _MESSAGE_ID.fullmatch(properties.message_id or ""), ("missing-property", "message_id")
        yield properties.user_id != system, ("missing-property", "user_id")
        yield not properties.message_type, ("missing-property", "type")
        yield properties.content_type != "application/json", ("missing-property", "content_type")
        yield len(message.body) > self._max_body, ("too-large", None)
        yield message.body.count(b",") > self._max_body // BYTES_A_VALUE, ("too-large", None)
        yield message.routing_key != properties.message_type, ("wrong-routing-key", "routing_key")


def _faulty(system: str, message: DeliveredMessage, code: str, field: str | None) -> Faulty:
    properties = message.header.properties
    named = _NAMEABLE.fullmatch(properties.message_id or "")
    message_id, digest = named.group() if named else None, _digest(message)
    outcome_id = derived_uuid("faulty", system, message_id or "", digest, code)
    return Faulty(system, code, field, message_id, properties.message_type, outcome_id)


def _unknown(queue: str) -> tuple[str, str]:
    return ("not-routable", "routing_key") if is_undelivered(queue) else ("unknown-type", "type")


def _shape_fault(error: ValidationError) -> tuple[str, str | None]:
    # As Python's own objects all of them would take many times as long, and a command may have thousands.
    all_of_them = error.json(include_url=False, include_input=False, include_context=False)
    first, _ = _DECODER.raw_decode(all_of_them, 1)
    if first["type"] == "json_invalid":
        return ("not-json", None)
    return ("wrong-shape", ".".join(str(step) for step in first["loc"]) or None)


def _digest(message: DeliveredMessage) -> str:
    kind = (message.header.properties.message_type or "").encode()
    return hashlib.blake2b(kind + b"\0" + message.body, digest_size=16).hexdigest()


def traceparent_of(message: DeliveredMessage) -> str | None:
    """Return where the sender's trace is, if it says so in the form of W3C Trace Context."""
    headers: Mapping[str, Any] = message.header.properties.headers or {}
    value = headers.get(tracing.HEADER)
    return str(value) if tracing.is_traceparent(value) else None
