"""A service that is killed between any two steps of the chain loses nothing and does nothing twice."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from contracts.casework import SendRequest
from contracts.identity import case_id
from deploy.local.exchange import Exchange
from deploy.local.waiting import until
from tests.broker.faulty import arm
from tests.broker.management import depth
from tests.broker.raw import RawSystem, raw_system
from tests.world import World, can_log_in, connection, register, update

pytestmark = pytest.mark.servers

MODULES = {
    "casework": "services.casework.app",
    "translation": "services.translation.app",
    "registry": "services.registry.app",
    "provisioner": "services.registry.provisioner",
}
BATCH = 8
CASE_POINTS = [
    ("casework", "before the write"),
    ("casework", "between write and publish"),
    ("casework", "between two publishes"),
    ("casework", "between publish and acknowledgement"),
    ("casework", "after the acknowledgement"),
    ("translation", "before the first publish"),
    ("translation", "between two publishes"),
    ("translation", "between publish and acknowledgement"),
]
ONBOARDING_POINTS = [
    ("registry", "before the write"),
    ("registry", "between write and publish"),
    ("registry", "between publish and acknowledgement"),
    ("registry", "before an event is passed on"),
    ("registry", "after an event is passed on"),
    ("provisioner", "before the account is made"),
    ("provisioner", "after the account is made"),
    ("provisioner", "after an event is passed on"),
]


@contextmanager
def killed_at(exchange: Exchange, service: str, point: str, folder: Path) -> Iterator[None]:
    """Have a service run that kills itself at the point, and in the end one that does not."""
    mark = folder / "mark"
    exchange.stop(*exchange.of(service))
    settings = {"IMI_TEST_MODULE": MODULES[service], "IMI_TEST_POINT": point, "IMI_TEST_MARK": str(mark)}
    doomed = exchange.start(service, "tests.broker.faulty", settings)
    try:
        exchange.wait_until_ready()
        arm(mark, point)
        yield
        until(lambda: not doomed.program.runs, f"{service} was not killed {point}", within=30)
    finally:
        exchange.stop(doomed)
        exchange.start(service)
        exchange.wait_until_ready()


@asynccontextmanager
async def dying(exchange: Exchange, service: str, point: str, folder: Path) -> AsyncIterator[None]:
    """As `killed_at`, with the waiting done beside the event loop."""
    around = killed_at(exchange, service, point, folder)
    await asyncio.to_thread(around.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(around.__exit__, None, None, None)


@pytest.mark.parametrize(("service", "point"), CASE_POINTS, ids=[" ".join(one) for one in CASE_POINTS])
async def test_every_request_is_sent_once_whenever_a_service_dies(
    world: World, tmp_path: Path, service: str, point: str
) -> None:
    """Requests sent while the service dies: each has one case and one outcome, and reaches its recipient."""
    ids = [str(uuid.uuid4()) for _ in range(BATCH)]
    body = world.request().model_dump(mode="json", exclude_none=True)
    async with (
        raw_system(world.url("de-kammer"), "de-kammer") as germany,
        raw_system(world.url("hu-hivatal"), "hu-hivatal") as hungary,
    ):
        async with dying(world.exchange, service, point, tmp_path):
            await asyncio.gather(*(germany.command(SendRequest.TYPE, body, one) for one in ids))
        cases = [(await germany.outcome(one))["case"]["id"] for one in ids]
        assert cases == [case_id("de-kammer", one) for one in ids]
        for case in cases:
            await hungary.receive(lambda _, b, case=case: b["kind"] == "case" and b["case"]["id"] == case)  # type: ignore[misc]
        await _nothing_is_left(world.exchange)
        assert [len(set(_ids(germany, one))) for one in ids] == [1] * BATCH, "more than one outcome"
    assert [len(case["history"]) for case in _stored(world.exchange, cases)] == [1] * BATCH
    await _goes_on(world, cases[0])


async def test_a_command_that_was_carried_out_before_it_expired_is_told_so(world: World, tmp_path: Path) -> None:
    """Killed after the write, and expired before it comes again: the outcome is the case, not `expired`."""
    message_id = str(uuid.uuid4())
    body = world.request().model_dump(mode="json", exclude_none=True)
    async with raw_system(world.url("de-kammer"), "de-kammer") as germany:
        async with dying(world.exchange, "casework", "between write and publish", tmp_path):
            await germany.command(SendRequest.TYPE, body, message_id, expiration="1500")
            await asyncio.sleep(2)
        outcome = await germany.outcome(message_id)
        assert outcome["status"] == "done"
        assert outcome["case"]["id"] == case_id("de-kammer", message_id)


@pytest.mark.parametrize(("service", "point"), ONBOARDING_POINTS, ids=[" ".join(one) for one in ONBOARDING_POINTS])
async def test_a_system_is_connected_once_whenever_a_service_dies(
    world: World, tmp_path: Path, service: str, point: str
) -> None:
    """A system that is connected while the registry or the provisioner dies can log in and register an authority."""
    name, message_id = f"de-{uuid.uuid4().hex[:8]}", str(uuid.uuid4())
    command = connection(world, "de-nimic", name, "de")
    async with world.system("de-nimic") as coordinator:
        async with dying(world.exchange, service, point, tmp_path):
            await coordinator.send(command, message_id)
        await can_log_in(coordinator, name)
        again = await coordinator.do(command, message_id)
        assert again.system == name
    await register(world, "DE", "de", name, f"Kammer {name}")
    with _database(world.exchange, "registry") as registry:
        assert [len(one["history"]) for one in registry["systems"].find({"_id": name})] == [1]


async def _goes_on(world: World, case: str) -> None:
    async with world.both() as (germany, hungary):
        await hungary.do(world.accept(case))
        await hungary.do(world.reply(case))
        closed = (await germany.do(world.close(case))).case
        assert closed
        assert (closed.state.code, closed.version) == ("closed", 4)
        assert (await update(hungary, case, 4)).state.code == "closed"


async def _nothing_is_left(exchange: Exchange) -> None:
    """Return when the queues between the services are empty: whatever comes twice has come by then."""
    queues = ("casework.commands.de-kammer", "translation.views")
    await asyncio.to_thread(until, lambda: not any(depth(exchange, queue) for queue in queues), "queues stay full", 20)


def _ids(system: RawSystem, message_id: str) -> list[str]:
    return [outcome_id for outcome_id, _ in system.outcomes(message_id)]


def _stored(exchange: Exchange, cases: list[str]) -> list[dict[str, Any]]:
    with _database(exchange, "casework") as casework:
        return list(casework["cases"].find({"_id": {"$in": cases}}))


@contextmanager
def _database(exchange: Exchange, name: str) -> Iterator[Any]:
    admin = exchange.addresses.mongo_admin
    with MongoClient[dict[str, Any]](exchange.addresses.mongo_url(admin.name, admin.password)) as client:
        yield client[name]
