"""Commands of the last days are played again from the journal, in the order in which they came: after a restore."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from aiormq.abc import DeliveredMessage

from client.replaying import RECORD, came_first
from client.system import System
from client.wire import MARK, Again, Pace, Wire
from contracts.catalogue import CHANGES
from contracts.topology import EXPIRED, JOURNAL, OPERATOR, REPLAYS, again_lane_of, exchange_of, expired_lane_of

Key = tuple[str, str]
"""A system and its id of a command."""

_IN: Final = exchange_of("")
BARRIER_WITHIN: Final = 600.0
"""Seconds within which a service must have worked off what was played last."""


async def commands(wire: Wire, service: str, since: datetime) -> AsyncIterator[DeliveredMessage]:
    """Yield the commands to a service that change something, as they came since a moment or somewhat earlier."""
    async for message in wire.stream(JOURNAL, since):
        kind = message.header.properties.message_type
        if kind in CHANGES[service] and message.routing_key == kind and (message.exchange or "").startswith(_IN):
            yield message


async def expired(wire: Wire, service: str, since: datetime) -> set[Key]:
    """Return which commands to a service expired in their lanes since then, by the broker's word."""
    return {
        _key(message.header.properties.user_id, message.header.properties.message_id)
        async for message in wire.stream(JOURNAL, since)
        if message.exchange == EXPIRED and message.header.properties.message_type in CHANGES[service]
    }


async def count(wire: Wire, service: str, since: datetime) -> Counter[str]:
    """Return how many of each type there are to be played again."""
    return Counter([str(one.header.properties.message_type) async for one in commands(wire, service, since)])


async def replay(wire: Wire, service: str, since: datetime, by: str, rate: float) -> Counter[str]:
    """Play the commands again, in their order, and return how many of each type when the broker has them safe.

    Each is its sender's, under its own id: what had been done before the backup is not done twice, and what had expired
    comes as expired. Raises as `Wire.handle_again` and `Wire.stream`.
    """
    await wire.say(REPLAYS, RECORD, _record(service, since, by))
    too_late = await expired(wire, service, since)
    pace, played = Pace(rate), Counter[str]()
    async for message in commands(wire, service, since):
        await pace.wait()
        await wire.handle_again(_again(service, message, too_late))
        played[str(message.header.properties.message_type)] += 1
    return played


async def worked_off(wire: Wire, operator: System, service: str) -> None:
    """Return when the service has decided on all that was played so far. Raises `TimeoutError`.

    It takes what it is to handle again in order: when it has refused what is no command, it is through.
    """
    message_id = str(uuid.uuid4())
    lane = came_first(f"{service}.commands.{OPERATOR}", MARK, OPERATOR)
    async with operator.awaiting(message_id, BARRIER_WITHIN) as refused:
        await wire.handle_again(Again(again_lane_of(service), MARK, b"{}", message_id, lane))
        await refused


def _again(service: str, message: DeliveredMessage, too_late: set[Key]) -> Again:
    properties = message.header.properties
    system = (message.exchange or "").removeprefix(_IN)  # the broker's word: nobody else may write there
    has_expired = _key(properties.user_id, properties.message_id) in too_late
    lane = expired_lane_of(service) if has_expired else f"{service}.commands.{system}"
    first = came_first(lane, message.routing_key or "", properties.user_id or "")
    return Again(again_lane_of(service), properties.message_type or "", message.body, properties.message_id, first)


def _key(user: str | None, message_id: str | None) -> Key:
    # In the exchange that a system writes the broker takes no name but its own: two systems' ids are kept apart.
    return user or "", message_id or ""


def _record(service: str, since: datetime, by: str) -> dict[str, str]:
    empty = dict.fromkeys(("fault", "reason", "type", "sender", "message", "parked"), "")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return empty | {"at": now, "by": by, "what": "journal", "why": f"since {since.isoformat()}", "service": service}
