"""A year of cases, made with a fixed seed: the scoreboard is what a plain count gives, whoever counts, and again."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.refusal import Refusal
from services.casework.case import Case, Entry
from services.casework.counting import Scoreboard
from services.casework.history import case_from
from services.casework.lifecycle import decide
from services.casework.scores import FIGURES, merged, score_of
from services.casework.store import Store
from services.chassis import mongo
from tests.unit.samples import ACTIONS, KNOWN, NOW, RECIPIENT, SENDER, Known, accept, close, reply, request
from tests.world import World

pytestmark = pytest.mark.servers

CASES = 2_000
YEAR = datetime(2026, 1, 1, 8, tzinfo=UTC)


@pytest.fixture
async def store(world: World) -> AsyncIterator[Store]:
    """Casework's store, in a database of its own."""
    admin = world.exchange.addresses.mongo_admin
    database = mongo.connect(world.exchange.addresses.mongo_url(admin.name, admin.password), "scoreboard")
    made = Store(database)
    await made.prepare()
    yield made
    await database.client.drop_database("scoreboard")
    await database.client.close()


def year() -> dict[str, list[Entry]]:
    """Histories of cases: accepted and answered sooner and later, rated well and badly, some not at all."""
    chance = random.Random(20_260_101)
    return {f"case-{number}": history(chance) for number in range(CASES)}


def history(chance: random.Random) -> list[Entry]:
    """One case, up to where chance lets it come."""
    now = replace(NOW, at=YEAR + timedelta(minutes=chance.randrange(365 * 24 * 60)))
    told: list[Entry] = []
    steps: list[tuple[Any, float]] = [
        (request(wished_date=now.at.date() + timedelta(days=chance.randrange(40))), 0),
        (accept(), chance.uniform(0, 14)),
        (reply(), chance.uniform(0, 40)),
        (close(rating=rating(chance)), chance.uniform(0, 10)),
    ]
    if chance.random() < 0.1:
        steps[1] = (ACTIONS["withdraw"](SENDER), 1)
    for body, days in steps[: chance.randrange(1, 5)]:
        now = replace(now, at=now.at + timedelta(days=days))
        entry = decide(case_from("x", told), body, Known(), now)
        if isinstance(entry, Refusal):
            break
        told.append(entry)
    return told


def rating(chance: random.Random) -> dict[str, str] | None:
    """What the sender thinks of it, if anything."""
    verdicts = ["good", "fair", "poor"]
    if chance.random() < 0.2:
        return None
    return {"timeliness": chance.choice(verdicts), "effort": chance.choice(verdicts)}


def counted_plainly(cases: list[Case]) -> dict[str, float]:
    """The scoreboard's figures of Hungary, counted one by one."""
    plain = Counter[str]()
    for case in cases:
        if case.state == "withdrawn":
            continue
        assert case.arrived_at
        plain["requests"] += 1
        if case.accepted_at:
            plain["accepted"] += 1
            plain["accepted in time"] += (case.accepted_at - case.arrived_at).total_seconds() <= 7 * 86_400
        if case.replied_at:
            assert case.agreed_date
            plain["answered"] += 1
            plain["seconds"] += int((case.replied_at - case.arrived_at).total_seconds())
            # Budapest is an hour or two ahead: the day there may be the next one.
            plain["in time"] += (case.replied_at + _ahead(case.replied_at)).date() <= case.agreed_date
            plain["within a week"] += (case.replied_at - case.arrived_at).total_seconds() <= 7 * 86_400
        if case.rating:
            plain["rated"] += 1
            plain["poor"] += case.rating["timeliness"] == "poor"
    return dict(plain)


def _ahead(moment: datetime) -> timedelta:
    summer = datetime(2026, 3, 29, 1, tzinfo=UTC) <= moment < datetime(2026, 10, 25, 1, tzinfo=UTC)
    return timedelta(hours=2 if summer or moment >= datetime(2027, 3, 28, 1, tzinfo=UTC) else 1)


async def test_a_year_of_cases_counts_to_the_case(store: Store) -> None:
    """By two replicas at once, while cases move and are counted in between; a recount finds no difference."""
    boards = [Scoreboard(store), Scoreboard(store)]
    told = year()
    for length in range(1, 5):  # each case moves a step, then all that moved is counted
        await _keep(store, {number: one[:length] for number, one in told.items() if len(one) >= length}, length)
        await asyncio.gather(*(board.turn() for board in boards))
    for board in (*boards, *boards):
        await board.turn()
    cases = [case for one in told.values() if (case := case_from("x", one))]
    plain = counted_plainly(cases)
    months = sorted({case.arrived_at.strftime("%Y-%m") for case in cases if case.arrived_at})
    sums = merged(await boards[0].groups(months[0], months[-1]))
    hungary = sums["HU", None]
    names = ("requests", "accepted", "accepted_in_time", "answered", "answer_seconds", "answered_in_time")
    found = [hungary[name] for name in (*names, "answered_within_a_week", "rated", "poor_timeliness")]
    wanted = (
        "requests",
        "accepted",
        "accepted in time",
        "answered",
        "seconds",
        "in time",
        "within a week",
        "rated",
        "poor",
    )
    assert found == [plain[name] for name in wanted]
    assert score_of("HU", None, hungary).requests == plain["requests"]
    for month in months:
        recount = await boards[0].recount(month)
        assert (recount.differing, recount.uncounted) == (0, 0)


async def _keep(store: Store, histories: dict[str, list[Entry]], rev: int) -> None:
    """Write cases as casework does, as far as the scoreboard reads them."""
    for number, told in histories.items():
        keyed = [{**entry, "key": f"{number}/{place}"} for place, entry in enumerate(told)]
        fields = {"rev": rev, "history": keyed, **store._projection(number, tuple(keyed))}
        await store.collection.update_one({"_id": number}, {"$set": fields}, upsert=True)


async def test_a_counting_that_another_overtakes_counts_nothing_twice(store: Store) -> None:
    """A case that moves while it is counted is counted in the next turn, as it then is."""
    board = Scoreboard(store)
    told = history(random.Random(5))
    await _keep(store, {"a": told[:1]}, 1)
    found = [document async for document in store.collection.find({"uncounted": True})]
    await _keep(store, {"a": told}, len(told) + 1)
    async with store.collection.database.client.start_session() as session:
        await session.with_transaction(lambda one: board._count(one, found))
    assert await board.groups("2000-01", "2100-01") == []
    await board.turn()
    (group,) = await board.groups("2000-01", "2100-01")
    assert group["figures"]["requests"] == 1
    assert set(group["figures"]) <= set(FIGURES)
    assert KNOWN[RECIPIENT].side.country == group["country"]


async def test_a_case_is_counted_once_it_rests(store: Store) -> None:
    """What has just changed waits, and says so; nothing of it is lost."""
    told = history(random.Random(5))
    await _keep(store, {"a": told[:1]}, 1)
    just_now = datetime.now(UTC)
    await store.collection.update_one({"_id": "a"}, {"$set": {"changed_at": just_now}})
    patient = Scoreboard(store, rest=timedelta(hours=1))
    await patient.turn()
    assert await patient.groups("2000-01", "2100-01") == []
    assert await patient.waiting() == 1
    await store.collection.update_one({"_id": "a"}, {"$set": {"changed_at": just_now - timedelta(hours=2)}})
    await patient.turn()
    assert await patient.waiting() == 0
    (group,) = await patient.groups("2000-01", "2100-01")
    assert group["figures"]["requests"] == 1
