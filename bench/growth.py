"""Does it stay as fast, and as small, as it grows? `python -m bench.growth`.

Whole cases, as `python -m bench` has them, with more and more stored cases, then authorities, then areas. The sizes of
each kind take turns, and each is compared with the smallest in the same turn: it may take at most 1.3 times the
processor for a case, and close at most 1.3 times fewer a second. What was added stays: authorities are added to the
most cases, areas to the most of both. Replicas read an area once: that is over before anything is measured. Then 20,000
commands at once. The memory of idle services is looked at before anything is stored, and with everything.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench import filling
from bench.burst import burst
from bench.measure import Usage, programs
from bench.plan import Load
from bench.players import onboard
from bench.report import GROUPS, machine
from bench.rounds import VARIANTS, Round, play, services
from bench.shelf import Client, Place, Shelf
from deploy.local.exchange import Exchange, exchange
from deploy.local.waiting import until

SLOWER: Final = 1.3
IDLE_MB: Final = 70.0
MOST_MB: Final = 200.0
"""What a service has at the most, also in a burst."""
BURST: Final = 20_000
KINDS: Final[Mapping[str, Sequence[Place]]] = {
    "cases": filling.CASES,
    "authorities": filling.AUTHORITIES,
    "areas": filling.AREAS,
}
_IDLE_FOR: Final = 10.0
_GATHER_FOR: Final = "PT5S"
"""So that what a round's cases tell is sent in the same round."""
_TOLD_WITHIN: Final = 90.0
_ALL_MET_WITHIN: Final = 20.0
"""Seconds in which replicas that have just started meet each of 200 areas, in nearly all languages that are read."""
_MUST_NOT_BE: Final = ("unanswered", "answered_twice", "refused")
_SERVICES: Final = frozenset(GROUPS["services"])

Figures = dict[str, Any]
console = Console(stderr=True, width=120)


def main() -> int:
    """Measure; the last line of standard output is the result in JSON."""
    options, settings = _options(), {"notifier": {"IMI_GATHER_FOR": _GATHER_FOR}}
    Path(".local").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="growth-", dir=".local") as folder,
        exchange(Path(folder), settings) as running,
    ):
        result = _Growth(running, options).measure()
    wrong = failures(result)
    for line in wrong:
        console.print(f"[red]{line}")
    print(json.dumps(result))
    return 1 if wrong else 0


class _Growth:
    """One exchange that grows."""

    def __init__(self, running: Exchange, options: argparse.Namespace) -> None:
        self._running = running
        self._options = options
        self._idle = _idle()
        asking, answering = onboard(running)
        running.stop(*(replica for name in VARIANTS["exchange"] for replica in running.of(name)))
        self._load = Load(
            asking=asking, answering=answering, in_flight=150, cases=50_000,
            warm_up=4, measured=options.seconds, drain=30,
        )  # fmt: skip

    def measure(self) -> Figures:
        """Return all figures."""
        result: Figures = {"idle_mb": self._idle}
        self._once("warming up")
        with filling.client(self._running) as databases:
            for kind in KINDS:
                result[kind] = self._grow(kind, databases, getattr(self._options, kind))
            with services(self._running):
                _wait_until_told(databases)
        with services(self._running):
            result["idle_full_mb"] = _idle()
            result["burst"] = asyncio.run(burst(self._load, self._options.burst)).figures()
        return {**result, "machine": machine()}

    def _grow(self, kind: str, databases: Client, sizes: Sequence[int]) -> Figures:
        shelf, began = Shelf(databases, KINDS[kind]), time.monotonic()
        for size in sizes:
            with console.status(f"filling up to {size:,} {kind}"):
                self._fill(kind, databases, shelf, size)
        filled, turns = time.monotonic() - began, list[dict[int, Round]]()
        for number in range(self._options.rounds):
            turns.append({})
            for size in sizes:
                self._bring(kind, databases, shelf, size)
                turns[-1][size] = self._once(f"{number + 1}/{self._options.rounds}: {size:,} {kind}")
        console.print(_table(kind, turns))
        return {"filled_in_s": round(filled, 1), **compared(turns)}

    def _fill(self, kind: str, databases: Client, shelf: Shelf, size: int) -> None:
        if kind == "cases":
            filling.cases(self._running, databases, shelf, size)
        elif kind == "authorities":
            filling.authorities(databases, shelf, size)
        else:
            filling.areas(databases, shelf, size)

    def _bring(self, kind: str, databases: Client, shelf: Shelf, size: int) -> None:
        """Have this size at hand: no service that keeps something of it runs."""
        if kind == "authorities":
            with self._without_registry():
                shelf.bring(size)
            return
        shelf.bring(size)
        if kind == "areas":
            codes = filling.codes_of(size)
            filling.entitle(databases, [one.authority for one in (*self._load.asking, *self._load.answering)], codes)
            self._load = self._load.model_copy(update={"areas": codes, "warm_up": _ALL_MET_WITHIN})

    @contextmanager
    def _without_registry(self) -> Iterator[None]:
        self._running.stop(*self._running.of("registry"))
        yield
        self._running.start("registry")
        self._running.wait_until_ready()

    def _once(self, what: str) -> Round:
        with console.status(what):
            return play(self._running, "exchange", self._load, lambda _closed, _seconds: None)


