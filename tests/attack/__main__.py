"""Try every attack there is a name for, a hundred thousand shapes of messages, and more of everything than is fair.

All by a connected system's own valid account, against real servers. Exits with 1 when anything was gained, a message
had no outcome, a service restarted or grew beyond its bound, the others had to wait four times as long as when all is
calm, or there was less of an attack than is said. The last line is JSON.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.measure import peaks, programs
from bench.plan import Player
from contracts.topology import SERVICES, queues_of
from deploy.local.exchange import exchange
from deploy.local.rabbitmq import RabbitMQ
from tests.attack import confusion, fuzz, identity, journal, reach, rights, volume
from tests.attack.excess import BEYOND, WORST
from tests.attack.named import ATTACKER, VICTIM, Attack
from tests.broker.management import purge
from tests.world import World, populate

console = Console(stderr=True)
RSS_MB: Final = 300
"""What a service may have at the most, whatever it is sent."""
WATCHED: Final = {*SERVICES, "provisioner"}
POLITE: Final = ("de-kammer", VICTIM, "de-nimic", "hu-nimic")
_ROLL_OVER: Final = "ra_log_wal:force_roll_over(ra_log_wal)."
"""Told to the broker: it writes now to its queues' files what it has in its log, and not beside a later attack."""
_PART: Final = 5_000
"""Messages between two looks at the memory."""


@dataclass
class Result:
    """What was tried, and what came of it."""

    attacks: int = 0
    gained: list[str] = field(default_factory=list)
    messages: int = 0
    """How many shapes were to be sent; `fuzzed` is how many the broker took."""
    fuzzed: int = 0
    fuzzed_per_s: int = 0
    unanswered: int = 0
    doubled: int = 0
    parked: int = 0
    restarted: list[str] = field(default_factory=list)
    rss_mb: dict[str, int] = field(default_factory=dict)
    """The most memory that each service ever had."""
    p99_ms: dict[str, dict[str, float]] = field(default_factory=dict)
    """How long the others waited, by what went on beside them, and by what they asked."""
    excess: dict[str, dict[str, float]] = field(default_factory=dict)
    """How much there was of it, in the round in which there was least."""
    lacking: list[str] = field(default_factory=list)
    """Of what there was less than is said, and how much less."""
    worst_ratio: float = 0.0
    saturated_ratio: float = 0.0
    """When the broker has no processor left: not bounded."""
    polite_unanswered: int = 0
    case_ms: float = 0.0
    no_case_ms: float = 0.0

    def failures(self) -> Iterable[str]:
        """Say what must not be."""
        yield from (f"gained something: {name}" for name in self.gained)
        yield from (f"restarted: {name}" for name in self.restarted)
        yield from (f"{name} grew to {size} MB" for name, size in self.rss_mb.items() if size > RSS_MB)
        yield from (f"nobody knows what {name} grew to" for name in sorted(WATCHED - self.rss_mb.keys()))
        yield from (f"less than it says: {what}" for what in self.lacking)
        if self.fuzzed != self.messages:
            yield f"{self.fuzzed} messages instead of {self.messages}"
        if self.unanswered or self.doubled:
            yield f"{self.unanswered} messages neither answered nor parked, {self.doubled} with two outcomes"
        if self.worst_ratio > volume.GOAL or self.polite_unanswered:
            yield f"others waited {self.worst_ratio} times as long, {self.polite_unanswered} in vain"
        if volume.tells(self.case_ms, self.no_case_ms):
            yield f"time tells whether a case exists: {self.case_ms} ms, else {self.no_case_ms} ms"


def main() -> int:
    """Run all of it."""
    options, result = _options(), Result()
    with tempfile.TemporaryDirectory(prefix="attack-") as folder, exchange(Path(folder)) as running:
        before, world = programs(), populate(running)
        for part in options.parts:
            PARTS[part](world, options, result)
        result.restarted = [name for name, pid in before.items() if programs().get(name) != pid]
        result.rss_mb = _largest()
    wrong = list(result.failures())
    for line in wrong:
        console.print(f"[red]{line}")
    print(json.dumps(asdict(result)))
    return 1 if wrong else 0


