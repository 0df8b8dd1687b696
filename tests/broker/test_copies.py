"""Copies of the registry's data on real servers: lost, stale, ahead, or told two things at once, they come right."""

import asyncio
import random
import uuid
from collections import ChainMap
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

import pytest
from aiormq.exceptions import AMQPError
from pymongo import MongoClient
from pymongo.collection import Collection

from contracts.casework import SendRequest
from contracts.directory import Compare, Replayed, Tally
from contracts.registry import Search
from deploy.local.exchange import Exchange
from deploy.local.waiting import until
from services.casework.store import Store
from services.chassis import mongo
from services.chassis.bus import Outgoing
from services.chassis.copies import total
from services.chassis.faults import outlast
from services.chassis.feed import Feed
from services.chassis.readmodel import ReadModel, Thing
from services.registry.copies import Copies
from tests.broker.management import depth, take_all
from tests.broker.raw import raw_system
from tests.world import World, register

pytestmark = pytest.mark.servers

Json = dict[str, Any]
COPIES = {
    "casework": ("authorities", "systems"),
    "translation": ("readers",),
    "notifier": ("authorities", "systems"),
}


@contextmanager
def databases(exchange: Exchange) -> Iterator[MongoClient[Json]]:
    """All databases, as an administrator sees them."""
    admin = exchange.addresses.mongo_admin
    with MongoClient[Json](exchange.addresses.mongo_url(admin.name, admin.password)) as client:
        yield client


def database_of(exchange: Exchange, name: str) -> mongo.Database:
    """One database, as a service has it."""
    admin = exchange.addresses.mongo_admin
    return mongo.connect(exchange.addresses.mongo_url(admin.name, admin.password), name)


def versions(collection: Collection[Json], **only: Any) -> dict[str, int]:
    """The version of everything that a collection holds, as far as it fits."""
    found = collection.find({"version": {"$gte": 1}, **only}, {"version": 1})
    return {str(one["_id"]): one["version"] for one in found}


def whole(client: MongoClient[Json], service: str) -> bool:
    """Whether a service's copies are as the registry's own things."""
    own = client["registry"]
    copied = [versions(client[service][name]) for name in COPIES[service]]
    return dict(ChainMap(*copied)) == versions(own["authorities"]) | versions(own["systems"], live=True)


async def holds(check: Callable[[], bool], what: str) -> None:
    """Return when it holds, without standing in the way of what else goes on."""
    await asyncio.to_thread(until, check, what)


@asynccontextmanager
async def load(world: World) -> AsyncIterator[list[str]]:
    """Requests and searches, one after the other, for as long as the block runs; then each has been answered."""
    sent: list[str] = []
    stop = asyncio.Event()
    request = world.request().model_dump(mode="json", exclude_none=True)
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:

        async def send() -> None:
            while not stop.is_set():
                kind, body = random.choice([(SendRequest.TYPE, request), (Search.TYPE, {})])
                sent.append(str(uuid.uuid4()))
                await system.command(kind, body, sent[-1])
                await asyncio.sleep(0.05)

        sending = asyncio.create_task(send())
        try:
            yield sent
        finally:
            stop.set()
            await sending
        for message_id in sent:
            await system.outcome(message_id)
        assert [len(system.outcomes(message_id)) for message_id in sent] == [1] * len(sent)


@pytest.mark.parametrize("service", COPIES)
async def test_a_copy_that_is_lost_is_made_again_while_everything_runs(world: World, service: str) -> None:
    """Each command meanwhile has one outcome, an authority that joins is in the copy too, and cases go on."""
    joining = f"Kammer {uuid.uuid4().hex[:8]}"
    with databases(world.exchange) as client:
        await holds(lambda: whole(client, service), "the copy is not whole to begin with")
        before = {name: sorted(client[service][name].distinct("_id")) for name in COPIES[service]}
        async with load(world):
            for name in COPIES[service]:
                client[service][name].drop()
            await register(world, "DE", "de", "de-other", joining)
            await holds(lambda: whole(client, service), "the copy is not made again")
        for name, ids in before.items():
            assert set(ids) <= set(client[service][name].distinct("_id"))
    async with world.system("de-kammer") as asking:
        assert (await asking.do(world.request())).case


@pytest.mark.parametrize("service", COPIES)
async def test_a_copy_that_is_stale_repairs_itself(world: World, service: str) -> None:
    """An event that it never heard of: an authority, and a system, as they were before."""
    authority, system = world.ids["hu-hivatal"], "hu-hivatal"
    with databases(world.exchange) as client:
        await holds(lambda: whole(client, service), "the copy is not whole to begin with")
        for key in (authority, system):
            collection = _where(client, service, key)
            true = collection.find_one({"_id": key})
            assert true
            older = {"version": true["version"] - 1, "stale": True}
            assert collection.update_one({"_id": key}, {"$set": older}).modified_count == 1
            await holds(partial(_is, collection, true), f"{key} is not repaired")


