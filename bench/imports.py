"""Every authority of the real lists, imported through the front door: `python -m bench.imports [--units N]`.

An exchange of its own with the activities of NACE as its vocabulary, a coordinator for each state, the documented CSV
of 95,404 local units and 6,613 public bodies, the importer of `imi authorities import`. Then all that are to be found
are counted, page by page. The last line is JSON; the exit status is 1 when anything is missing.

Among the bodies are the Union's own, which lie in no state. The Commission takes part in IMI (Regulation (EU)
1024/2012, Art. 5(g)): here the Union is one more entry of the file of states that this deployment has.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress

from bench.measure import Usage, programs
from client import authorities, importing, vocabulary
from client.account import new_password, password_hash
from client.system import System
from contracts.inbox import SystemUpdate
from contracts.languages import LANGUAGES, STATES
from contracts.registry import Account, AppointCoordinator, Details, Search
from contracts.topology import OPERATOR
from contracts.types import User
from deploy.local.exchange import Exchange, exchange
from tools import real_lists

UNION: Final = {"code": "EU", "nuts": "EU", "zone": "Europe/Brussels", "languages": ["en", "fr", "de"]}
AT_ONCE: Final = 4
"""States that import side by side."""
_DESK: Final = User(id="bench", role="data-administrator")


@dataclass(frozen=True, slots=True)
class List:
    """A file of a state, read."""

    state: str
    path: Path
    rows: Sequence[authorities.Row]
    faults: Sequence[authorities.Fault]


def lists(folder: Path, most: int) -> list[List]:
    """Write the documented CSV of each state and list, and read it as `imi authorities import` does."""
    files = [
        *real_lists.write_by_state(islice(real_lists.local_units(), most), folder / "lau").items(),
        *real_lists.write_by_state(islice(real_lists.public_bodies(), most), folder / "bodies").items(),
    ]
    return [List(state, path, *authorities.read(path)) for state, path in files]


async def load_activities(running: Exchange, operator: System) -> int:
    """Load the vocabulary of NACE; return how many terms it has."""
    path = running.folder / "nace.csv"
    real_lists.write(real_lists.activities(), path, ("code", *LANGUAGES))
    terms = vocabulary.read(path)
    await vocabulary.load(operator, vocabulary.name_of(path), terms)
    return len(terms)


async def appoint(running: Exchange, operator: System, state: str) -> str:
    """Appoint a national coordinator; return its number once its system can log in."""
    name = coordinating(state)
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


def coordinating(state: str) -> str:
    """Return the name of the system of a state's coordinator."""
    return f"{state.lower()}-nimic"


def connection(running: Exchange, system: str) -> System:
    """Return a system's connection, not yet opened."""
    return System(running.amqp_url(system, running.systems[system]))


async def register(running: Exchange, coordinators: dict[str, str], some: Sequence[List]) -> importing.Result:
    """Import all lists, some states side by side."""
    done, limit = importing.Result(rejected=[fault for one in some for fault in one.faults]), asyncio.Semaphore(AT_ONCE)
    with Progress() as bar:
        task = bar.add_task("registered", total=sum(len(one.rows) for one in some))

        async def of(state: str) -> None:
            async with limit, connection(running, coordinating(state)) as system:
                for one in (one for one in some if one.state == state):
                    with importing.Journal(one.path.with_name(f"{one.path.name}.progress")) as journal:
                        made = await importing.register(
                            system, coordinators[state], one.rows, journal, lambda: bar.advance(task)
                        )
                    done.registered += made.registered
                    done.rejected += made.rejected

        await asyncio.gather(*(of(state) for state in coordinators))
    return done


async def found(running: Exchange, state: str) -> set[str]:
    """Return the numbers of all authorities of a state that take part in services, as its coordinator finds them."""
    numbers, after = set[str](), None
    async with connection(running, coordinating(state)) as system:
        while True:
            outcome = await system.do(Search(country=state, area=real_lists.AREA, limit=100, after=after))
            numbers |= {one.card.id for one in outcome.found or ()}
            after = outcome.next
            if after is None:
                return numbers


async def run(running: Exchange, some: Sequence[List]) -> dict[str, Any]:
    """Import everything, count what is to be found, and return the figures."""
    async with connection(running, OPERATOR) as operator:
        terms = await load_activities(running, operator)
        states = list(dict.fromkeys(one.state for one in some))
        coordinators = {state: await appoint(running, operator, state) for state in states}
    began = time.monotonic()
    result = await register(running, coordinators, some)
    seconds = time.monotonic() - began
    memory = Usage.now(programs()).rss
    began, numbers = time.monotonic(), set[str]()
    for state in states:
        numbers |= await found(running, state)
    _show(result.rejected)
    return {
        "units": sum(len(one.rows) + len(one.faults) for one in some),
        "states": len(states),
        "terms": terms,
        "seconds": round(seconds, 1),
        "per_s": round(result.registered / seconds, 1),
        "rejected": len(result.rejected),
        "registered": result.registered,
        "active_in_directory": len(numbers),
        "counted_in_s": round(time.monotonic() - began, 1),
        "rss_mb": {name: round(size / 2**20, 1) for name, size in memory.items()},
    }


def _show(faults: Iterable[authorities.Fault]) -> None:
    for fault in islice(faults, 10):
        print(f"line {fault.line}: {fault.reason}")


def with_the_union() -> int:
    """Run this program again with the Union among the states; return its exit status."""
    default = Path(__file__).parents[1] / "contracts" / "states.json"
    with tempfile.TemporaryDirectory() as folder:
        states = Path(folder) / "states.json"
        states.write_text(json.dumps([*json.loads(default.read_text()), UNION]))
        command = [sys.executable, "-m", "bench.imports", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, "IMI_STATES": str(states)}, check=False).returncode


def main() -> int:
    """Import, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=1_000_000, help="of each list at most so many")
    most = parser.parse_args().units
    if not real_lists.UNITS.exists():
        print(f"skipped: {real_lists.UNITS} is missing")
        return 0
    if UNION["code"] not in STATES:
        return with_the_union()
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="imports-", dir=".local") as folder, exchange(Path(folder)) as running:
        figures = asyncio.run(run(running, lists(Path(folder), most)))
    print(json.dumps(figures))
    return 0 if figures["active_in_directory"] == figures["registered"] == figures["units"] else 1


if __name__ == "__main__":
    sys.exit(main())
