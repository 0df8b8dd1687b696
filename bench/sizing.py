"""What an operations team sizes by: `python -m bench.sizing`.

Whole cases a second with one replica of each service, with two of casework, two of translation, and two of both; what
a case costs each process, what each process takes of memory, and how many bytes a case leaves in each database. All in
one run on the same servers. The last line is JSON; the exit status is 1 when a message was lost or doubled.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bench.plan import Load
from bench.players import onboard
from bench.report import machine
from bench.rounds import VARIANTS, Round, play
from contracts.topology import SERVICES
from deploy.local.exchange import Exchange, exchange

STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "one of each": (),
    "two of casework": ("casework",),
    "two of translation": ("translation",),
    "two of both": ("casework", "translation"),
}
"""Which services have one replica more."""


def main() -> int:
    """Measure, and tell."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="sizing-") as folder, exchange(Path(folder)) as running:
        asking, answering = onboard(running)
        running.stop(*(replica for name in VARIANTS["exchange"] for replica in running.of(name)))
        load = Load(
            asking=asking,
            answering=answering,
            in_flight=150,
            cases=100_000,
            warm_up=4,
            measured=options.seconds,
            drain=30,
        )
        before = _bytes(running)
        rounds = {name: _round(running, load, more) for name, more in STEPS.items()}
        after = _bytes(running)
    begun = sum(one.begun for one in rounds.values())
    first = rounds["one of each"]
    result: dict[str, Any] = {
        "cases_per_s": {name: round(one.cases_per_s, 1) for name, one in rounds.items()},
        "cpu_ms_per_case": first.cpu_ms_per_case,
        "rss_mb": first.rss_mb,
        "bytes_per_case": {name: round((after[name] - before[name]) / max(begun, 1)) for name in SERVICES},
        "cases": begun,
        "lost": sum(one.lost for one in rounds.values()),
        "doubled": sum(one.doubled for one in rounds.values()),
        "machine": machine(),
    }
    Console(stderr=True).print(_table(rounds))
    print(json.dumps(result))
    return 1 if result["lost"] or result["doubled"] else 0


def _round(running: Exchange, load: Load, more: tuple[str, ...]) -> Round:
    besides = [running.start(service) for service in more]
    try:
        return play(running, "exchange", load, lambda *_: None)
    finally:
        running.stop(*besides)


def _bytes(running: Exchange) -> dict[str, int]:
    """Return what each service's database holds, documents and indexes, before the database's own compression."""
    admin = running.addresses.mongo_admin
    with MongoClient[dict[str, Any]](running.addresses.mongo_url(admin.name, admin.password)) as client:
        found = {service: client[service].command("dbStats") for service in SERVICES}
    return {service: int(stats["dataSize"] + stats["indexSize"]) for service, stats in found.items()}


def _table(rounds: Mapping[str, Round]) -> Table:
    table = Table("replicas", "cases/s", "p50 ms", "p99 ms", box=SIMPLE)
    for name, one in rounds.items():
        table.add_row(name, f"{one.cases_per_s:.1f}", f"{one.p50_ms:.0f}", f"{one.p99_ms:.0f}")
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sizing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="measured in a round (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
