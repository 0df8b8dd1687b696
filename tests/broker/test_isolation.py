"""A connected system that wants harm, by its own valid account, against the real broker."""

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

Attack = Callable[[RawSystem], Awaitable[object]]


async def _take(_: aiormq.abc.DeliveredMessage) -> None: ...


ATTACKS: dict[str, Attack] = {
    "read another's inbox": lambda s: s.channel.basic_consume(inbox_of("hu-hivatal"), _take),
    "get from another's inbox": lambda s: s.channel.basic_get(inbox_of("hu-hivatal")),
    "read its own lane": lambda s: s.channel.basic_get("casework.commands.de-kammer"),
    "read what is said inside": lambda s: s.channel.basic_get("translation.views"),
    "read what is parked": lambda s: s.channel.basic_get("casework.parked"),
    "have something handled again": lambda s: s.send(b"{}", exchange="replay", routing_key="casework.again"),
    "read what was done about it": lambda s: s.channel.basic_get("replays"),
    "purge another's inbox": lambda s: s.channel.queue_purge(inbox_of("hu-hivatal")),
    "purge its own inbox's queue away": lambda s: s.channel.queue_delete(inbox_of("de-kammer")),
    "write another's exchange": lambda s: s.send(b"{}", exchange=exchange_of("hu-hivatal"), message_type=Search.TYPE),
    "write the operator's exchange": lambda s: s.send(b"{}", exchange=exchange_of("operator"), routing_key="x"),
    "write as translation": lambda s: s.send(b"{}", exchange="translation", routing_key=inbox_of("hu-hivatal")),
    "write as casework": lambda s: s.send(b"{}", exchange="casework", routing_key="views"),
    "write to its own undelivered": lambda s: s.send(b"{}", exchange="undelivered.de-kammer"),
    "use the default exchange": lambda s: s.send(b"{}", exchange="", routing_key=inbox_of("hu-hivatal")),
    "forge its user id": lambda s: s.command(Search.TYPE, b"{}", "1", user_id="hu-hivatal"),
    "declare a queue": lambda s: s.channel.queue_declare("mine"),
    "declare an exchange": lambda s: s.channel.exchange_declare(exchange="mine"),
    "bind its inbox to the inside": lambda s: s.channel.queue_bind(inbox_of("de-kammer"), "casework", "#"),
    "bind another's inbox to its own": lambda s: s.channel.queue_bind(inbox_of("hu-hivatal"), s.exchange, "#"),
    "bind exchanges": lambda s: s.channel.exchange_bind(destination=exchange_of("de-kammer"), source="casework"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_the_broker_refuses(world: World, attack: Attack) -> None:
    """Each attempt ends with an error on the attacker's own channel."""
    async with raw_system(world.url("de-kammer"), "de-kammer", listening=False) as system:
        with pytest.raises((AMQPError, ConnectionError)):
            await attack(system)


async def test_a_wrong_password_opens_nothing(world: World) -> None:
    """Nor does another system's password."""
    url = world.exchange.amqp_url("hu-hivatal", world.exchange.systems["de-kammer"])
    with pytest.raises((AMQPError, ConnectionError)):
        await aiormq.connect(url)


@pytest.mark.parametrize("header", ["CC", "BCC"])
async def test_carbon_copies_reach_nobody_else(world: World, header: str) -> None:
    """A copy can at most go to another lane of the same sender, where its type is refused."""
    async with (
        raw_system(world.url("de-kammer"), "de-kammer") as attacker,
        raw_system(world.url("hu-hivatal"), "hu-hivatal") as victim,
    ):
        message_id = str(uuid.uuid4())
        targets = [inbox_of("hu-hivatal"), "casework.commands.hu-hivatal", "views", "casework.send_request.v1"]
        await attacker.command(Search.TYPE, b"{}", message_id, headers={header: targets})
        _, done = await attacker.receive(lambda p, b: p.correlation_id == message_id and b["status"] == "done")
        assert done["found"] is not None
        _, refused = await attacker.receive(lambda p, b: p.correlation_id == message_id and b["status"] == "refused")
        assert refused["refused"]["code"] == "unknown-type"
        assert not victim.outcomes(message_id)


@pytest.mark.parametrize(
    "reply_to", ["inbox.hu-hivatal", "inbox.hu-hivatal|translation", "casework.commands.hu-hivatal|in.hu-hivatal"]
)
async def test_reply_to_makes_no_service_publish_anywhere(world: World, reply_to: str) -> None:
    """The outcome goes to the sender's own inbox, whatever it asks for."""
    async with (
        raw_system(world.url("de-kammer"), "de-kammer") as attacker,
        raw_system(world.url("hu-hivatal"), "hu-hivatal") as victim,
    ):
        message_id = str(uuid.uuid4())
        await attacker.command(Search.TYPE, b"{}", message_id, reply_to=reply_to)
        await attacker.outcome(message_id)
        sentinel = str(uuid.uuid4())
        await victim.command(Search.TYPE, b"{}", sentinel)
        await victim.outcome(sentinel)
        assert not victim.outcomes(message_id)


async def test_services_ask_for_no_more_than_they_need(world: World) -> None:
    """Casework's own account cannot read an inbox, speak as translation, or declare anything."""
    url = world.exchange.amqp_url("service.casework", world.exchange.passwords["casework"])
    attempts: list[Attack] = [
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
