"""A run: load, faults by the schedule, settling, and what was found."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from bench.players import ANSWERING, ASKING, onboard
from contracts.management import read
from contracts.topology import OPERATOR, VHOST
from deploy.local.exchange import Exchange
from tests.chaos.conservation import Looked, Violation, missing, too_few, violations, violations_inside
from tests.chaos.faults import NEED_A_COMPILER, Kind, kinds
from tests.chaos.load import Load, address_of
from tests.chaos.mails import noting_mails
from tests.chaos.points import NeverMet
from tests.chaos.record import Fault, Record
from tests.chaos.schedule import Planned, is_same, schedule
from tests.chaos.stage import Stage, stage
from tests.chaos.systems import Stopwatch

SYSTEMS: Final = [f"{state.lower()}-bench" for state in (*ASKING, *ANSWERING)]
PATIENCE: Final = 240.0
"""Seconds for everything to settle: more than a claim on a mail lasts, and than a service waits with a server away."""
LISTENED_ON: Final = 3.0
"""Seconds, once all is there: what comes twice comes then."""
BEGUN_AT_LEAST: Final = 0.25
"""The share of the cases by rate and time that must have been begun. Faults hold them up, and never for so long."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What a run is made of."""

    seed: int
    seconds: float
    rate: float
    """Cases that are begun in a second."""
    only: tuple[str, ...] = ()
    """Kinds of faults; none: all."""


@dataclass(frozen=True)
class Result:
    """What came of it."""

    record: Record
    found: list[Violation]
    settled: float
    """Seconds from the end of the last fault until everything was there."""
    notes: list[str]
    """What had to be done by hand."""


class Parts:
    """What something is done to, and what is done to something else meanwhile."""

    def __init__(self) -> None:
        """Nothing is done to anything."""
        self._taken: list[str] = []
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def alone_with(self, part: str) -> AsyncIterator[None]:
        """Have nothing else done to the part, nor to what it is a part of, while the block runs."""
        async with self._freed:
            await self._freed.wait_for(lambda: not any(is_same(part, other) for other in self._taken))
            self._taken.append(part)
        try:
            yield
        finally:
            async with self._freed:
                self._taken.remove(part)
                self._freed.notify_all()


async def run(folder: Path, options: Options, tell: Tell) -> Result:
    """Run with data in `folder`. Raises when a fault could not be undone: then nothing is proven."""
    record = Record()
    async with stage(folder, SYSTEMS) as running:
        asking, answering = await asyncio.to_thread(onboard, running.exchange)
        record.addresses = {one.system: address_of(one) for one in (*asking, *answering)}
        clock = Stopwatch()
        load = Load(asking, answering, record, clock, options.seed)
        load.begin(dict(running.lines), options.rate)
        async with noting_mails(running.exchange, record, clock):
            try:
                await _do(running, _schedule(running, options), record, clock, tell)
                await load.stop()
                settled, standing = await _settle(running, record, clock, tell)
            finally:
                await load.end()
        looked = await asyncio.to_thread(look, running.exchange)
    few = too_few(record, BEGUN_AT_LEAST * options.rate * options.seconds)
    found = [*few, *standing, *violations(record), *violations_inside(record, looked)]
    return Result(record, found, settled, running.notes)


def chosen(only: Sequence[str]) -> dict[str, Kind]:
    """Return the kinds of faults by name. Raises KeyError for one that does not exist."""
    everything = kinds(SYSTEMS)
    return {name: everything[name] for name in only} if only else everything


def _schedule(running: Stage, options: Options) -> list[Planned]:
    possible = chosen(options.only)
    if running.disk is None:
        possible = {name: kind for name, kind in possible.items() if name not in NEED_A_COMPILER}
    return schedule(possible, options.seed, options.seconds)


async def _do(running: Stage, planned: Sequence[Planned], record: Record, clock: Stopwatch, tell: Tell) -> None:
    """Do all faults, each at its time; one that is to be done to a part that still has another one waits for that."""
    parts = Parts()

    async def one_by_one(one: Planned) -> None:
        await asyncio.sleep(max(0.0, one.at - clock()))
        async with parts.alone_with(one.part):
            tell(f"{clock():7.1f} s  {one.name} ({one.target}), for {one.length:.1f} s")
            await _one(running, one, record, clock, tell)

    async with asyncio.TaskGroup() as group:
        for one in planned:
            group.create_task(one_by_one(one))


async def _one(running: Stage, one: Planned, record: Record, clock: Stopwatch, tell: Tell) -> None:
    """Do a fault, and note it: one that awaits something from when that came, or as one that never met it."""
    kind, began = kinds(SYSTEMS)[one.name], clock()
    try:
        async with kind.do(running, one.target):
            if kind.awaits:
                tell(f"{clock():7.1f} s  {one.target}: met after {clock() - began:.1f} s")
                began = clock()
            await asyncio.sleep(one.length)
    except NeverMet:
        tell(f"{clock():7.1f} s  {one.target}: nobody came by")
        record.never_met.append(Fault(one.name, one.target, began, clock()))
    else:
        record.faults.append(Fault(one.name, one.target, began, clock()))


