"""Does it stay as fast, and as small, as it grows? `python -m bench.growth`.

Whole cases, as `python -m bench` has them, with more and more stored cases, then authorities, then areas: each may be
at most 1.3 times slower than the first of its kind. Before, the memory of idle services; after, a burst of 20,000
commands at once. What is stored are copies of what is there, written to the databases while no service runs.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench import filling
from bench.burst import burst
from bench.measure import Usage, programs
from bench.plan import AREA, Load
from bench.players import onboard
from bench.report import machine
from bench.rounds import VARIANTS, Round, play, services
from deploy.local.exchange import Exchange, exchange

SLOWER: Final = 1.3
IDLE_MB: Final = 70.0
MOST_MB: Final = 200.0
"""What a service has at the most, also in a burst."""
BURST: Final = 20_000
FEW: Final = 2_000
"""Commands of the burst with whose speed the large one's is compared."""
_IDLE_FOR: Final = 10.0
_SERVERS: Final = frozenset({"rabbitmq", "mongodb"})

Figures = dict[str, Any]
console = Console(stderr=True, width=120)


def main() -> int:
    """Measure; the last line of standard output is the result in JSON."""
    options = _options()
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="growth-", dir=".local") as folder, exchange(Path(folder)) as running:
        result = _Growth(running, options).measure()
    for line in failures(result):
        console.print(f"[red]{line}")
    print(json.dumps(result))
    return 1 if failures(result) else 0


class _Growth:
    """One exchange that grows."""

    def __init__(self, running: Exchange, options: argparse.Namespace) -> None:
        self._running = running
        self._options = options
        time.sleep(_IDLE_FOR)
        self._idle = _megabytes()
        asking, answering = onboard(running)
        running.stop(*(replica for name in VARIANTS["exchange"] for replica in running.of(name)))
        self._load = Load(
            asking=asking, answering=answering, in_flight=150, cases=50_000,
            warm_up=4, measured=options.seconds, drain=30,
        )  # fmt: skip

    def measure(self) -> Figures:
        result: Figures = {"idle_mb": self._idle}
        with filling.client(self._running) as databases:
            self._once("warming up")
            sizes = self._options.cases
            result["cases"] = self._grow("cases", sizes, lambda size: filling.cases(databases, size))
            sizes = self._options.authorities
            result["authorities"] = self._grow("authorities", sizes, lambda size: filling.authorities(databases, size))
            result["areas"] = self._grow("areas", self._options.areas, lambda size: self._publish(databases, size))
        with services(self._running):
            result["burst"] = [asyncio.run(burst(self._load, many)).figures() for many in (FEW, self._options.burst)]
        return {**result, "machine": machine()}

    def _grow(self, what: str, sizes: Sequence[int], grow: Callable[[int], None]) -> Figures:
        rounds = dict[int, list[Round]]()
        for size in sizes:
            with console.status(f"filling up to {size:,} {what}"):
                grow(size)
            self._once(f"{size:,} {what}, warming up")
            rounds[size] = [self._once(f"{size:,} {what}") for _ in range(self._options.rounds)]
        _show(what, rounds)
        rates = {size: median(one.cases_per_s for one in some) for size, some in rounds.items()}
        used = {size: median(_used(one) for one in some) for size, some in rounds.items()}
        first = sizes[0]
        return {
            "cases_per_s": {str(size): round(rate, 1) for size, rate in rates.items()},
            "cpu_ms_per_case": {str(size): round(one, 2) for size, one in used.items()},
            "p50_ms": {str(size): round(median(one.p50_ms for one in some), 1) for size, some in rounds.items()},
            "slower": round(max(rates[first] / max(rate, 0.1) for rate in rates.values()), 2),
            "more_cpu": round(max(one / used[first] for one in used.values()), 2),
            "lost": sum(one.lost + one.doubled for some in rounds.values() for one in some),
        }

    def _publish(self, databases: filling.Client, size: int) -> None:
        there = self._load.areas
        more = [f"{AREA}-{number}" for number in range(len(there), size)]
        filling.areas(databases, more)
        self._load = self._load.model_copy(update={"areas": [*there, *more]})

    def _once(self, what: str) -> Round:
        with console.status(what):
            return play(self._running, "exchange", self._load, lambda _closed, _seconds: None)


def failures(result: Figures) -> list[str]:
    """Return in words what is not as it must be."""
    wrong = [
        f"with more {what} {result[what]['slower']} times slower, not {SLOWER} at the most"
        for what in ("cases", "authorities", "areas")
        if result[what]["slower"] > SLOWER
    ]
    wrong += [
        f"{what}: {result[what]['lost']} lost or doubled"
        for what in ("cases", "authorities", "areas")
        if result[what]["lost"]
    ]
    few, many = result["burst"]
    if many["commands_per_s"] * SLOWER < few["commands_per_s"]:
        wrong.append(f"{many['commands_per_s']} commands/s in a burst, {few['commands_per_s']} in a small one")
    wrong += [
        f"{many[what]} commands {what.replace('_', ' ')}" for what in ("unanswered", "answered_twice") if many[what]
    ]
    return (
        wrong
        + list(_too_large(result["idle_mb"], IDLE_MB, "idle"))
        + list(_too_large(many["peak_mb"], MOST_MB, "in a burst"))
    )


def _too_large(megabytes: dict[str, float], most: float, when: str) -> Iterator[str]:
    for name, size in megabytes.items():
        if name not in _SERVERS and size > most:
            yield f"{name} has {size} MB {when}, more than {most}"


def _megabytes() -> dict[str, float]:
    return {name: round(size / 2**20, 1) for name, size in Usage.now(programs()).rss.items()}


def _used(one: Round) -> float:
    return sum(used for name, used in one.cpu_ms_per_case.items() if name != "load")


def _show(what: str, rounds: dict[int, list[Round]]) -> None:
    table = Table(what, "cases/s", "p50 ms", "CPU ms a case")
    for size, some in rounds.items():
        numbers = (median(one.cases_per_s for one in some), median(one.p50_ms for one in some))
        table.add_row(f"{size:,}", *(f"{number:.1f}" for number in (*numbers, median(_used(one) for one in some))))
    console.print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--cases", type=int, nargs="+", default=[0, 100_000, 1_000_000], help="stored (%(default)s)")
    parser.add_argument("--authorities", type=int, nargs="+", default=[5_000, 100_000], help="known (%(default)s)")
    parser.add_argument("--areas", type=int, nargs="+", default=[1, 10, 200], help="published (%(default)s)")
    parser.add_argument("--burst", type=int, default=BURST, help="commands at once (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each size (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="measured in a round (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
