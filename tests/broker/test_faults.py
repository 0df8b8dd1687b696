"""Servers and services come and go: nothing is lost, nothing is done twice, and what cannot succeed is put aside."""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable

import httpx
import pytest

from contracts.casework import SendRequest
from deploy.local.exchange import Exchange
from deploy.local.waiting import until
from tests.broker.management import purge, remove, restore, take
from tests.broker.raw import RawSystem, raw_system
from tests.world import HOLDER, World, connect

pytestmark = pytest.mark.servers

COMMANDS = 60


async def _roll(exchange: Exchange, service: str) -> None:
    """Start a second replica, and end the first in good order."""
    before = list(exchange.of(service))
    await asyncio.to_thread(exchange.start, service)
    await asyncio.to_thread(exchange.wait_until_ready)
    await asyncio.to_thread(exchange.stop, *before)


async def _send_slowly(system: RawSystem, body: dict[str, object], ids: list[str]) -> None:
    for message_id in ids:
        await system.command(SendRequest.TYPE, body, message_id)
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("service", ["casework", "translation"])
async def test_a_service_rolled_over_under_load_loses_and_repeats_nothing(world: World, service: str) -> None:
    """A replica that is asked to end finishes what it has in hand: every command has one outcome, sent once."""
    ids = [str(uuid.uuid4()) for _ in range(COMMANDS)]
    body = world.request().model_dump(mode="json", exclude_none=True)
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:
        sending = asyncio.create_task(_send_slowly(system, body, ids))
        await asyncio.sleep(0.3)
        await _roll(world.exchange, service)
        await sending
        outcomes = [await system.outcome(message_id) for message_id in ids]
        assert {outcome["status"] for outcome in outcomes} == {"done"}
        assert [len(system.outcomes(message_id)) for message_id in ids] == [1] * COMMANDS


async def test_three_replicas_share_the_work(world: World) -> None:
    """Any number of replicas: each command is done by one of them."""
    ids = [str(uuid.uuid4()) for _ in range(COMMANDS)]
    body = world.request().model_dump(mode="json", exclude_none=True)
    for _ in range(2):
        await asyncio.to_thread(world.exchange.start, "casework")
    await asyncio.to_thread(world.exchange.wait_until_ready)
    try:
        async with raw_system(world.url("de-kammer"), "de-kammer") as system:
            await asyncio.gather(*(system.command(SendRequest.TYPE, body, message_id) for message_id in ids))
            outcomes = [await system.outcome(message_id) for message_id in ids]
            assert len({outcome["case"]["id"] for outcome in outcomes}) == COMMANDS
    finally:
        await asyncio.to_thread(world.exchange.stop, *world.exchange.of("casework")[1:])


async def _database_restarts(exchange: Exchange) -> None:
    await asyncio.to_thread(exchange.servers.mongodb.kill)
    await asyncio.sleep(1)
    await asyncio.to_thread(exchange.servers.mongodb.start)


async def _database_freezes(exchange: Exchange) -> None:
    await asyncio.to_thread(exchange.servers.mongodb.pause)
    await asyncio.sleep(2)
    await asyncio.to_thread(exchange.servers.mongodb.resume)


async def _broker_restarts(exchange: Exchange) -> None:
    await asyncio.to_thread(exchange.servers.rabbitmq.kill)
    await asyncio.to_thread(exchange.servers.rabbitmq.start)
    await asyncio.to_thread(exchange.wait_until_ready)


