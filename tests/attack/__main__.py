"""Try every attack there is a name for, a hundred thousand shapes of messages, and more of everything than is fair.

All by a connected system's own valid account, against real servers. Exits with 1 when anything was gained, a message
had no outcome, a service restarted or grew beyond its bound, or the others had to wait four times as long as when all
is calm. The last line is JSON.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.measure import Usage, programs
from bench.plan import Player
from contracts.topology import SERVICES
from deploy.local.exchange import exchange
from tests.attack import fuzz, identity, reach, rights, volume
from tests.attack.named import ATTACKER, VICTIM, Attack
from tests.broker.management import depth
from tests.world import World, populate

console = Console(stderr=True)
RSS_MB: Final = 300
"""What a service may have at the most, whatever it is sent."""
_PART: Final = 5_000
"""Messages between two looks at the memory."""


@dataclass
class Result:
    """What was tried, and what came of it."""

    attacks: int = 0
    gained: list[str] = field(default_factory=list)
    fuzzed: int = 0
    unanswered: int = 0
    doubled: int = 0
    parked: int = 0
    restarted: list[str] = field(default_factory=list)
    rss_mb: dict[str, int] = field(default_factory=dict)
    calm_p99_ms: float = 0.0
    worst_ratio: float = 0.0
    polite_unanswered: int = 0
    case_ms: float = 0.0
    no_case_ms: float = 0.0

    def failures(self) -> Iterable[str]:
        """Say what must not be."""
        yield from (f"gained something: {name}" for name in self.gained)
        yield from (f"restarted: {name}" for name in self.restarted)
        yield from (f"{name} grew to {size} MB" for name, size in self.rss_mb.items() if size > RSS_MB)
        if self.unanswered > self.parked or self.doubled:
            yield f"{self.unanswered} messages without an outcome ({self.parked} parked), {self.doubled} with two"
        if self.worst_ratio > volume.GOAL or self.polite_unanswered:
            yield f"others waited {self.worst_ratio} times as long, {self.polite_unanswered} in vain"
        if volume.tells(self.case_ms, self.no_case_ms):
            yield f"time tells whether a case exists: {self.case_ms} ms, else {self.no_case_ms} ms"


def main() -> int:
    """Run all of it."""
    options, result = _options(), Result()
    with tempfile.TemporaryDirectory(prefix="attack-") as folder, exchange(Path(folder)) as running:
        before, world = programs(), populate(running)
        asyncio.run(_try_all(world, [*reach.ATTACKS, *identity.ATTACKS, *rights.ATTACKS], result))
        for seed in range(0, options.messages, _PART):
            _fuzz(world, min(_PART, options.messages - seed), options.seed + seed, result)
        _look_at_time(world, result)
        _overdo(world, options.seconds, result)
        result.restarted = [name for name, pid in before.items() if programs().get(name) != pid]
    wrong = list(result.failures())
    for line in wrong:
        console.print(f"[red]{line}")
    print(json.dumps(asdict(result)))
    return 1 if wrong else 0


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


def _fuzz(world: World, count: int, seed: int, result: Result) -> None:
    report = asyncio.run(fuzz.run(world, ATTACKER, count, seed))
    result.fuzzed += report.sent
    result.unanswered += len(report.unanswered)
    result.doubled += len(report.several)
    result.parked = sum(depth(world.exchange, f"{service}.parked") for service in SERVICES)
    memory = {name: size // 2**20 for name, size in Usage.now(programs()).rss.items() if name in SERVICES}
    result.rss_mb = {name: max(size, result.rss_mb.get(name, 0)) for name, size in memory.items()}
    for message_id, one in list(report.unanswered.items())[:5]:
        console.print(f"[red]no outcome: {message_id} {one.kind}, {one.twist}")
    ended = ", ".join(f"{name} {number}" for name, number in report.outcomes.most_common(6))
    console.print(f"{result.fuzzed} messages, {report.turned_away} turned away once: {ended}; MB {result.rss_mb}")


def _look_at_time(world: World, result: Result) -> None:
    case = asyncio.run(rights.a_case(world))
    result.case_ms, result.no_case_ms = asyncio.run(volume.timing(_player(world, ATTACKER), case))


def _overdo(world: World, seconds: float, result: Result) -> None:
    polite = [_player(world, name) for name in ("de-kammer", VICTIM)]
    result.calm_p99_ms, beside = volume.measured(polite, _player(world, ATTACKER), seconds)
    table = Table("beside", "p99 ms", "times calm", "unanswered")
    table.add_row("nothing", str(result.calm_p99_ms), "1", "0")
    for one in beside:
        table.add_row(one.name, str(one.p99_ms), str(one.ratio), str(one.unanswered))
    console.print(table)
    result.worst_ratio = max(one.ratio for one in beside)
    result.polite_unanswered = sum(one.unanswered for one in beside)


def _player(world: World, name: str) -> Player:
    return Player(system=name, url=world.url(name), authority=world.ids[name], language="de")


def _options() -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="shapes to send (%(default)s)")
    parser.add_argument("--seconds", type=float, default=15, help="of each flood (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the shapes (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
