"""Messages of every shape, by the thousand: each has one outcome, or its place among what is parked."""

import asyncio
import multiprocessing
import random
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from aiormq.abc import DeliveredMessage
from aiormq.exceptions import DeliveryError
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from pydantic_core import from_json

from client.wire import open_wire
from contracts.catalogue import COMMANDS
from contracts.topology import OPERATOR, PARKED_LENGTH, SERVICES, inbox_of, parked_queue_of
from tests.attack.shapes import HEADERS, PLAIN, PROPERTIES, TWISTS, bodies
from tests.broker.raw import RawSystem, raw_system
from tests.world import World

PREFIX: Final = "fuzz-"
"""Of the ids of what is sent."""
BATCH: Final = 400
_AHEAD: Final = 5
"""Batches that are made before they are sent, and that are sent before the first of them is answered."""
_WITHIN: Final = 60.0
"""Seconds in which a batch must be answered, once those before it are."""


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


Note = Callable[[Report], None]
"""Is told from time to time how far it is."""


async def run(world: World, name: str, count: int, seed: int, note: Note = lambda _: None) -> Report:
    """Send `count` messages as the system `name`, a few batches at a time, and wait for what becomes of each."""
    report, heard, under_way = Report(), Heard(), deque[dict[str, Shaped]]()
    async with raw_system(world.url(name), name, listening=False) as system:
        await system.channel.basic_consume(inbox_of(name), heard.take, no_ack=True)
        async for number, batch in _batches(count, seed, world.ids[name]):
            under_way.append({f"{PREFIX}{seed}-{number + n}": one for n, one in enumerate(batch)})
            await _send(system, under_way[-1], report)
            if len(under_way) > _AHEAD:
                report.unanswered |= await heard.missing(under_way.popleft())
            note(report)
        for rest in under_way:
            report.unanswered |= await heard.missing(rest)
    report.unanswered = {key: one for key, one in report.unanswered.items() if key not in heard.ended}
    report.several = [key for key, outcomes in heard.ended.items() if len(outcomes) > 1]
    report.outcomes.update(next(iter(outcomes.values())) for outcomes in heard.ended.values())
    return report


async def parked(world: World) -> set[str]:
    """Return the ids of the commands that services have parked; they stay there."""
    async with open_wire(world.url(OPERATOR)) as wire:
        queues = [parked_queue_of(service) for service in SERVICES]
        held = [message for queue in queues async for message in wire.held(queue, PARKED_LENGTH)]
    return {str((one.header.properties.headers or {}).get("imi-message-id")) for one in held}


class Heard:
    """What came to the inbox, to the very end: a second outcome may come long after the first."""

    def __init__(self) -> None:
        """Nothing has come."""
        self.ended = defaultdict[str, dict[str, str]](dict)
        """By the command's id: how it ended, by the outcome's id."""
        self._arrived = asyncio.Event()

    async def take(self, message: DeliveredMessage) -> None:
        """Note an outcome."""
        body, properties = from_json(message.body), message.header.properties
        if body["kind"] == "outcome" and properties.correlation_id:
            self.ended[properties.correlation_id][str(properties.message_id)] = _ended(body)
            self._arrived.set()

    async def missing(self, batch: Mapping[str, Shaped]) -> dict[str, Shaped]:
        """Return what has no outcome, when all have one or it has taken too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_WITHIN):
                while not batch.keys() <= self.ended.keys():
                    self._arrived.clear()
                    await self._arrived.wait()
        return {message_id: one for message_id, one in batch.items() if message_id not in self.ended}


async def _batches(count: int, seed: int, own: str) -> AsyncIterator[tuple[int, list[Shaped]]]:
    """Yield what to send, and how much went before. It is made in another process, ahead of what is sent."""
    loop, starts = asyncio.get_running_loop(), range(0, count, BATCH)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as making:
        ahead = deque[tuple[int, asyncio.Future[list[Shaped]]]]()
        for start in [*starts, *[None] * _AHEAD]:
            if start is not None:
                most = min(BATCH, count - start)
                ahead.append((start, loop.run_in_executor(making, _batch, seed + start, own, most)))
            if ahead and (start is None or len(ahead) > _AHEAD):
                number, made = ahead.popleft()
                yield number, await made


async def _send(system: RawSystem, batch: dict[str, Shaped], report: Report) -> None:
    """Each is confirmed, or sent again when the lane was full."""
    left = dict(batch)
    while left:
        sends = (system.command(one.kind, one.body, key, **one.properties) for key, one in left.items())
        said = await asyncio.gather(*sends, return_exceptions=True)
        for other in (one for one in said if isinstance(one, BaseException) and not isinstance(one, DeliveryError)):
            raise other
        report.sent += len(said) - sum(isinstance(one, DeliveryError) for one in said)
        left = {key: one for (key, one), error in zip(left.items(), said, strict=True) if error is not None}
        report.turned_away += len(left)
        await asyncio.sleep(0.05 if left else 0)


def _ended(outcome: dict[str, Any]) -> str:
    return str(outcome["refused"]["code"]) if "refused" in outcome else "done"


def _batch(seed: int, own: str, count: int) -> list[Shaped]:
    """Each body as it is, and twisted; the same for the same seed. Half speak for the sender's `own` authority."""
    made, chance = list[Shaped](), random.Random(seed)
    kinds = st.sampled_from(sorted(COMMANDS))

    @seeded(seed)
    @settings(max_examples=BATCH // 2, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(kinds.flatmap(lambda kind: st.tuples(st.just(kind), bodies(COMMANDS[kind]))))
    def make(message: tuple[str, Any]) -> None:
        kind, body = message
        if chance.random() < 1 / 2 and "authority" in body:
            body["authority"] = own
        made.extend(_shaped(kind, body, twist, chance) for twist in (PLAIN, chance.choice(sorted(TWISTS))))

    make()
    return made[:count]


def _shaped(kind: str, body: Any, twist: str, chance: random.Random) -> Shaped:
    """Twisted at any place, with any of the properties and headers."""
    properties, headers = (chance.choice(list(one.values())) for one in (PROPERTIES, HEADERS))
    return Shaped(kind, twist, TWISTS[twist](body, chance.randrange(1_000)), {**properties, "headers": dict(headers)})
