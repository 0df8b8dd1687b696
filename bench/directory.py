"""Measure the registry's directory on a real database: how long searches take, and how many names they find.

`python -m bench.directory`. The same questions, drawn from the real lists, go in turn to a directory of 5,000 and to
one of 100,000 authorities. The last line is JSON; the exit status is 1 when the directory is too slow, slows down as it
grows, or does not find names as they are written.
"""

import argparse
import gc
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop
from rich.console import Console
from rich.table import Table

from bench.units import DATA, VARIANTS, Asked, Questions, Unit, units
from contracts.registry import Search, Suggest
from deploy.local.given import given_addresses
from deploy.local.servers import prepare
from deploy.local.supply import Supply, supply
from services.chassis.mongo import Collection, connect
from services.registry.search import Directory

SMALL: Final = 5_000
LARGE: Final = 100_000
SLOWEST: Final = 10.0
"""Milliseconds that the 99th percentile of all searches may take."""
SLOWER: Final = 1.5
"""How many times longer it may take in the large directory."""
FOUND: Final = 0.95
"""The least share of names that are found as they are written, among the first ten."""
_CHUNK: Final = 2_000

console = Console(stderr=True, width=140)


@dataclass(frozen=True)
class Times:
    """Milliseconds by kind of search, for each size."""

    small: Mapping[str, list[float]]
    large: Mapping[str, list[float]]


def main() -> int:
    """Measure; the last line of standard output is the result in JSON."""
    options = _options()
    if not DATA.exists():
        console.print(f"[red]there are no lists in {DATA}")
        return 1
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        result = uvloop.run(_measured(_database(Path(folder), stack), options))
    wrong = failures(result)
    for line in wrong:
        console.print(f"[red]{line}")
    print(json.dumps(result))
    return 1 if wrong else 0


def failures(result: Mapping[str, Any]) -> list[str]:
    """Return what is not as it must be."""
    checks = [
        (result["p99_large"] < SLOWEST, f"p99 {result['p99_large']} ms: not below {SLOWEST} ms"),
        (result["ratio"] <= SLOWER, f"{result['ratio']} times slower in the large directory: more than {SLOWER}"),
        (result["recall"]["as written"] >= FOUND, f"finds {result['recall']['as written']} of the names as written"),
    ]
    return [line for good, line in checks if not good]


def _database(folder: Path, stack: ExitStack) -> str:
    kind = supply()
    if kind is Supply.ADDRESSES:
        addresses = given_addresses()
    else:
        servers = prepare(kind, folder, stack)
        stack.callback(servers.mongodb.stop)
        servers.mongodb.start()
        addresses = servers.addresses
    return addresses.mongo_url(addresses.mongo_admin.name, addresses.mongo_admin.password)


async def _measured(url: str, options: argparse.Namespace) -> dict[str, Any]:
    database = connect(url, "bench_directory")
    await database.client.drop_database(database.name)
    everybody = units(LARGE, options.seed)
    some = random.Random(options.seed).sample(everybody, SMALL)
    loading = {}
    for name, loaded in (("small", some), ("large", everybody)):
        with console.status(f"loading {len(loaded):,} authorities"):
            loading[name] = await _load(database[name], loaded)
    small, large = Directory(database["small"]), Directory(database["large"])
    gc.collect()
    gc.freeze()  # the lists are ours, not the registry's: its collector never goes through them
    with console.status("searching"):
        times = await _times(small, large, Questions(some, options.seed).of_each_kind(options.each))
        recall = await _recall(large, everybody, options)
    await database.client.drop_database(database.name)
    await database.client.close()
    return _result(times, recall, len(everybody), loading)


async def _load(collection: Collection, loaded: Iterable[Unit]) -> float:
    await Directory(collection).prepare()
    begun, documents = time.perf_counter(), [unit.document() for unit in loaded]
    for first in range(0, len(documents), _CHUNK):
        await collection.insert_many(documents[first : first + _CHUNK], ordered=False)
    return round(time.perf_counter() - begun, 1)