def compared(turns: Sequence[Mapping[int, Round]]) -> Figures:
    """Return the medians of each size, and how many times more the worst takes than the first, turn by turn."""
    sizes, first = list(turns[0]), next(iter(turns[0]))
    return {
        "cases_per_s": {str(size): round(median(one[size].cases_per_s for one in turns), 1) for size in sizes},
        "cpu_ms_per_case": {str(size): round(median(_used(one[size]) for one in turns), 2) for size in sizes},
        "p50_ms": {str(size): round(median(one[size].p50_ms for one in turns), 1) for size in sizes},
        "rss_mb": {str(size): _largest(one[size].rss_mb for one in turns) for size in sizes},
        "slower": max(
            round(median(one[first].cases_per_s / max(one[size].cases_per_s, 0.1) for one in turns), 2)
            for size in sizes
        ),
        "more_cpu": max(round(median(_used(one[size]) / _used(one[first]) for one in turns), 2) for size in sizes),
        "lost": sum(one.lost + one.doubled for turn in turns for one in turn.values()),
    }


def failures(result: Figures) -> list[str]:
    """Return in words what is not as it must be."""
    many = result["burst"]
    return [
        *(line for kind in KINDS if kind in result for line in _grown(kind, result[kind])),
        *(f"{many[what]} commands {what.replace('_', ' ')}" for what in _MUST_NOT_BE if many[what]),
        *_slower_when_many_wait(many["commands_per_s_by_quarter"]),
        *_too_large(result["idle_mb"], IDLE_MB, "idle"),
        *_too_large(result["idle_full_mb"], IDLE_MB, "idle, with everything stored"),
        *_too_large(many["peak_mb"], MOST_MB, "in a burst"),
    ]


def _grown(kind: str, figures: Figures) -> Iterator[str]:
    for what, times in (("slower", figures["slower"]), ("more processor for a case", figures["more_cpu"])):
        if times > SLOWER:
            yield f"with more {kind} {times} times {what}, not {SLOWER} at the most"
    if figures["lost"]:
        yield f"{kind}: {figures['lost']} lost or doubled"


def _slower_when_many_wait(by_quarter: Sequence[float]) -> Iterator[str]:
    """In the last quarter few wait: no other may be much slower."""
    if min(by_quarter) * SLOWER < by_quarter[-1]:
        yield f"commands/s by quarters of the burst: {', '.join(map(str, by_quarter))}"


def _too_large(megabytes: Mapping[str, float], most: float, when: str) -> Iterator[str]:
    for name in sorted(_SERVICES):
        if name not in megabytes:
            yield f"{name} was not measured {when}"
        elif megabytes[name] > most:
            yield f"{name} has {megabytes[name]} MB {when}, more than {most}"


def _idle() -> dict[str, float]:
    """Return the megabytes of every process once nothing has happened for a while."""
    time.sleep(_IDLE_FOR)
    return {name: round(size / 2**20, 1) for name, size in Usage.now(programs()).rss.items()}


def _wait_until_told(databases: Client) -> None:
    """Return when the notifier has sent what the rounds left it: else it would not be idle."""
    waits = databases["notifier"]["notices"]
    with suppress(TimeoutError):
        until(lambda: waits.find_one({"send_at": {"$exists": True}}) is None, "mails are left", _TOLD_WITHIN)


def _largest(many: Iterable[Mapping[str, float]]) -> dict[str, float]:
    largest = dict[str, float]()
    for one in many:
        for name in one:
            largest[name] = max(one[name], largest.get(name, 0.0))
    return largest


def _used(one: Round) -> float:
    return sum(used for name, used in one.cpu_ms_per_case.items() if name != "load")


def _table(kind: str, turns: Sequence[Mapping[int, Round]]) -> Table:
    names = ("rabbitmq", "mongodb", *VARIANTS["exchange"])
    table = Table(kind, "cases/s", "p50 ms", "CPU ms a case", *names)
    for size in turns[0]:
        some = [turn[size] for turn in turns]
        numbers = [
            median(of(one) for one in some) for of in (lambda one: one.cases_per_s, lambda one: one.p50_ms, _used)
        ]
        parts = [median(one.cpu_ms_per_case[name] for one in some) for name in names]
        table.add_row(f"{size:,}", *(f"{number:.1f}" for number in numbers), *(f"{part:.2f}" for part in parts))
    return table


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