async def test_a_copy_that_is_ahead_is_left_as_it_is(world: World) -> None:
    """So it is after the registry was restored from a backup; what is missing beside it is repaired all the same."""
    ahead, missing = world.ids["hu-hivatal"], world.ids["de-kammer"]
    with databases(world.exchange) as client:
        await holds(lambda: whole(client, "notifier"), "the copy is not whole to begin with")
        copy = client["notifier"]["authorities"]
        true = copy.find_one({"_id": ahead})
        assert true
        later = {**true, "version": true["version"] + 10}
        copy.replace_one({"_id": ahead}, later)
        try:
            for _ in range(2):  # when it is back for the second time, the first answer has been taken whole
                copy.delete_one({"_id": missing})
                await holds(lambda: copy.find_one({"_id": missing}) is not None, "nothing is repaired")
            assert copy.find_one({"_id": ahead}) == later
        finally:
            copy.replace_one({"_id": ahead}, true)


async def test_no_system_can_have_anything_sent_again(world: World) -> None:
    """A comparison by a system is a command of no known type; no exchange of a service takes it, nor does the queue."""
    body = Compare(service="casework", authorities={}, systems=Tally(count=0, versions=0)).model_dump(mode="json")
    message_id = str(uuid.uuid4())
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:
        await system.command(Compare.TYPE, body, message_id, routing_key="compare")
        assert (await system.outcome(message_id))["refused"]["code"]
    for exchange, key in (("casework", "compare"), ("registry", "replay.casework")):
        async with raw_system(world.url("de-kammer"), "de-kammer", listening=False) as system:
            with pytest.raises((AMQPError, ConnectionError)):
                await system.send(body, exchange=exchange, routing_key=key, message_type=Compare.TYPE)
    for queue in ("registry.copies", "casework.replayed"):
        async with raw_system(world.url("de-kammer"), "de-kammer", listening=False) as system:
            with pytest.raises((AMQPError, ConnectionError)):
                await system.send(body, exchange="", routing_key=queue, message_type=Compare.TYPE)
        async with raw_system(world.url("de-kammer"), "de-kammer", listening=False) as system:
            with pytest.raises((AMQPError, ConnectionError)):
                await system.channel.basic_get(queue)


async def test_comparisons_are_read_and_come_to_an_end(world: World) -> None:
    """Nothing waits or is put aside: neither the comparisons nor what they led to."""
    with databases(world.exchange) as client:
        for service in COPIES:
            await holds(partial(whole, client, service), f"{service} is not whole")
    for queue in ("registry.copies", *(f"{service}.replayed" for service in COPIES)):
        await holds(partial(_is_empty, world.exchange, queue), f"{queue} does not empty")
    for parked in ("registry.parked", *(f"{service}.parked" for service in COPIES)):
        came_from = {str(headers["imi-queue"]) for headers in take_all(world.exchange, parked)}
        assert not came_from & {"registry.copies", *(f"{one}.replayed" for one in COPIES)}


