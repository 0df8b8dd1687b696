"""Messages of every shape, by the thousand: each has one outcome, or its place among what is parked."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from aiormq.abc import DeliveredMessage
from aiormq.exceptions import AMQPError
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from pydantic_core import from_json

from contracts.catalogue import COMMANDS
from contracts.topology import inbox_of
from tests.attack.shapes import HEADERS, PROPERTIES, TWISTS, Twisted, bodies, twisted
from tests.broker.raw import RawSystem, raw_system
from tests.world import World

_BATCH: Final = 200
_WITHIN: Final = 60.0
"""Seconds in which a batch must be answered."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """A message to send, and what is wrong with it."""

    kind: str
    twist: str
    body: bytes
    properties: dict[str, Any]


@dataclass
class Report:
    """What came of it."""

    sent: int = 0
    turned_away: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    """How many were done, or refused with which code."""
    unanswered: dict[str, Shaped] = field(default_factory=dict)
    several: list[str] = field(default_factory=list)
    """Ids of commands that had outcomes of more than one id."""


async def run(world: World, name: str, count: int, seed: int) -> Report:
    """Send `count` messages as the system `name`, a batch at a time, and wait for what becomes of each."""
    report, number = Report(), 0
    heard = defaultdict[str, dict[str, str]](dict)
    arrived = asyncio.Event()

    async def take(message: DeliveredMessage) -> None:
        body, properties = from_json(message.body), message.header.properties
        if body["kind"] == "outcome" and properties.correlation_id:
            heard[properties.correlation_id][str(properties.message_id)] = _ended(body)
            arrived.set()

    async with raw_system(world.url(name), name, listening=False) as system:
        await system.channel.basic_consume(inbox_of(name), take, no_ack=True)
        while number < count:
            batch = {f"fuzz-{seed}-{number + n}": one for n, one in enumerate(_batch(seed + number, world.ids[name]))}
            batch = dict(list(batch.items())[: count - number])
            number += len(batch)
            await _send(system, batch, report)
            await _answered(batch, heard, arrived, report)
    return report


async def _send(system: RawSystem, batch: dict[str, Shaped], report: Report) -> None:
    """Each is confirmed, or sent again when the lane was full."""
    left = dict(batch)
    while left:
        sends = (system.command(one.kind, one.body, key, **one.properties) for key, one in left.items())
        said = await asyncio.gather(*sends, return_exceptions=True)
        for other in (one for one in said if isinstance(one, BaseException) and not isinstance(one, AMQPError)):
            raise other
        report.sent += said.count(None)
        left = {key: one for (key, one), error in zip(left.items(), said, strict=True) if error}
        report.turned_away += len(left)
        await asyncio.sleep(0.05 if left else 0)


async def _answered(
    batch: dict[str, Shaped], heard: dict[str, dict[str, str]], arrived: asyncio.Event, report: Report
) -> None:
    try:
        async with asyncio.timeout(_WITHIN):
            while not batch.keys() <= heard.keys():
                arrived.clear()
                await arrived.wait()
    except TimeoutError:
        report.unanswered |= {message_id: one for message_id, one in batch.items() if message_id not in heard}
    for message_id in batch:
        ended = heard.pop(message_id, {})
        report.outcomes.update(list(ended.values())[:1])
        if len(ended) > 1:
            report.several.append(message_id)


def _ended(outcome: dict[str, Any]) -> str:
    return str(outcome["refused"]["code"]) if "refused" in outcome else "done"


def _batch(seed: int, own: str) -> Iterator[Shaped]:
    """The same for the same seed. Half of them speak for the sender's `own` authority, and so get further in."""
    made = list[Shaped]()
    kinds = st.sampled_from(sorted(COMMANDS))

    @seeded(seed)
    @settings(max_examples=_BATCH, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(kinds.flatmap(lambda kind: st.tuples(st.just(kind), bodies(COMMANDS[kind]))), twisted)
    def make(message: tuple[str, Any], how: Twisted) -> None:
        (kind, body), (twist, number, headers, properties) = message, how
        if number % 2 and "authority" in body:
            body["authority"] = own
        with_it = {**PROPERTIES[properties], "headers": dict(HEADERS[headers])}
        made.append(Shaped(kind, twist, TWISTS[twist](body, number), with_it))

    make()
    yield from made