def _named(world: World, _: Any, result: Result) -> None:
    parts = (reach, identity, rights, confusion, journal)
    asyncio.run(_try_all(world, [attack for part in parts for attack in part.ATTACKS], result))


async def _try_all(world: World, attacks: list[Attack], result: Result) -> None:
    table = Table("attack", "would have gained", "")
    for attack in attacks:
        result.attacks += 1
        try:
            await attack.run(world)
            table.add_row(attack.name, attack.gain, "[green]nothing")
        except Exception as error:  # noqa: BLE001 - whatever it was, the next is tried too
            result.gained.append(attack.name)
            table.add_row(attack.name, attack.gain, f"[red]{type(error).__name__}")
    console.print(table)


def _shapes(world: World, options: Any, result: Result) -> None:
    def note(report: fuzz.Report) -> None:
        if report.sent % _PART < fuzz.BATCH:
            console.print(f"{report.sent} messages, {report.turned_away} turned away once; MB {_largest()}")

    began = time.monotonic()
    report = asyncio.run(fuzz.run(world, ATTACKER, options.messages, options.seed, note))
    parked = {one for one in asyncio.run(fuzz.parked(world)) if one.startswith(fuzz.PREFIX)}
    lost = {key: one for key, one in report.unanswered.items() if key not in parked}
    result.messages = options.messages
    result.fuzzed, result.fuzzed_per_s = report.sent, round(report.sent / (time.monotonic() - began))
    result.unanswered, result.doubled, result.parked = len(lost), len(report.several), len(parked)
    for message_id, one in list(lost.items())[:5]:
        console.print(f"[red]no outcome: {message_id} {one.kind}, {one.twist}")
    console.print(", ".join(f"{name} {number}" for name, number in report.outcomes.most_common()))


def _time(world: World, _: Any, result: Result) -> None:
    case = asyncio.run(rights.a_case(world))
    result.case_ms, result.no_case_ms = asyncio.run(volume.timing(_player(world, ATTACKER), case))


def _volume(world: World, options: Any, result: Result) -> None:
    polite = [_player(world, name) for name in POLITE]
    table = Table("beside", "at least", "p99 ms", "times calm", "the broker's confirm, p99 ms", "unanswered")

    def clear() -> None:
        for queue in queues_of(ATTACKER):
            purge(world.exchange, queue)
        broker = world.exchange.servers.rabbitmq
        if isinstance(broker, RabbitMQ):
            broker.control("eval", _ROLL_OVER)

    for one in volume.measured(polite, _player(world, ATTACKER), options.seconds, options.rounds, clear):
        p99 = " / ".join(str(value) for value in one.p99_ms.values())
        table.add_row(one.name, one.extent, p99, str(one.ratio), str(one.confirmed_p99_ms), str(one.unanswered))
        result.p99_ms[one.name] = dict(one.p99_ms)
        _beside(one, result)
        if one.name in BEYOND:
            result.saturated_ratio = max(result.saturated_ratio, one.ratio)
        else:
            result.worst_ratio = max(result.worst_ratio, one.ratio)
        result.polite_unanswered += one.unanswered
    console.print(table)


def _beside(one: volume.Measured, result: Result) -> None:
    if one.beside:
        result.excess[one.name] = {"per_s": one.beside.per_s, "held": one.beside.held}
        lacks = (WORST | BEYOND)[one.name].lacks(one.beside)
        result.lacking += [f"{one.name}: {lacks}"] if lacks else []


def _largest() -> dict[str, int]:
    return {name: size // 2**20 for name, size in peaks(programs()).items() if name in WATCHED}


def _player(world: World, name: str) -> Player:
    return Player(system=name, url=world.url(name), authority=world.ids[name], language="de")


def _options() -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="shapes to send (%(default)s)")
    parser.add_argument("--seconds", type=float, default=6, help="of each flood in each round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of calm and every flood in turn (%(default)s)")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="of it (all)")
    parser.add_argument("--seed", type=int, default=1, help="of the shapes (%(default)s)")
    return parser.parse_args()


PARTS: Final = {"named": _named, "shapes": _shapes, "time": _time, "volume": _volume}

if __name__ == "__main__":
    sys.exit(main())