FAULTS: dict[str, Callable[[Exchange], Awaitable[None]]] = {
    "the database is killed": _database_restarts,
    "the database freezes": _database_freezes,
    "the broker is killed": _broker_restarts,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_server_that_goes_and_comes_back_costs_nothing(
    world: World, fault: Callable[[Exchange], Awaitable[None]]
) -> None:
    """Commands confirmed before the fault are answered after it, each under one outcome id."""
    if not world.exchange.servers.ours:
        pytest.skip("the servers were given by their addresses: they are not ours to stop")
    ids = [str(uuid.uuid4()) for _ in range(COMMANDS)]
    body = world.request().model_dump(mode="json", exclude_none=True)
    async with raw_system(world.url("de-kammer"), "de-kammer", listening=False) as system:
        await asyncio.gather(*(system.command(SendRequest.TYPE, body, message_id) for message_id in ids))
        await fault(world.exchange)
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:
        for message_id in ids:
            assert (await system.outcome(message_id))["status"] == "done"
        assert [len({one for one, _ in system.outcomes(message_id)}) for message_id in ids] == [1] * COMMANDS


async def test_a_service_that_starts_without_a_broker_waits_for_it(world: World) -> None:
    """Whatever comes first: when both are there, it serves."""
    exchange = world.exchange
    if not exchange.servers.ours:
        pytest.skip("the servers were given by their addresses: they are not ours to stop")
    await asyncio.to_thread(exchange.servers.rabbitmq.kill)
    before = list(exchange.of("casework"))
    await asyncio.to_thread(exchange.start, "casework")
    await asyncio.to_thread(exchange.stop, *before)
    await asyncio.to_thread(exchange.servers.rabbitmq.start)
    await asyncio.to_thread(exchange.wait_until_ready)
    async with world.system("de-kammer") as system:
        await system.do(world.request())


async def test_what_cannot_succeed_is_parked_with_its_reason(world: World) -> None:
    """A view that makes no sense is put aside, its content with it; the next one goes through."""
    purge(world.exchange, "translation.parked")
    url = world.exchange.amqp_url("service.casework", world.exchange.passwords["casework"])
    async with raw_system(url, "service.casework", listening=False) as casework:
        poison = {"message_type": "exchange.views.v1", "message_id": "poison", "exchange": "casework"}
        await casework.send(b'{"views": [{"nonsense": 1}]}', routing_key="views", delivery_mode=2, **poison)
    async with world.system("de-kammer") as system:
        await system.do(world.request())
    headers, body = take(world.exchange, "translation.parked")
    assert body == '{"views": [{"nonsense": 1}]}'
    assert headers["imi-queue"] == "translation.views"
    assert headers["imi-message-id"] == "poison"
    assert headers["imi-reason"]


async def test_a_missing_lane_leaves_the_others_served(world: World) -> None:
    """Somebody deletes a lane: the commands of all other systems are answered, and the service says it is not ready."""
    lane, casework = "casework.commands.de-other", world.exchange.of("casework")[0]
    definition = remove(world.exchange, lane)
    try:
        await asyncio.to_thread(until, lambda: not casework.ready(), "casework does not notice", 20)
        async with world.system("de-kammer") as system:
            await system.do(world.request())
    finally:
        restore(world.exchange, definition)
    await asyncio.to_thread(world.exchange.wait_until_ready)


async def test_an_event_that_makes_no_sense_is_parked_and_the_next_one_taken(world: World) -> None:
    """Also where FastStream consumes: the feed goes on."""
    purge(world.exchange, "casework.parked")
    url = world.exchange.amqp_url("service.registry", world.exchange.passwords["registry"])
    async with raw_system(url, "service.registry", listening=False) as registry:
        properties = {"message_type": "registry.authority.v1", "message_id": "nonsense", "delivery_mode": 2}
        await registry.send(b"{}", exchange="registry", routing_key="event.authority", **properties)
    headers, _ = await asyncio.to_thread(take, world.exchange, "casework.parked")
    assert headers["imi-queue"] == "casework.events"
    await connect(world, "DE", "de", f"de-{uuid.uuid4().hex[:8]}", "Kammer danach")


async def test_a_view_for_a_system_without_an_inbox_is_parked(world: World) -> None:
    """Nothing that has no addressee vanishes."""
    purge(world.exchange, "translation.parked")
    message = {"kind": "system", "event": "connected", "system": "nobody"}
    view = {"to": "nobody", "message_id": str(uuid.uuid4()), "message": message}
    url = world.exchange.amqp_url("service.casework", world.exchange.passwords["casework"])
    async with raw_system(url, "service.casework", listening=False) as casework:
        properties = {"message_type": "exchange.views.v1", "message_id": "lost", "delivery_mode": 2}
        await casework.send({"views": [view]}, exchange="casework", routing_key="views", **properties)
    headers, _ = await asyncio.to_thread(take, world.exchange, "translation.parked")
    assert headers["imi-reason"] == "unroutable"


async def test_every_process_says_that_it_lives_and_what_it_counts(world: World) -> None:
    """`/health/live`, `/health/ready` and `/metrics` answer; no label holds what a sender controls."""
    async with world.system("de-kammer") as system, httpx.AsyncClient(trust_env=False) as client:
        await system.outcome(world.request(wished_date="2020-01-01"))
        for replica in world.exchange.replicas:
            assert (await client.get(f"{replica.url}/health/live")).status_code == 200
            assert (await client.get(f"{replica.url}/health/ready")).status_code == 200
            metrics = (await client.get(f"{replica.url}/metrics")).text
            assert "imi_" in metrics
            assert not [word for word in (HOLDER, *world.ids.values(), "Nordrhein") if word in metrics]
            assert {name for name in labels_of(metrics) if "de-kammer" in name} <= {'system="de-kammer"'}
        casework = (await client.get(f"{world.exchange.of('casework')[0].url}/metrics")).text
        assert 'imi_refusals_total{code="date-in-the-past"}' in casework


def labels_of(metrics: str) -> set[str]:
    """Every label with its value, in the text form of metrics."""
    return set(re.findall(r'\w+="[^"]*"', metrics))


async def test_no_log_holds_what_a_case_is_about(world: World) -> None:
    """Neither personal data nor a password stands in any log of the run."""
    logs = "".join(path.read_text() for path in (world.exchange.folder / "logs").glob("*.log"))
    assert "Planted Person" not in logs
    assert not [password for password in world.exchange.passwords.values() if password in logs]
