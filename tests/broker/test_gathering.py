"""What waits to be told, in a real database: found by its indexes, whichever release made them, and told once."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.local.exchange import Exchange
from services.chassis import mongo
from services.notifier.notices import Told
from services.notifier.store import Store
from services.notifier.waiting import Waits

pytestmark = pytest.mark.servers

AUTHORITY, ANOTHER = "HU-ABCD1234", "HU-ABCD5678"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
BEFORE: list[tuple[list[tuple[str, int]], dict[str, Any]]] = [
    ([("send_at", 1)], {"sparse": True}),
    ([("at", 1)], {"sparse": True}),
    ([("batch", 1)], {"sparse": True}),
    ([("authority", 1), ("send_at", 1)], {}),
    ([("done_at", 1)], {"expireAfterSeconds": 7_776_000}),
]
"""The indexes that the release before makes when it starts."""


@pytest.fixture
async def database(running: Exchange) -> AsyncIterator[mongo.Database]:
    """A database of the test's own, as the release before has left it."""
    admin = running.addresses.mongo_admin
    made = mongo.connect(running.addresses.mongo_url(admin.name, admin.password), f"test-{secrets.token_hex(4)}")
    await _make_as_before(made)
    await Store(made).prepare()
    yield made
    await made.client.drop_database(made.name)
    await made.client.close()


async def _make_as_before(database: mongo.Database) -> None:
    for keys, options in BEFORE:
        await database["notices"].create_index(keys, **options)


def told(authority: str = AUTHORITY) -> Told:
    return Told(secrets.token_hex(8), "replied", "7Q4M-0000-1111", authority)


async def test_what_comes_in_the_minute_after_the_first_is_told_with_it(database: mongo.Database) -> None:
    """But neither what waits for the summary of the day, nor what was tried and is to be tried again later."""
    store, first, second, daily, tried = Store(database), *(told() for _ in range(4))
    await store.notice([first], NOW)
    await store.notice([second], NOW + MINUTE)
    await store.waiting.add([Waits(AUTHORITY, daily, NOW, daily=True)], NOW + DAY)
    await store.waiting.add([Waits(AUTHORITY, tried, NOW)], NOW)
    (again,) = [one for one in await _of(store) if one.piece == tried]
    await store.waiting.later([again], NOW + SECOND)
    assert [one.piece for one in await _of(store)] == [first, second]


async def _of(store: Store) -> list[Waits]:
    turn = await store.waiting.take(NOW)
    assert turn
    found = await store.waiting.of(turn, NOW, NOW + MINUTE)
    await store.waiting.leave(turn)
    return found


async def test_who_is_let_alone_is_passed_over_and_its_notices_stay_as_they_are(database: mongo.Database) -> None:
    """Until the moment that was named: then it is the first again, having waited longest."""
    store = Store(database)
    await store.notice([told()], NOW - SECOND)
    await store.notice([told(ANOTHER)], NOW)
    before = [dict(one) async for one in database["notices"].find()]
    first = await store.waiting.take(NOW)
    assert first
    await store.waiting.leave(first, NOW + SECOND)
    second = await store.waiting.take(NOW)
    assert second
    assert (first.authority, second.authority) == (AUTHORITY, ANOTHER)
    assert await store.waiting.take(NOW) is None
    assert not await store.waiting.holds(first)
    third = await store.waiting.take(NOW + SECOND)
    assert third
    assert third.authority == AUTHORITY
    assert [dict(one) async for one in database["notices"].find()] == before


async def test_dates_that_come_again_keep_nothing_again_but_what_is_new(database: mongo.Database) -> None:
    """What was told stays told; what is new among it is kept all the same."""
    store, old, new = Store(database), told(), told()
    await store.notice([old], NOW)
    await store.waiting.told(await _of(store), NOW)
    await store.notice([old, new], NOW)
    assert [one.piece for one in await _of(store)] == [new]


async def test_each_mail_that_finds_no_place_is_given_a_moment_of_its_own_to_ask_again(
    database: mongo.Database,
) -> None:
    """Those who ask again at theirs find a place then, however many wait; after a pause nobody waits for the last."""
    rates = Store(database, domain_rate=1).rates
    for _ in range(2):
        assert await rates.slot("x.example", NOW) == NOW
    assert [await rates.slot("x.example", NOW) for _ in range(3)] == [NOW + number * SECOND for number in (1, 2, 3)]
    for number in (1, 2, 3):
        assert await rates.slot("x.example", NOW + number * SECOND) == NOW + number * SECOND
    later = NOW + DAY
    assert [await rates.slot("x.example", later) for _ in range(3)] == [later, later, later + SECOND]


async def test_a_domain_says_when_it_has_a_place_and_the_asking_takes_none(database: mongo.Database) -> None:
    """Of several, the one that has a place first; one that nobody wrote to has one now."""
    rates = Store(database, domain_rate=1).rates
    assert await rates.free_at(["X.example"], NOW) == NOW
    assert [await rates.slot("x.example", NOW) for _ in range(2)] == [NOW, NOW]
    assert await rates.free_at(["X.example"], NOW) == NOW + SECOND
    assert await rates.free_at(["x.example", "y.example"], NOW) == NOW
    assert await rates.free_at([], NOW) == NOW
    assert await rates.free_at(["x.example"], NOW + DAY) == NOW + DAY


@pytest.mark.parametrize("beside", [False, True], ids=["after the release before", "beside it"])
async def test_what_waits_is_found_by_indexes_that_hold_nothing_told(database: mongo.Database, beside: bool) -> None:
    """Whichever release has started last: each finds what it looks for by an index, and no notice that was told."""
    if beside:
        await _make_as_before(database)
    due = {"send_at": {"$lte": NOW}, "authority": {"$nin": [ANOTHER]}}
    ours = {"authority": AUTHORITY, "batch": {"$exists": False}, "send_at": {"$lte": NOW}}
    bound = {"authority": AUTHORITY, "send_at": {"$lte": NOW}, "batch": {"$gt": ""}}
    theirs = {"authority": AUTHORITY, "send_at": {"$lte": NOW}, "batch": {"$exists": True}}
    of_a_batch, standing = {"batch": "one"}, {"at": {"$lte": NOW}}
    for wanted in (due, ours, bound, theirs, of_a_batch, standing):
        plan = str((await database["notices"].find(wanted).explain())["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in plan, wanted
    covered = database["notices"].find(due, {"_id": 0, "authority": 1}).sort("send_at", 1).hint("waiting")
    assert "FETCH" not in str((await covered.explain())["queryPlanner"]["winningPlan"])


async def test_indexes_of_the_release_before_are_gone_once_this_one_has_started(database: mongo.Database) -> None:
    """So what has been told is in no index but the two by which it is known again and forgotten."""
    store = Store(database)
    await store.notice([told()], NOW)
    await store.waiting.told(await _of(store), NOW)
    names = set(await database["notices"].index_information())
    assert names == {"_id_", "waiting", "waiting_of", "at_1", "batch_1", "forgotten"}
    held = await database["notices"].aggregate([{"$indexStats": {}}])
    assert {one["name"] async for one in held} == names
    for name in names - {"_id_", "forgotten"}:
        kept = database["notices"].find({"_id": {"$exists": True}}).hint(name)
        assert [one async for one in kept] == []
