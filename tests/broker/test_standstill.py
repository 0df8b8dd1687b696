"""After a standstill everything that has become due is caught up, some hundreds at a time, and none of it twice."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from contracts import own
from services.casework import sweeping
from services.casework.keys import KeyFolder
from services.casework.store import Store
from services.casework.sweeping import AT_ONCE, Sweeper
from services.chassis import mongo
from services.chassis.bus import Outgoing
from services.chassis.feed import Feed
from tests.unit.samples import history_until
from tests.world import World

pytestmark = pytest.mark.servers

CASES = 2 * AT_ONCE + 100


class Told:
    """A feed that keeps what is published."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []

    async def publish(self, message: Outgoing) -> None:
        self.messages.append(message)


@pytest.fixture
async def store(world: World) -> AsyncIterator[Store]:
    """A database of its own in which a thousand requests were let pass by everybody."""
    admin = world.exchange.addresses.mongo_admin
    database = mongo.connect(world.exchange.addresses.mongo_url(admin.name, admin.password), "standstill")
    made = Store(database)
    await made.prepare()
    history = history_until("awaiting-acceptance")
    documents = []
    for number in range(CASES):
        keyed = tuple({**entry, "key": f"{number}/{place}"} for place, entry in enumerate(history))
        document = {"_id": f"0000-0000-{number:04}", "rev": 1, "history": keyed}
        documents.append({**document, **made._projection(str(document["_id"]), keyed)})
    await made.collection.insert_many(documents)
    yield made
    await database.client.drop_database("standstill")
    await database.client.close()


def sweeper(store: Store, folder: Path, told: Told) -> Sweeper:
    """A replica that looks for what is due."""
    return Sweeper(store, cast("Feed", told), KeyFolder(folder, [bytes(32)]), 1)


async def test_a_look_tells_some_hundreds_and_the_next_goes_on_when_those_are_done(
    store: Store, tmp_path: Path
) -> None:
    """What was told and is not done yet is not told again at once: a month's standstill is no storm."""
    told = Told()
    looking = sweeper(store, tmp_path, told)
    seen = set[str]()
    for _ in range(4):
        await looking.turn()
        await looking.turn()
        cases = [own.TimePassed.model_validate_json(message.body).case for message in told.messages]
        assert len(cases) == len(set(cases)) <= AT_ONCE
        assert not seen & set(cases)
        seen |= set(cases)
        done = {"$set": {"act_at": datetime.now(UTC) + timedelta(days=60)}}
        await store.collection.update_many({"_id": {"$in": cases}}, done)
        told.messages.clear()
    assert len(seen) == CASES


async def test_replicas_that_tell_the_same_tell_it_under_the_same_id(store: Store, tmp_path: Path) -> None:
    """So it is done once, whoever was first."""
    one, other = Told(), Told()
    for told in (one, other):
        await sweeper(store, tmp_path, told).turn()
    assert [message.message_id for message in one.messages] == [message.message_id for message in other.messages]
    assert len(one.messages) == AT_ONCE


async def test_cases_of_which_nothing_comes_do_not_hold_up_the_others(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as one look tells, due before all others, and what is said to them is parked every time."""
    monkeypatch.setattr(sweeping, "TOLD_AGAIN_AFTER", -1.0)  # as if so long had passed between any two looks
    told = Told()
    looking = sweeper(store, tmp_path, told)
    for _ in range(3 * 3):  # each page twice, and then the next
        await looking.turn()
    assert len({message.message_id for message in told.messages}) == CASES
