"""Who may do what in the broker and the registry. What a hostile system tries is in `test_attacks.py`."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import aiormq
import pytest
from aiormq.exceptions import AMQPError
from pamqp.commands import Basic

from client.account import password_hash
from contracts.registry import Account, ConnectSystem, Search
from contracts.topology import RESERVED, exchange_of, inbox_of
from tests.broker.raw import RawSystem, raw_system
from tests.world import HANDLER, World

pytestmark = pytest.mark.servers


async def test_services_ask_for_no_more_than_they_need(world: World) -> None:
    """Casework's own account cannot read an inbox, speak as translation, or declare anything."""
    url = world.exchange.amqp_url("service.casework", world.exchange.passwords["casework"])
    attempts: list[Callable[[RawSystem], Awaitable[object]]] = [
        lambda s: s.channel.basic_get(inbox_of("de-kammer")),
        lambda s: s.send(b"{}", exchange="translation", routing_key=inbox_of("de-kammer")),
        lambda s: s.send(b"{}", exchange=exchange_of("de-kammer"), message_type=Search.TYPE),
        lambda s: s.channel.queue_declare("mine"),
        lambda s: s.channel.basic_get("registry.commands.de-kammer"),
    ]
    for attempt in attempts:
        async with raw_system(url, "service.casework", listening=False) as service:
            with pytest.raises((AMQPError, ConnectionError)):
                await attempt(service)


@pytest.mark.parametrize("name", sorted(RESERVED))
async def test_no_coordinator_becomes_the_operator(world: World, name: str) -> None:
    """A system cannot be given the name of an account that is more than a system; its password stays what it was."""
    async with world.system("de-nimic") as coordinator:
        account = Account(system=name, password_hash=password_hash("mine"), languages=("de",))
        outcome = await coordinator.outcome(
            ConnectSystem(authority=world.ids["de-nimic"], account=account, user=HANDLER)
        )
        assert outcome.refused
        assert outcome.refused.code == "system-exists"
    with pytest.raises((AMQPError, ConnectionError)):
        await aiormq.connect(world.exchange.amqp_url(name, "mine"))


async def test_a_coordinator_connects_no_system_of_another_name_twice(world: World) -> None:
    """A name that is taken cannot be taken over, by the same coordinator or by another's."""
    for nimic in ("de-nimic", "hu-nimic"):
        async with world.system(nimic) as coordinator:
            account = Account(system="de-kammer", password_hash=password_hash("mine"), languages=("de",))
            outcome = await coordinator.outcome(
                ConnectSystem(authority=world.ids[nimic], account=account, user=HANDLER)
            )
            assert outcome.refused
            assert outcome.refused.code == "system-exists"
    async with world.system("de-kammer"):
        pass


async def test_a_flood_by_one_system_leaves_the_others_answered(world: World) -> None:
    """While one system floods its lane until it is turned away, every command of another is answered."""
    async with (
        raw_system(world.url("de-other"), "de-other") as flooder,
        raw_system(world.url("de-kammer"), "de-kammer") as polite,
    ):
        stop = asyncio.Event()
        turned_away = 0

        async def flood() -> None:
            nonlocal turned_away
            while not stop.is_set():
                sends = (flooder.command(Search.TYPE, b"{}", str(uuid.uuid4())) for _ in range(500))
                results = await asyncio.gather(*sends, return_exceptions=True)
                turned_away += sum(isinstance(result, BaseException) for result in results)

        flooding = asyncio.create_task(flood())
        ids = [str(uuid.uuid4()) for _ in range(100)]
        for message_id in ids:
            await polite.command(Search.TYPE, b"{}", message_id)
            await asyncio.sleep(0.01)
        outcomes = [await polite.outcome(message_id) for message_id in ids]
        stop.set()
        await flooding
        assert [outcome["status"] for outcome in outcomes] == ["done"] * len(ids)


async def test_properties_are_as_documented(world: World) -> None:
    """An inbox message says its type, its id and its correlation, and survives a restart of the broker."""
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:
        message_id = str(uuid.uuid4())
        await system.command(Search.TYPE, b"{}", message_id)
        properties, _ = await system.receive(lambda p, _: p.correlation_id == message_id)
        assert isinstance(properties, Basic.Properties)
        assert (properties.message_type, properties.content_type, properties.delivery_mode) == (
            "inbox.outcome.v1",
            "application/json",
            2,
        )