async def _settle(running: Stage, record: Record, clock: Stopwatch, tell: Tell) -> tuple[float, list[Violation]]:
    """Wait until everything is there and the queues are empty; return how long that took, at most `PATIENCE`.

    What does not come to work again, or to rest, is returned besides: whether anything was lost by it is still to be
    seen.
    """
    began, standing = clock(), list[Violation]()
    try:
        await running.whole()
    except TimeoutError as error:
        queues = ", ".join(sorted(await asyncio.to_thread(standing_still, running.exchange)))
        standing.append(Violation("standing-still", f"{error}; queues that are not running: {queues or 'none'}"))
    while clock() - began < PATIENCE:
        # A queue that stands still is never empty, for all that is known.
        if not missing(record) and (standing or await asyncio.to_thread(quiet, running.exchange)):
            break
        await asyncio.sleep(1)
    else:
        standing.append(await asyncio.to_thread(unsettled, running.exchange))
    settled = clock() - began
    tell(f"{clock():7.1f} s  settled after {settled:.1f} s, {missing(record)} things missing")
    await asyncio.sleep(LISTENED_ON)
    return settled, standing


def quiet(exchange: Exchange) -> bool:
    """Say whether nothing waits."""
    return not waiting(exchange)


def unsettled(exchange: Exchange) -> Violation:
    """Return what is wrong when after all the patience something still waits, or is missing."""
    rest = ", ".join(waiting(exchange)) or "nothing in the exchange"
    return Violation("unsettled", f"after {PATIENCE:g} s there still waits: {rest}")


def waiting(exchange: Exchange) -> list[str]:
    """Return how much waits, by where: in the queues between the services, and among what is to be told by mail."""
    admin = exchange.addresses.mongo_admin
    try:
        with MongoClient[dict[str, Any]](exchange.addresses.mongo_url(admin.name, admin.password)) as client:
            notices = client["notifier"]["notices"].count_documents({"send_at": {"$exists": True}})
        depths = {"notices to be told by mail": notices, **_depths(exchange)}
    except (PyMongoError, httpx.HTTPError) as error:
        return [f"a server that does not answer ({type(error).__name__})"]
    between = {name: depth for name, depth in depths.items() if not name.startswith("inbox.") and "parked" not in name}
    return [f"{name}: {depth}" for name, depth in sorted(between.items()) if depth]


def standing_still(exchange: Exchange) -> list[str]:
    """Return the queues that the broker says are not running."""
    return [one["name"] for one in _queues(exchange) if one.get("state", "running") != "running"]


def _depths(exchange: Exchange) -> Mapping[str, int]:
    # A queue that has no leader has no totals: it is not empty, for all that is known. A stream has none either.
    return {one["name"]: int(one.get("messages", -1)) for one in _queues(exchange) if one["type"] != "stream"}


def _queues(exchange: Exchange) -> list[dict[str, Any]]:
    with _management(exchange) as client:
        answer = client.get(f"/api/queues/{VHOST}?disable_stats=true&enable_queue_totals=true").raise_for_status()
    found: list[dict[str, Any]] = read(answer.text)
    return found


def look(exchange: Exchange) -> Looked:
    """Have the operator verify every chain, and look at what was parked."""
    url = exchange.amqp_url(OPERATOR, exchange.systems[OPERATOR])
    command = [str(Path(sys.executable).with_name("imi")), "cases", "verify", "--json"]
    verified = subprocess.run(
        command, env=os.environ | {"IMI_URL": url}, capture_output=True, text=True, check=False, timeout=120
    )
    said = json.loads(verified.stdout)
    parked = [queue for queue, depth in _depths(exchange).items() if queue.endswith(".parked") and depth]
    return Looked(
        checked=said["checked"],
        broken=tuple(one["case"] for one in said["broken"]),
        parked=tuple(one for queue in parked for one in _parked_in(exchange, queue)),
    )


def _parked_in(exchange: Exchange, queue: str) -> list[str]:
    wanted = {"count": 20, "ackmode": "ack_requeue_true", "encoding": "auto"}
    with _management(exchange) as client:
        found = client.post(f"/api/queues/{VHOST}/{queue}/get", json=wanted).raise_for_status().json()
    kept = ("imi-reason", "imi-queue", "imi-message-id", "imi-routing-key")
    return [
        f"{queue}: {one['properties'].get('type')} "
        + ", ".join(f"{name} {one['properties']['headers'].get(name)}" for name in kept)
        for one in found
    ]


def _management(exchange: Exchange) -> httpx.Client:
    admin = exchange.addresses.rabbit_admin
    url = exchange.addresses.management_url
    return httpx.Client(base_url=url, auth=(admin.name, admin.password), trust_env=False, timeout=20)