async def _times(small: Directory, large: Directory, kinds: Mapping[str, list[Asked]]) -> Times:
    """Ask everything of both in turn, in an order by chance; what comes first warms up and does not count."""
    questions = [(kind, asked) for kind, drawn in kinds.items() for asked in drawn]
    random.Random(1).shuffle(questions)
    times = Times(defaultdict(list), defaultdict(list))
    for kind, asked in [*questions[: len(questions) // 5], ("", None), *questions]:
        if asked is None:
            times = Times(defaultdict(list), defaultdict(list))
            continue
        times.small[kind].append(await _milliseconds(small, asked))
        times.large[kind].append(await _milliseconds(large, asked))
    return times


async def _milliseconds(directory: Directory, asked: Asked) -> float:
    begun = time.perf_counter()
    if isinstance(asked.question, Suggest):
        await directory.suggest(asked.question)
    else:
        await directory.search(asked.question, asked.competences)
    return (time.perf_counter() - begun) * 1000


async def _recall(directory: Directory, everybody: list[Unit], options: argparse.Namespace) -> dict[str, Any]:
    """For each state and way of writing: of how many names, and what share is found among the first ten."""
    states = defaultdict(list)
    for unit in everybody:
        states[unit.country].append(unit)
    shares: dict[str, dict[str, tuple[int, int]]] = {}
    for state, there in sorted(states.items()):
        drawn = random.Random(f"{options.seed}/{state}").sample(there, min(options.names, len(there)))
        shares[state] = {variant: await _found(directory, variant, drawn) for variant in VARIANTS}
    return shares


async def _found(directory: Directory, variant: str, drawn: Iterable[Unit]) -> tuple[int, int]:
    texts = [(unit, text) for unit in drawn if (text := VARIANTS[variant](unit))]
    found = 0
    for unit, text in texts:
        page = await directory.search(Search(text=text[:100], country=unit.country, limit=10))
        found += any(card.id == unit.id for card, _ in page.found)
    return found, len(texts)


def _result(times: Times, recall: Mapping[str, Any], size: int, loading: Mapping[str, float]) -> dict[str, Any]:
    kinds = Table("search", "p50 5,000", "p99 5,000", "p50 100,000", "p99 100,000", title="milliseconds")
    for kind in times.large:
        figures = (_percentile(one[kind], share) for one in (times.small, times.large) for share in (0.5, 0.99))
        kinds.add_row(kind, *(f"{figure:.2f}" for figure in figures))
    names = Table("state", *VARIANTS, title="found among the first ten of the state's")
    for state, shares in recall.items():
        names.add_row(state, *(f"{found}/{of}" if of else "" for found, of in shares.values()))
    console.print(kinds, names)
    small, large = ([one for found in by.values() for one in found] for by in (times.small, times.large))
    worst = max(times.large, key=lambda kind: _percentile(times.large[kind], 0.99))
    return {
        "authorities": [SMALL, size],
        "loaded_seconds": dict(loading),
        "searches": len(large),
        "p50_small": round(_percentile(small, 0.5), 2),
        "p50_large": round(_percentile(large, 0.5), 2),
        "p99_small": round(_percentile(small, 0.99), 2),
        "p99_large": round(_percentile(large, 0.99), 2),
        "ratio": round(_percentile(large, 0.99) / _percentile(small, 0.99), 2),
        "worst_kind": worst,
        "worst_kind_p99": round(_percentile(times.large[worst], 0.99), 2),
        "recall": {variant: _share(shares[variant] for shares in recall.values()) for variant in VARIANTS},
    }


def _percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _share(counts: Iterable[tuple[int, int]]) -> float:
    found, of = (sum(column) for column in zip(*counts, strict=True))
    return round(found / of, 4) if of else 0.0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.directory", description=__doc__)
    parser.add_argument("--each", type=int, default=200, help="searches of each kind (%(default)s)")
    parser.add_argument("--names", type=int, default=100, help="names looked for in each state (%(default)s)")
    parser.add_argument("--seed", type=int, default=2026, help="of everything that is drawn (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
