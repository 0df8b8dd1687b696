"""Does finding what is due cost more the more is not? `python -m bench.deadlines`.

Two databases on one server, one with 1,000 planned cases and one with 1,000,000, in each of which a hundred are due.
In turns it is asked of both, as a replica of the notifier asks: what has been due longest, when something is and when
nothing is; what waits to be told; and how much is due and late. The last line is JSON; the exit status is 1 when the
median with the most takes more than 1.3 times what it does with the fewest.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

from pymongo import WriteConcern
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from contracts.dates import Dates, Deadline
from contracts.identity import derived_code
from deploy.local.servers import Servers, servers
from services.chassis import mongo
from services.notifier.deadlines import Plan, plan_of
from services.notifier.notices import Told
from services.notifier.store import Store
from services.notifier.waiting import Waits

SIZES: Final = (1_000, 1_000_000)
SLOWER: Final = 1.3
"""How many times longer anything may take with the most planned than with the fewest."""
DUE: Final = 100
ROUNDS: Final = 20
A_ROUND: Final = 25
_AT_ONCE: Final = 2_000
_STEPS: Final = 3
"""Steps that are kept of a copy: a reminder, the mail at the date, one a week later."""
_NOW: Final = datetime.now(UTC).replace(microsecond=0)
_AUTHORITY: Final = "HU-ABCD1234"

Times = dict[str, list[float]]
console = Console(stderr=True, width=120)


def main() -> int:
    """Measure; the last line of standard output is the result in JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs=2, default=list(SIZES))
    small, large = parser.parse_args().sizes
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="deadlines-", dir=".local") as folder, servers(Path(folder)) as running:
        measured = asyncio.run(_measured(running, [small, large]))
    p50 = {
        size: {name: round(median(times) * 1000, 3) for name, times in kinds.items()}
        for size, kinds in measured.items()
    }
    ratios = {name: round(p50[large][name] / p50[small][name], 2) for name in p50[small]}
    _show(p50)
    print(json.dumps({"p50_ms": p50, "ratios": ratios, "ratio": max(ratios.values()), "due": DUE}))
    return 0 if max(ratios.values()) <= SLOWER else 1


def _ms(times: list[float]) -> float:
    return round(median(times) * 1000, 3)


async def _measured(running: Servers, sizes: list[int]) -> dict[int, Times]:
    admin = running.addresses.mongo_admin
    url = running.addresses.mongo_url(admin.name, admin.password)
    databases = {size: mongo.connect(url, f"planned-{size}") for size in sizes}
    stores = {size: Store(database) for size, database in databases.items()}
    for size, store in stores.items():
        await store.prepare()
        await _fill(databases[size], store, size)
    measured = {size: defaultdict[str, list[float]](list) for size in sizes}
    for number in range(ROUNDS + 1):
        for size, store in stores.items():
            await _round(store, measured[size] if number else defaultdict(list))  # the first one is to warm up
    for database in databases.values():
        await database.client.close()
    return {size: dict(times) for size, times in measured.items()}


async def _round(store: Store, times: Times) -> None:
    for _ in range(A_ROUND):
        claim = await _timed(times, "the next step", lambda: store.deadlines.claim(_NOW))
        await store.deadlines.release(claim)
        nothing = await _timed(times, "no step", lambda: store.deadlines.claim(_NOW - timedelta(days=1)))
        assert nothing is None
        turn = await _timed(times, "the next to tell", lambda: store.waiting.take(_NOW))
        await store.waiting.leave(turn)
        await _timed(times, "how much is due", lambda: _standing(store))


async def _standing(store: Store) -> None:
    found = [one async for one in store.deadlines.standing(_NOW)]
    assert sum(due for _, _, due, _ in found) >= DUE


async def _timed(times: Times, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
    began = time.perf_counter()
    result = await work()
    times[name].append(time.perf_counter() - began)
    return result


async def _fill(database: mongo.Database, store: Store, size: int) -> None:
    """Plan so many cases: one as the notifier does, the others as copies of it on other days of the year to come."""
    await store.plan([_plan(number, _NOW - timedelta(seconds=DUE - number)) for number in range(DUE)])
    await store.plan([_plan(DUE, _NOW + timedelta(days=30))])
    fast = WriteConcern(w=1)
    deadlines, notices = (database.get_collection(name, write_concern=fast) for name in ("deadlines", "notices"))
    template = await deadlines.find_one({"_id": _case(DUE)})
    assert template
    copies = (_copy(template, number) for number in range(DUE + 1, size))
    with Progress(console=console) as progress:
        task = progress.add_task(f"{size:,} planned", total=size, completed=DUE + 1)
        while some := list(islice(copies, _AT_ONCE)):
            await deadlines.insert_many(some, ordered=False)
            await notices.insert_many([_notice(one) for one in some], ordered=False)
            progress.advance(task, len(some))
    due = [Told(f"due-{number}", "replied", _case(number), f"HU-{number:08d}") for number in range(DUE)]
    await store.waiting.add([Waits(one.authority, one, _NOW) for one in due], _NOW)


def _case(number: int) -> str:
    code = derived_code(12, "planned", str(number))
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def _plan(number: int, due: datetime) -> Plan:
    deadline = Deadline(kind="answer", authority=_AUTHORITY, due=due, remind=(7,))
    dates = Dates(case=_case(number), version=1, area="services", state="accepted", at=_NOW, deadlines=(deadline,))
    plan = plan_of(dates, _NOW)
    return replace(plan, steps=plan.steps[:_STEPS])


def _copy(template: Any, number: int) -> dict[str, Any]:
    """The same case under another number, some minutes later, up to a year."""
    later = timedelta(seconds=number * 27 % 30_000_000)
    steps = [{**step, **{name: step[name] + later for name in ("due", "at", "try_at")}} for step in template["plan"]]
    moved = {name: template[name] + later for name in ("next_at", "first_at")}
    return {**template, "_id": _case(number), "plan": steps, **moved}


def _notice(case: dict[str, Any]) -> dict[str, Any]:
    """News of that case that waits for a summary to come."""
    waits = {"kind": "message", "stage": "notice", "case": case["_id"], "authority": _AUTHORITY, "version": 1}
    return {**waits, "_id": case["_id"], "daily": True, "tries": 0, "at": case["next_at"], "send_at": case["next_at"]}


def _show(p50: dict[int, dict[str, float]]) -> None:
    table = Table("p50, ms", *(f"{size:,}" for size in p50))
    for name in next(iter(p50.values())):
        table.add_row(name, *(f"{kinds[name]:.2f}" for kinds in p50.values()))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
