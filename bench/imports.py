"""Every local unit of the real lists, imported through the front door: `python -m bench.imports [--units N]`.

An exchange of its own, a coordinator for each state, the documented CSV, the importer of `imi authorities import`.
The last line is JSON; the exit status is 1 when anything is missing from the directory.
"""

import argparse
import asyncio
import csv
import gzip
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from rich.progress import Progress

from client import authorities, importing
from client.account import new_password, password_hash
from client.system import System
from contracts.inbox import SystemUpdate
from contracts.registry import Account, AppointCoordinator, Details
from contracts.topology import OPERATOR
from contracts.types import User
from deploy.local.exchange import Exchange, exchange

DATA: Final = Path(__file__).parents[2] / "shared" / "data"
UNITS: Final = DATA / "lau_2019_eea29.csv.gz"
CODES: Final = {"GR": "EL"}
"""Eurostat's code of Greece in this list, and the one of the EU institutions."""
_DESK: Final = User(id="bench", role="data-administrator")


def lists(folder: Path, most: int) -> dict[str, Path]:
    """Write the documented CSV for each state; return the files."""
    by_state: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for count, unit in enumerate(_units()):
        if count >= most:
            break
        by_state[unit["country"]].append(unit)
    files = {}
    for state, units in by_state.items():
        files[state] = folder / f"{state}.csv"
        with files[state].open("w", newline="", encoding="utf-8") as file:
            lines = csv.DictWriter(file, list(units[0]))
            lines.writeheader()
            lines.writerows(units)
    return files


def _units() -> Iterator[dict[str, str]]:
    with gzip.open(UNITS, "rt", encoding="utf-8") as file:
        for number, unit in enumerate(csv.DictReader(file)):
            state = CODES.get(unit["country"], unit["country"])
            region = CODES.get(unit["nuts3_2016"][:2], unit["nuts3_2016"][:2]) + unit["nuts3_2016"][2:]
            yield {
                "reference": f"{number}-{unit['lau_code']}",
                "name": unit["name"][:200],
                "country": state,
                "region": region if region.startswith(state) else "",
                "city": unit["name"][:200],
                "languages": "en",
                "contacts": f"office-{number}@{state.lower()}.example",
                "areas": "services",
            }


async def appoint(running: Exchange, operator: System, state: str) -> str:
    """Appoint a national coordinator; return its number once its system can log in."""
    name = f"{state.lower()}-nimic"
    running.systems[name] = new_password()
    details = Details(
        country=state, names={"en": f"Coordinator {state}"}, city="Capital", languages=("en",),
        contacts=("coordinator@state.example",),
    )  # fmt: skip
    account = Account(system=name, password_hash=password_hash(running.systems[name]), languages=("en",))
    outcome = await operator.do(AppointCoordinator(details=details, account=account, user=_DESK))
    async with operator.expecting() as inbox:
        async for message in inbox:
            if isinstance(message, SystemUpdate) and message.system == name:
                break
    assert outcome.authority
    return outcome.authority.id


async def run(running: Exchange, files: dict[str, Path]) -> tuple[float, importing.Result, int]:
    """Import all lists, the states side by side; return seconds, what came of it, and how many lines there were."""
    async with System(running.amqp_url(OPERATOR, running.systems[OPERATOR])) as operator:
        coordinators = {state: await appoint(running, operator, state) for state in files}
    rows = {state: authorities.read(path) for state, path in files.items()}
    faults = [fault for _, some in rows.values() for fault in some]
    total, done = sum(len(some) for some, _ in rows.values()), importing.Result(rejected=faults)
    limit, began = asyncio.Semaphore(4), time.monotonic()
    with Progress() as bar:
        task = bar.add_task("registered", total=total)

        async def one(state: str) -> None:
            url = running.amqp_url(f"{state.lower()}-nimic", running.systems[f"{state.lower()}-nimic"])
            async with limit, System(url) as system:
                with importing.Journal(files[state].with_suffix(".progress")) as journal:
                    made = await importing.register(
                        system, coordinators[state], rows[state][0], journal, lambda: bar.advance(task)
                    )
                    done.registered += made.registered
                    done.rejected += made.rejected

        await asyncio.gather(*(one(state) for state in files))
    return time.monotonic() - began, done, total + len(faults)


def active(running: Exchange) -> int:
    """Count the authorities that the directory can find."""
    admin = running.addresses.mongo_admin
    with MongoClient[dict[str, Any]](running.addresses.mongo_url(admin.name, admin.password)) as client:
        return client["registry"]["authorities"].count_documents({"tags": "a:services"})


def main() -> int:
    """Import, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1_000_000, help="at most so many")
    most = parser.parse_args().units
    if not UNITS.exists():
        print(f"skipped: {UNITS} is missing")
        return 0
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="imports-", dir=".local") as folder, exchange(Path(folder)) as running:
        seconds, result, lines = asyncio.run(run(running, lists(Path(folder), most)))
        found = active(running)
    figures = {
        "units": lines,
        "seconds": round(seconds, 1),
        "per_s": round(result.registered / seconds, 1),
        "rejected": len(result.rejected),
        "active_in_directory": found,
    }
    for fault in result.rejected[:10]:
        print(f"line {fault.line}: {fault.reason}")
    print(json.dumps(figures))
    return 0 if found == result.registered == lines else 1


if __name__ == "__main__":
    sys.exit(main())