class Sent:
    """Stands in for the feed by which the registry publishes, and keeps what that was."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Replayed]] = []

    async def publish(self, message: Outgoing) -> None:
        """Confirm."""
        self.messages.append((message.routing_key, Replayed.model_validate_json(message.body)))


async def test_what_differs_is_sent_again_in_order_and_nothing_else(world: World) -> None:
    """A copy that is whole is sent nothing; one that lacks a part, this part; one that lacks a system, all systems."""
    with databases(world.exchange) as client:
        await holds(partial(whole, client, "casework"), "the copy is not whole")
    registry, casework = database_of(world.exchange, "registry"), database_of(world.exchange, "casework")
    sent = Sent()
    copies, compare = Copies(registry, cast("Feed", sent)), await Store(casework).compare()
    await copies.compare(compare)
    assert not sent.messages
    part = world.ids["de-kammer"][:4]
    lacking = {key: tally for key, tally in compare.authorities.items() if key != part}
    await copies.compare(compare.model_copy(update={"authorities": lacking}))
    ((key, message),) = sent.messages
    assert key == "replay.casework"
    ids = [str(one["_id"]) async for one in registry["authorities"].find({"version": {"$gte": 1}}, {"_id": 1})]
    assert [one.id for one in message.authorities] == sorted(one for one in ids if one.startswith(part))
    assert not message.systems
    sent.messages.clear()
    await copies.compare(compare.model_copy(update={"systems": Tally(count=0, versions=0)}))
    ((_, message),) = sent.messages
    assert [one.id for one in message.systems] == sorted([str(one["_id"]) async for one in casework["systems"].find()])
    assert not message.authorities
    for database in (registry, casework):
        await database.client.close()


async def test_nobody_is_told_of_who_cannot_be_reached_yet(world: World, copy: ReadModel) -> None:
    """Neither a system that is not live nor an authority that has it, however much a copy lacks; all the others are."""
    registry, other = database_of(world.exchange, "registry"), copy.collection.database
    for name in ("authorities", "systems"):
        await other[name].insert_many([one async for one in registry[name].find()])
    await other["systems"].update_one({"_id": "hu-hivatal"}, {"$unset": {"live": ""}})
    sent = Sent()
    nothing = Tally(count=0, versions=0)
    await Copies(other, cast("Feed", sent)).compare(Compare(service="notifier", authorities={}, systems=nothing))
    authorities = {one.id for _, message in sent.messages for one in message.authorities}
    systems = {one.id for _, message in sent.messages for one in message.systems}
    assert not {world.ids["hu-hivatal"]} & authorities
    assert {world.ids[name] for name in ("de-nimic", "hu-nimic", "de-kammer", "de-other")} <= authorities
    assert "hu-hivatal" not in systems
    assert {"de-nimic", "hu-nimic", "de-kammer", "de-other"} <= systems
    await registry.client.close()


@pytest.fixture
async def copy(running: Exchange) -> AsyncIterator[ReadModel]:
    """A copy that holds nothing."""
    database = database_of(running, f"copies-{uuid.uuid4().hex}")
    yield ReadModel(database["things"])
    await database.client.drop_database(database.name)
    await database.client.close()


def thing(number: int, version: int) -> Thing:
    """A thing, whose fields say in which version."""
    return f"DE-{number:08}", version, {"said": f"$in {version}", "more": {"$version": version}}


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_is_newest_stands_in_whatever_order_it_comes(copy: ReadModel, seed: int) -> None:
    """Live events and replays, side by side, by several replicas: what is old never replaces what is new."""
    dice = random.Random(seed)
    replicas = [copy, ReadModel(copy.collection)]
    latest = {number: dice.randint(1, 6) for number in range(30)}
    events = [thing(number, version) for number, last in latest.items() for version in range(1, last + 1)]
    replays = [[thing(n, dice.randint(1, last)) for n, last in latest.items()] for _ in range(6)]
    replays.append([thing(n, last) for n, last in latest.items()])
    dice.shuffle(events)
    dice.shuffle(replays)
    steps = [lambda e=event: dice.choice(replicas).put(*e) for event in events]
    steps += [lambda r=replay: dice.choice(replicas).put_all(r) for replay in replays]
    dice.shuffle(steps)
    await asyncio.gather(*(outlast(step) for step in steps))
    found = await copy.get(thing(number, 1)[0] for number in latest)
    assert found == {key: {"_id": key, "version": version, **fields} for key, version, fields in _last(latest)}


def _last(latest: Mapping[int, int]) -> list[Thing]:
    return [thing(number, version) for number, version in latest.items()]


async def test_a_tally_counts_by_the_first_four_characters(copy: ReadModel) -> None:
    """State, dash, and one more; what has no version is nobody's copy, and what is filtered out does not count."""
    rows: list[Thing] = [("DE-0AAAAAAA", 2, {}), ("DE-0BBBBBBB", 3, {}), ("DE-1AAAAAAA", 4, {}), ("FR-0AAAAAAA", 5, {})]
    await copy.put_all([*rows, ("de-kammer", 7, {"system": True})])
    await copy.collection.insert_one({"_id": "refused:x"})
    assert await copy.tallies({"system": {"$ne": True}}) == {
        "DE-0": Tally(count=2, versions=5),
        "DE-1": Tally(count=1, versions=4),
        "FR-0": Tally(count=1, versions=5),
    }
    assert total(await copy.tallies({"system": True})) == Tally(count=1, versions=7)
    assert total(await copy.tallies()) == Tally(count=5, versions=21)


async def test_a_replay_is_seen_at_once(copy: ReadModel) -> None:
    """What was read a moment ago is not given out once it has been replaced."""
    await copy.put_all([thing(1, 1)])
    key = thing(1, 1)[0]
    assert (await copy.get([key]))[key]["version"] == 1
    await copy.put_all([thing(1, 2)])
    assert (await copy.get([key]))[key]["version"] == 2
    await copy.put_all([])


def _where(client: MongoClient[Json], service: str, key: str) -> Any:
    return next(client[service][name] for name in COPIES[service] if client[service][name].find_one({"_id": key}))


def _is(collection: Collection[Json], document: Json) -> bool:
    return collection.find_one({"_id": document["_id"]}) == document


def _is_empty(exchange: Exchange, queue: str) -> bool:
    return depth(exchange, queue) == 0
