"""Replicas come and go under a steady load: to scale a service, to roll it over, to go to another release and back.

What ten systems saw meanwhile must be whole: each command has one outcome, each inbox every version, each notice its
one mail, every chain holds, and nothing is parked. What each replica handled is read from its metrics before it goes.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import httpx

from bench.players import onboard
from deploy.local.exchange import Exchange, Replica, exchange
from tests.chaos.conservation import Violation, missing, violations, violations_inside
from tests.chaos.load import Load, address_of
from tests.chaos.mails import noting_mails
from tests.chaos.record import Record
from tests.chaos.run import PATIENCE, SYSTEMS, look, quiet, unsettled
from tests.chaos.stage import GATHER_FOR
from tests.chaos.systems import Stopwatch

_DELIVERIES: Final = re.compile(r'^imi_deliveries_total\{kind="([a-z.]+)"\} ([0-9.e+]+)$', re.MULTILINE)


@dataclass(frozen=True)
class Handled:
    """What one replica took, while it was there."""

    service: str
    release: str
    began: float
    ended: float
    deliveries: int


@dataclass
class Moving:
    """An exchange under load, whose replicas come and go."""

    exchange: Exchange
    clock: Stopwatch
    tell: Callable[[str], None]
    handled: list[Handled] = field(default_factory=list)
    slowest_end: float = 0.0
    """Seconds that the slowest to end took, asked to."""
    _began: dict[int, tuple[float, str]] = field(default_factory=dict)

    async def add(self, service: str, release: str = "this", **start: Any) -> Replica:
        """Start one more replica, and return when it is ready."""
        replica = await asyncio.to_thread(self.exchange.start, service, **start)
        self._began[id(replica)] = (self.clock(), release)
        await asyncio.to_thread(self.exchange.wait_until_ready, 120)
        return replica

    async def take_away(self, *replicas: Replica) -> None:
        """Ask replicas to end, and return when they have."""
        for replica in replicas:
            self.note(replica)
        asked = self.clock()
        await asyncio.to_thread(self.exchange.stop, *replicas)
        self.slowest_end = max(self.slowest_end, self.clock() - asked)

    def note(self, replica: Replica) -> None:
        """Note what a replica has handled so far."""
        began, release = self._began.get(id(replica), (0.0, "this"))
        metrics = httpx.get(f"{replica.url}/metrics", trust_env=False, timeout=10).text
        taken = sum(int(float(number)) for _, number in _DELIVERIES.findall(metrics))
        self.handled.append(Handled(replica.service, release, began, self.clock(), taken))

    def table(self) -> list[str]:
        """Return a line for each replica."""
        return [
            f"{one.service:<12} {one.release:<9} {one.began:6.1f} to {one.ended:6.1f} s: {one.deliveries:6} messages"
            for one in sorted(self.handled, key=lambda one: (one.service, one.began))
        ]


@dataclass(frozen=True)
class Seen:
    """What the systems had seen in the end."""

    record: Record
    found: list[Violation]
    handled: list[Handled]
    table: list[str]
    slowest_end: float


async def under_load(
    folder: Path,
    move: Callable[[Moving], Awaitable[None]],
    *,
    rate: float,
    seed: int,
    tell: Callable[[str], None],
    modules: Mapping[str, str] | None = None,
    settings: Mapping[str, Mapping[str, str]] | None = None,
) -> Seen:
    """Have whole cases begun, so many a second; `move` replicas meanwhile; let everything settle, and look."""
    record = Record()
    given = {"notifier": {"IMI_GATHER_FOR": f"PT{GATHER_FOR}S"}}
    own = {name: {**given.get(name, {}), **(settings or {}).get(name, {})} for name in {*given, *(settings or {})}}
    running = exchange(folder, own, modules=modules)
    started = await asyncio.to_thread(running.__enter__)
    try:
        asking, answering = await asyncio.to_thread(onboard, started)
        record.addresses = {one.system: address_of(one) for one in (*asking, *answering)}
        clock = Stopwatch()
        moving = Moving(started, clock, tell)
        load = Load(asking, answering, record, clock, seed)
        line = SimpleNamespace(port=started.addresses.amqp_port)
        load.begin({f"{name} rabbitmq": line for name in SYSTEMS}, rate)
        async with noting_mails(started, record, clock):
            try:
                await move(moving)
                await load.stop()
                standing = await _settle(started, record, clock)
            finally:
                await load.end()
        for replica in started.replicas:
            if replica.service != "provisioner":
                moving.note(replica)
        looked = await asyncio.to_thread(look, started)
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)
    found = [*standing, *violations(record), *violations_inside(record, looked)]
    return Seen(record, found, moving.handled, moving.table(), moving.slowest_end)


async def _settle(started: Exchange, record: Record, clock: Stopwatch) -> list[Violation]:
    """Wait until everything is there and the queues are empty; return what is wrong when they never are."""
    until = clock() + PATIENCE
    while clock() < until:
        if not missing(record) and await asyncio.to_thread(quiet, started):
            return []
        await asyncio.sleep(1)
    return [await asyncio.to_thread(unsettled, started)]


def figures(seen: Seen) -> dict[str, object]:
    """Return the last line, in JSON."""
    outcomes = {one.id for one in seen.record.outcomes()}
    handled = Counter[str]()
    for one in seen.handled:
        handled[one.service] += one.deliveries
    return {
        "commands": len(seen.record.commands),
        "outcomes": len(outcomes),
        "cases": len(seen.record.cases),
        "mails": len(seen.record.mails),
        "replicas": len(seen.handled),
        "handled": dict(handled),
        "slowest_end_s": round(seen.slowest_end, 1),
        "wrong": len(seen.found),
    }
