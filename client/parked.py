"""What the exchange could not handle: found, and grouped by what went wrong.

Nothing here looks into a message: what it says may be personal. Who sent it, by which lane, what went wrong and where
stands in headers of the service's own, in a queue that the service alone may write.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiormq.abc import DeliveredMessage

from client.wire import Wire
from contracts.topology import SERVICES, parked_queue_of

PARKING: Final = (*SERVICES, "provisioner")
_LANES: Final = ("commands", "undelivered", "expired")
_LONGEST: Final = 120


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that could not be handled, without what it says."""

    service: str
    id: str
    """Its own, by which it is named here."""
    reason: str
    place: str
    type: str
    queue: str
    """By which it had come."""
    routing_key: str
    user: str
    message_id: str
    """Its sender's id of it."""
    at: datetime | None
    size: int

    @property
    def came_by(self) -> str:
        """The kind of queue: `casework.commands`, whichever system's."""
        return ".".join(self.queue.split(".")[:2])

    @property
    def is_command(self) -> bool:
        """Whether a connected system waits for its outcome."""
        return self.came_by.split(".")[-1] in _LANES and self.reason != "unroutable"

    @property
    def fingerprint(self) -> str:
        """Eight characters that all messages have in common which failed in the same way."""
        parts = (self.service, self.reason, self.place, self.type, self.came_by)
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=4).hexdigest()

    def fits(self, names: Sequence[str]) -> bool:
        """Whether one of `names` is its id or its fingerprint; without names everything fits."""
        return not names or self.fingerprint in names or self.id in names


@dataclass(frozen=True, slots=True)
class Group:
    """All that failed in the same way."""

    fingerprint: str
    example: Parked
    count: int
    first: datetime | None
    last: datetime | None


def parked_from(service: str, message: DeliveredMessage) -> Parked:
    """Return what the headers say of a message. Whatever a sender may have chosen is made safe to be printed."""
    properties = message.header.properties
    headers: Mapping[str, Any] = properties.headers or {}
    own = str(properties.message_id or "")

    def said(name: str, otherwise: str = "") -> str:
        return _printable(str(headers.get(name, otherwise)))

    return Parked(
        service=service,
        id=_printable(own),
        reason=said("imi-reason", "unknown"),
        place=said("imi-place"),
        type=_printable(properties.message_type or ""),
        queue=said("imi-queue"),
        routing_key=said("imi-routing-key"),
        user=said("imi-user"),
        message_id=said("imi-message-id", own),
        at=properties.timestamp.replace(tzinfo=UTC) if properties.timestamp else None,
        size=len(message.body),
    )


async def listed(wire: Wire, services: Sequence[str], at_most: int) -> list[Parked]:
    """Return what is parked. While it is being read, nobody else sees it; nothing is taken away."""
    return [
        parked_from(service, message)
        for service in services
        async for message in wire.held(parked_queue_of(service), at_most)
    ]


def groups_of(parked: Iterable[Parked]) -> list[Group]:
    """Return what failed in the same way together, the largest group first."""
    by = dict[str, list[Parked]]()
    for one in parked:
        by.setdefault(one.fingerprint, []).append(one)
    groups = [_group(fingerprint, some) for fingerprint, some in by.items()]
    return sorted(groups, key=lambda group: (-group.count, group.fingerprint))


def _group(fingerprint: str, some: Sequence[Parked]) -> Group:
    times = sorted(one.at for one in some if one.at)
    return Group(fingerprint, some[0], len(some), times[0] if times else None, times[-1] if times else None)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:_LONGEST])
