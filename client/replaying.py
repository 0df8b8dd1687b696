"""What was parked is handled again, or discarded: at a bounded rate, on record, and never lost in between.

First it is written down who does it, then the message goes where it belongs, then it leaves the parked queue. A crash
in between leads to the same message twice, with the same id: its service finds that it has been done.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from aiormq.abc import DeliveredMessage

from client.parked import Parked, listed, parked_from
from client.wire import Again, NowhereToGo, Pace, Wire
from contracts.topology import REPLAYS, again_lane_of, destinations_of, expired_lane_of, parked_queue_of, system_of

HELD_FOR: Final = 20.0
"""Seconds for which messages are held, more or less, before what was not handled again goes back for a while."""
_LOOKS: Final = 4
"""How often one looks in vain: what went back is not there again at once."""
_LOOK_AGAIN_AFTER: Final = 0.5
RECORD: Final = "exchange.replay_record.v1"

Work = Literal["replay", "discard", "drop"]
"""`discard` refuses a command, so that its sender knows; `drop` tells nobody."""
Came = Literal["replayed", "discarded", "nowhere"]


@dataclass(frozen=True, slots=True)
class Order:
    """What to do to which messages, who says so and why, and how many a second."""

    work: Work
    chosen: Callable[[Parked], bool]
    by: str
    why: str = ""
    rate: float = 50.0
    at_most: int = 10_000


async def carry_out(wire: Wire, services: Sequence[str], order: Order) -> AsyncIterator[tuple[Parked, Came]]:
    """Yield what came of each message that was chosen. One that has nowhere to go stays where it is.

    What is parked again meanwhile is left for another time. However long it takes at this rate, nothing is held for
    long: every so often all goes back, and is taken anew. Raises as `Wire.handle_again`.
    """
    pace = Pace(order.rate)
    for service in services:
        found = await listed(wire, (service,), order.at_most)
        left = Counter(one.id for one in found if order.chosen(one))
        looks = 0
        while left and looks < _LOOKS:
            await asyncio.sleep(looks * _LOOK_AGAIN_AFTER)
            looks += 1
            async for parked, came in _some(wire, service, order, left, pace):
                looks = 0
                yield parked, came


async def _some(
    wire: Wire, service: str, order: Order, left: Counter[str], pace: Pace
) -> AsyncIterator[tuple[Parked, Came]]:
    """Yield what came of those `left` that are found within some seconds, and count them out."""
    loop = asyncio.get_running_loop()
    until = loop.time() + HELD_FOR
    async with aclosing(wire.held(parked_queue_of(service), order.at_most)) as held:
        async for message in held:
            parked = parked_from(service, message)
            if not left[parked.id]:
                continue
            await pace.wait()
            came = await _carry_out(wire, parked, message, order)
            left -= Counter([parked.id])
            yield parked, came
            if loop.time() > until or not left:
                return


async def _carry_out(wire: Wire, parked: Parked, message: DeliveredMessage, order: Order) -> Came:
    await wire.say(REPLAYS, RECORD, _record(parked, order))
    try:
        for again in agains_of(parked, message, order.work):
            await wire.handle_again(again)
    except NowhereToGo:
        return "nowhere"
    await wire.acknowledge(message)
    return "replayed" if order.work == "replay" else "discarded"


def _record(parked: Parked, order: Order) -> dict[str, str]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "by": order.by,
        "what": order.work,
        "why": order.why,
        "service": parked.service,
        "fault": parked.fingerprint,
        "reason": parked.reason,
        "type": parked.type,
        "sender": parked.user,
        "message": parked.message_id,
        "parked": parked.id,
    }


def agains_of(parked: Parked, message: DeliveredMessage, work: Work) -> list[Again]:
    """Where the message goes: a command to the lane for that, with its sender's name; all else where it had been."""
    headers = message.header.properties.headers or {}
    message_id = str(headers.get("imi-message-id", message.header.properties.message_id or "")) or None

    def again(queue: str, known: Mapping[str, str] | None = None) -> Again:
        return Again(queue, message.header.properties.message_type or "", message.body, message_id, known or {})

    lane, key, user = str(headers.get("imi-queue", "")), str(headers.get("imi-routing-key", "")), parked.user
    if work == "drop" or (work == "discard" and not parked.is_command):
        return []
    if work == "discard":  # taken as expired: it may have been carried out, and must not be begun
        expired = expired_lane_of(parked.service)
        sender = user or ("" if lane == expired else system_of(lane))
        return [again(again_lane_of(parked.service), came_first(expired, key, sender))]
    if parked.is_command:
        return [again(again_lane_of(parked.service), came_first(lane, key, str(headers.get("imi-user", ""))))]
    if parked.reason != "unroutable":
        return [again(lane)]
    queues = destinations_of(parked.service, key)
    if not queues:
        raise NowhereToGo(key)
    return [again(queue) for queue in queues]


def came_first(lane: str, routing_key: str, user: str) -> dict[str, str]:
    """Return the headers that tell a service by which lane, under which key and from whom a command had come."""
    return {"imi-queue": lane, "imi-routing-key": routing_key, "imi-user": user}


async def history(wire: Wire) -> list[dict[str, str]]:
    """Return the record of all that was replayed and discarded, the oldest first."""
    found = [message async for message in wire.stream(REPLAYS)]
    return [json.loads(one.body) for one in found if one.header.properties.message_type == RECORD]
