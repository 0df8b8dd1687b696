"""The whole life of connected systems on the real broker: cut off, let in again, rotated, closed, repaired."""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiormq
import httpx
import pytest
from aiormq.exceptions import AMQPError
from pymongo import MongoClient
from pymongo.collection import Collection

from client.account import new_password, password_hash
from client.system import System
from contracts.directory import SystemHappening
from contracts.inbox import AuthorityUpdate, Outcome, SystemUpdate
from contracts.registry import (
    Account,
    Approve,
    CloseSystem,
    ConnectSystem,
    ReinstateSystem,
    RotateCredential,
    Search,
    SuspendSystem,
)
from contracts.topology import OPERATOR, VHOST, exchange_of, inbox_of, queues_of
from contracts.types import FreeText, Message
from deploy.local.exchange import Exchange
from deploy.local.waiting import until
from tests.broker.administering import NOTHING, Administrator, administrator, everything, right
from tests.broker.raw import RawSystem, raw_system
from tests.world import HANDLER, World, account, can_log_in, connection, register

pytestmark = pytest.mark.servers

WITHIN = 5
"""Seconds within which a suspended system is cut off."""
REASON = FreeText(text="Lost laptop", language="en")
NIMIC = "de-nimic"


def a_name() -> str:
    """A name that no system has had."""
    return f"de-{uuid.uuid4().hex[:8]}"


def suspend(world: World, name: str, nimic: str = NIMIC) -> SuspendSystem:
    """A coordinator's command."""
    return SuspendSystem(authority=world.ids[nimic], system=name, reason=REASON, user=HANDLER)


def reinstate(world: World, name: str) -> ReinstateSystem:
    """A coordinator's command."""
    return ReinstateSystem(authority=world.ids[NIMIC], system=name, user=HANDLER)


def close(world: World, name: str) -> CloseSystem:
    """A coordinator's command."""
    return CloseSystem(authority=world.ids[NIMIC], system=name, reason=REASON, user=HANDLER)


def rotation(name: str, password: str) -> RotateCredential:
    """The command by which a credential is replaced."""
    new = Account(system=name, password_hash=password_hash(password), languages=("de",))
    return RotateCredential(account=new, user=HANDLER)


async def connect(world: World, coordinator: System) -> str:
    """Connect one more system, which acts for nobody yet; its name."""
    name = a_name()
    await coordinator.do(connection(world, NIMIC, name, "de"))
    await can_log_in(coordinator, name)
    return name


async def told(reader: System, name: str, event: SystemHappening) -> SystemUpdate:
    """Return when the reader is told that something of a system is in force."""
    async with reader.expecting() as inbox:
        async for message in inbox:
            if isinstance(message, SystemUpdate) and (message.system, message.event) == (name, event):
                return message
    raise AssertionError


async def opens(world: World, name: str, password: str | None = None) -> bool:
    """Whether a credential, by default the one the world knows, opens a connection."""
    try:
        opened = await aiormq.connect(world.exchange.amqp_url(name, password or world.exchange.systems[name]))
    except (AMQPError, ConnectionError):
        return False
    await opened.close()
    return True


async def refusal(system: System, command: Message) -> str:
    """The code with which a command is refused."""
    outcome = await system.outcome(command)
    assert outcome.refused
    return outcome.refused.code


async def cut(system: RawSystem) -> None:
    """Return when the broker has closed a connection."""
    await asyncio.wait([system.channel.connection.closing], timeout=None)


async def soon(check: Callable[[], bool], what: str) -> None:
    """Return when the check holds."""
    await asyncio.to_thread(until, check, what, 30)


@asynccontextmanager
async def somebody(world: World, name: str) -> AsyncIterator[RawSystem]:
    """A connected system that does not read its inbox; the broker may have closed its connection by the end."""
    async with raw_system(world.url(name), name, listening=False) as system:
        yield system


@pytest.fixture
def brisk(world: World) -> Iterator[World]:
    """The world with a registry that has the broker compared every second."""
    with registry(world.exchange, every="1"):
        yield world


@contextmanager
def registry(exchange: Exchange, every: str) -> Iterator[None]:
    """Have the registry run with another setting."""
    exchange.stop(*exchange.of("registry"))
    exchange.start("registry", settings={"IMI_RECONCILE_EVERY": every})
    exchange.wait_until_ready()
    try:
        yield
    finally:
        exchange.stop(*exchange.of("registry"))
        exchange.start("registry")
        exchange.wait_until_ready()


@contextmanager
def systems(exchange: Exchange) -> Iterator[Collection[dict[str, Any]]]:
    """What the registry keeps of systems."""
    admin = exchange.addresses.mongo_admin
    with MongoClient[dict[str, Any]](exchange.addresses.mongo_url(admin.name, admin.password)) as client:
        yield client["registry"]["systems"]


async def test_a_suspended_system_is_cut_off_within_five_seconds(world: World) -> None:
    """Its live connections are closed, its credential opens none, its permission is gone."""
    async with world.system(NIMIC) as coordinator:
        name = await connect(world, coordinator)
        async with somebody(world, name) as one, somebody(world, name) as other:
            async with asyncio.timeout(WITHIN):
                await coordinator.do(suspend(world, name))
                await asyncio.gather(cut(one), cut(other))
        update = await told(coordinator, name, "suspended")
        assert update.reason == REASON
    assert not await opens(world, name)
    with administrator(world.exchange) as admin:
        assert name not in admin.permissions()
        assert admin.connections(name) == 0


async def test_a_suspended_systems_inbox_is_kept_until_it_is_let_in_again(world: World) -> None:
    """What came before and meanwhile is read after the reinstatement, with the same credential."""
    async with world.system(NIMIC) as coordinator:
        name, message_id = await connect(world, coordinator), str(uuid.uuid4())
        async with somebody(world, name) as system:
            await system.command(Search.TYPE, b"{}", message_id)
            with administrator(world.exchange) as admin:
                await soon(lambda: admin.waiting(inbox_of(name)) == 1, "no outcome")
        await coordinator.do(suspend(world, name))
        await told(coordinator, name, "suspended")
        await coordinator.do(reinstate(world, name))
        await told(coordinator, name, "reinstated")
    async with raw_system(world.url(name), name) as system:
        assert (await system.outcome(message_id))["status"] == "done"
        _, meanwhile = await system.receive(lambda _, body: body.get("event") == "suspended")
        assert meanwhile["text"]
        await system.command(Search.TYPE, b"{}", "after")
        assert (await system.outcome("after"))["status"] == "done"


async def test_what_a_suspended_system_had_sent_is_refused(world: World) -> None:
    """A command that waits in a lane while its system is suspended is not carried out any more."""
    async with world.system(NIMIC) as coordinator:
        name = await connect(world, coordinator)
        await coordinator.do(suspend(world, name))
        await told(coordinator, name, "suspended")
        async with left_in_the_lane(world, name) as send:
            command = connection(world, NIMIC, a_name(), "de").model_dump_json(exclude_none=True).encode()
            for kind, body in (("registry.search.v1", b"{}"), ("registry.connect_system.v1", command)):
                await send(kind, body)
            with administrator(world.exchange) as admin:
                await soon(lambda: admin.waiting(inbox_of(name)) == 3, "no outcomes besides the word of the suspension")
        await coordinator.do(reinstate(world, name))
        await told(coordinator, name, "reinstated")
    async with raw_system(world.url(name), name) as system:
        for kind in ("registry.search.v1", "registry.connect_system.v1"):
            assert (await system.outcome(kind))["refused"]["code"] == "system-suspended"


@asynccontextmanager
async def left_in_the_lane(world: World, name: str) -> AsyncIterator[Callable[[str, bytes], Any]]:
    """Have something stand in a system's lane as it stood when it was cut off: an administrator puts it there."""
    user, password = "service.impersonator", new_password()
    with administrator(world.exchange) as admin:
        admin.put(f"/api/users/{user}", {"password": password, "tags": "impersonator"})
        admin.put(f"/api/permissions/{VHOST}/{user}", {"configure": "^$", "write": rf"^in\.{name}$", "read": "^$"})
        try:
            async with raw_system(world.exchange.amqp_url(user, password), name, listening=False) as system:

                async def send(kind: str, body: bytes) -> None:
                    await system.command(kind, body, kind)

                yield send
        finally:
            admin.delete(f"/api/users/{user}")


async def test_a_credential_is_rotated_while_the_system_works_on(world: World) -> None:
    """The old connection lives on; the old password opens no new one once the new one is told to be in force."""
    async with world.system(NIMIC) as coordinator:
        name = await connect(world, coordinator)
    old, new = world.exchange.systems[name], new_password()
    async with raw_system(world.url(name), name) as system:
        await system.command(RotateCredential.TYPE, rotation(name, new).model_dump_json().encode(), "rotate")
        assert (await system.outcome("rotate"))["status"] == "done"
        await system.receive(lambda _, body: body.get("event") == "rotated")
        assert not await opens(world, name, old)
        assert await opens(world, name, new)
        await system.command(Search.TYPE, b"{}", "after")
        assert (await system.outcome("after"))["status"] == "done"
    world.exchange.systems[name] = new


async def test_rotations_without_pause_do_not_stand_before_a_suspension(world: World) -> None:
    """Of many at once one is ordered; the others are refused until it is in force. The suspension comes next."""
    exchange = world.exchange
    async with world.system(NIMIC) as coordinator:
        name = await connect(world, coordinator)
        await asyncio.to_thread(exchange.stop, *exchange.of("provisioner"))
        try:
            async with raw_system(world.url(name), name) as system:
                for number in range(20):
                    body = rotation(name, new_password()).model_dump_json().encode()
                    await system.command(RotateCredential.TYPE, body, f"rotate-{number}")
                outcomes = [await system.outcome(f"rotate-{number}") for number in range(20)]
                await coordinator.do(suspend(world, name))
                with systems(exchange) as kept:
                    found = kept.find_one({"_id": name}) or {}
                    assert [entry["what"] for entry in found["history"]] == ["connected", "rotated", "suspended"]
                codes = [one["refused"]["code"] if one.get("refused") else None for one in outcomes]
                assert codes.count(None) == 1
                assert set(codes) == {None, "change-pending"}
                exchange.start("provisioner")
                await asyncio.wait_for(cut(system), WITHIN * 4)
        finally:
            await asyncio.to_thread(exchange.stop, *exchange.of("provisioner"))
            exchange.start("provisioner")
            await asyncio.to_thread(exchange.wait_until_ready)
        await told(coordinator, name, "suspended")


async def test_a_lost_word_of_the_provisioner_delays_a_rotation_until_the_next_comparison(brisk: World) -> None:
    """As when the database was restored from a backup that had been made before it came."""
    async with brisk.system(NIMIC) as coordinator:
        name = await connect(brisk, coordinator)
        await coordinator.do(rotation(name, new_password()))
        await told(coordinator, name, "rotated")
        with systems(brisk.exchange) as kept:
            assert kept.update_one({"_id": name}, {"$set": {"in_force": 1}}).modified_count == 1
            await soon(lambda: (kept.find_one({"_id": name}) or {})["in_force"] == 2, "it was not asked for again")
        await coordinator.do(rotation(name, new_password()))
        await told(coordinator, name, "rotated")


async def test_a_lost_credential_is_replaced_by_who_had_the_system_connected(world: World) -> None:
    """By nobody else: not the coordinator of another state, not another system, not the operator."""
    new = new_password()
    async with world.system(NIMIC) as coordinator:
        name = await connect(world, coordinator)
        for stranger in ("hu-nimic", "de-kammer", OPERATOR):
            async with world.system(stranger) as other:
                assert await refusal(other, rotation(name, "mine")) == "unknown-system"
        await coordinator.do(rotation(name, new))
        await told(coordinator, name, "rotated")
    assert not await opens(world, name, "mine")
    assert not await opens(world, name)
    assert await opens(world, name, new)


async def test_a_suspended_system_gets_a_new_credential_before_it_is_let_in_again(world: World) -> None:
    """While it is suspended no credential opens anything; afterwards the new one does."""
    new = new_password()
    async with world.system(NIMIC) as coordinator:
        name = await connect(world, coordinator)
        for command, event in ((suspend(world, name), "suspended"), (rotation(name, new), "rotated")):
            await coordinator.do(command)
            await told(coordinator, name, event)  # type: ignore[arg-type]
        assert not await opens(world, name)
        assert not await opens(world, name, new)
        await coordinator.do(reinstate(world, name))
        await told(coordinator, name, "reinstated")
    assert not await opens(world, name)
    assert await opens(world, name, new)


async def test_an_account_with_a_certificate_has_no_password(world: World) -> None:
    """Neither an empty one nor any other opens it; it has everything else that a system has."""
    name = a_name()
    proven = Account(system=name, certificate_subject=f"CN={name}", languages=("de",))
    async with world.system(NIMIC) as coordinator:
        await coordinator.do(ConnectSystem(authority=world.ids[NIMIC], account=proven, user=HANDLER))
        await can_log_in(coordinator, name)
    for password in ("", name, f"CN={name}"):
        with pytest.raises((AMQPError, ConnectionError)):
            await aiormq.connect(world.exchange.amqp_url(name, password))
    with administrator(world.exchange) as admin:
        assert admin.has(name) == everything(name)
        assert admin.permissions()[name] == right(name)


async def test_nothing_is_left_of_a_closed_system_and_its_name_stays_taken(world: World) -> None:
    """Account, permission, exchanges, lanes, inbox and bindings are gone, and its connections are closed."""
    async with world.system(NIMIC) as coordinator:
        name = await connect(world, coordinator)
        with administrator(world.exchange) as admin:
            assert admin.has(name) == everything(name)
            async with somebody(world, name) as system:
                await coordinator.do(close(world, name))
                await cut(system)
            await told(coordinator, name, "closed")
            assert admin.has(name) == NOTHING
        assert not await opens(world, name)
        assert await refusal(coordinator, connection(world, NIMIC, name, "de")) == "system-exists"


async def test_a_system_that_somebody_needs_is_not_closed(world: World) -> None:
    """A view for it could never be delivered."""
    async with world.system(NIMIC) as coordinator:
        assert await refusal(coordinator, close(world, "de-kammer")) == "system-in-use"


async def test_a_new_system_acts_for_those_whom_its_coordinator_named(world: World) -> None:
    """From the moment that it can log in; the old system acts for nobody then, and can be closed."""
    async with world.system(NIMIC) as coordinator:
        old, new = await connect(world, coordinator), a_name()
    await register(world, "DE", "de", old, f"Kammer {old}")
    async with world.system(NIMIC) as coordinator:
        command = ConnectSystem(
            authority=world.ids[NIMIC], account=account(world, new, "de"), acts_for=(world.ids[old],), user=HANDLER
        )
        await coordinator.do(command)
        await can_log_in(coordinator, new)
        async with world.system(new) as system, system.expecting() as inbox:
            async for message in inbox:
                if isinstance(message, AuthorityUpdate) and message.event == "system-assigned":
                    assert message.authority.id == world.ids[old]
                    break
        await coordinator.do(close(world, old))
        await told(coordinator, old, "closed")


async def test_nobody_decides_on_systems_but_their_coordinators(world: World) -> None:
    """Neither a system on itself, nor an authority on its coordinator, nor the coordinator of another state."""
    async with world.system("de-kammer") as system:
        assert await refusal(system, suspend(world, "de-kammer")) == "not-your-authority"
        assert await refusal(system, suspend(world, "de-other", nimic="de-kammer")) == "not-a-coordinator"
        own = world.ids["de-kammer"]
        assert await refusal(system, Approve(authority=own, applicant=own, user=HANDLER)) == "not-a-coordinator"
    async with world.system("hu-nimic") as foreign:
        assert await refusal(foreign, suspend(world, "de-kammer", nimic="hu-nimic")) == "unknown-system"
        assert await refusal(foreign, suspend(world, "de-kammer")) == "not-your-authority"
    async with world.system(NIMIC) as coordinator:
        assert await refusal(coordinator, suspend(world, NIMIC)) == "not-its-coordinator"
        assert await refusal(coordinator, suspend(world, OPERATOR)) == "unknown-system"
    assert await opens(world, "de-kammer")


async def test_systems_work_on_while_the_registry_is_down(world: World) -> None:
    """They log in, send and read; what they ask of the registry is answered when it is back."""
    exchange = world.exchange
    async with world.both() as (germany, hungary):
        await asyncio.to_thread(exchange.stop, *exchange.of("registry"))
        try:
            case = (await germany.do(world.request())).case
            assert case
            assert (await hungary.do(world.accept(case.id))).case
            assert await opens(world, "de-other")
            asked = await germany.send(Search())
        finally:
            exchange.start("registry")
            await asyncio.to_thread(exchange.wait_until_ready)
        async with germany.expecting() as inbox:
            async for message in inbox:
                if isinstance(message, Outcome) and message.command == asked:
                    assert message.status == "done"
                    break


SPOILED: dict[str, Callable[[Administrator, str], None]] = {
    "a lane": lambda a, s: a.delete(f"/api/queues/{VHOST}/casework.commands.{s}"),
    "an inbox": lambda a, s: a.delete(f"/api/queues/{VHOST}/{inbox_of(s)}"),
    "an exchange": lambda a, s: a.delete(f"/api/exchanges/{VHOST}/{exchange_of(s)}"),
    "a binding": lambda a, s: a.delete(f"/api/bindings/{VHOST}/e/translation/q/{inbox_of(s)}/{inbox_of(s)}"),
    "a permission": lambda a, s: a.delete(f"/api/permissions/{VHOST}/{s}"),
    "a wider permission": lambda a, s: a.put(
        f"/api/permissions/{VHOST}/{s}", {"configure": ".*", "write": ".*", "read": ".*"}
    ),
    "a permission elsewhere": lambda a, s: a.put(
        f"/api/permissions/%2F/{s}", {"configure": ".*", "write": ".*", "read": ".*"}
    ),
    "a topic permission": lambda a, s: a.put(
        f"/api/topic-permissions/{VHOST}/{s}", {"exchange": exchange_of(s), "write": "^$", "read": "^$"}
    ),
    "an account": lambda a, s: a.delete(f"/api/users/{s}"),
    "a password": lambda a, s: a.put(f"/api/users/{s}", {"password": "rogue", "tags": "imi-v1"}),
    "a right of the broker's": lambda a, s: a.put(
        f"/api/users/{s}", {"password_hash": a.accounts()[s]["password_hash"], "tags": "imi-v1,management"}
    ),
    "a limit": lambda a, s: a.delete(f"/api/user-limits/{s}/max-connections"),
    "a rogue binding": lambda a, s: a.post(
        f"/api/bindings/{VHOST}/e/casework/q/{inbox_of(s)}", {"routing_key": "#", "arguments": {}}
    ),
}


async def test_whatever_is_spoiled_in_the_broker_is_repaired_and_reported(brisk: World) -> None:
    """One thing of one system after the other; each time the broker becomes what it was, to the last detail."""
    async with brisk.system(NIMIC) as coordinator:
        name = await connect(brisk, coordinator)
    with administrator(brisk.exchange) as admin:
        before = _of(admin, name)
        for what, spoil in SPOILED.items():
            reported = _reported(brisk.exchange, "repaired")
            spoil(admin, name)
            await soon(lambda: _of(admin, name) == before, f"{what} is not repaired")
            await soon(lambda: _reported(brisk.exchange, "repaired") > reported, f"{what} is not reported")  # noqa: B023
    assert await opens(brisk, name)
    assert not await opens(brisk, name, "rogue")


async def test_what_belongs_to_no_system_is_removed_and_its_connections_are_closed(brisk: World) -> None:
    """A rogue account with every right, and queues that bear the name of a system that there is not."""
    name, password = "de-rogue", new_password()
    all_rights = {"configure": ".*", "write": ".*", "read": ".*"}
    with administrator(brisk.exchange) as admin:
        reported = _reported(brisk.exchange, "removed")
        async with rogue_connection(brisk, admin, name, password, all_rights) as rogue:
            await asyncio.wait([rogue.closing], timeout=30)
            assert rogue.is_closed
        await soon(lambda: admin.has(name) == NOTHING, "the rogue account is still there")
        await soon(lambda: _reported(brisk.exchange, "removed") > reported, "it is not reported")
        assert not await opens(brisk, name, password)
        admin.put(f"/api/queues/{VHOST}/{inbox_of('de-nobody')}", {"durable": True})
        await soon(lambda: admin.has("de-nobody") == NOTHING, "what nobody owns is still there")
    assert await opens(brisk, "de-kammer")


@asynccontextmanager
async def rogue_connection(
    world: World, admin: Administrator, name: str, password: str, rights: dict[str, str]
) -> AsyncIterator[aiormq.abc.AbstractConnection]:
    """An account that an administrator made, connected."""
    admin.put(f"/api/users/{name}", {"password": password, "tags": "management"})
    admin.put(f"/api/permissions/{VHOST}/{name}", rights)
    opened = await aiormq.connect(world.exchange.amqp_url(name, password))
    try:
        yield opened
    finally:
        await opened.close()


async def test_after_an_old_backup_everything_is_right_again(brisk: World) -> None:
    """What was rotated, suspended, closed or connected since the backup was made is so again, without a word."""
    new = new_password()
    async with brisk.system(NIMIC) as coordinator:
        rotated, suspended, closed = [await connect(brisk, coordinator) for _ in range(3)]
        with administrator(brisk.exchange) as admin:
            backup = admin.get("/api/definitions")
            for command, event in (
                (rotation(rotated, new), "rotated"),
                (suspend(brisk, suspended), "suspended"),
                (close(brisk, closed), "closed"),
            ):
                await coordinator.do(command)
                await told(coordinator, _subject(command), event)  # type: ignore[arg-type]
            connected = await connect(brisk, coordinator)
            wanted = {name: _of(admin, name) for name in (rotated, suspended, closed, connected)}
            _restore(admin, backup, connected)
            await soon(lambda: {name: _of(admin, name) for name in wanted} == wanted, "the broker is not right")
        assert await opens(brisk, rotated, new)
        assert not await opens(brisk, rotated)
        assert not await opens(brisk, suspended)
        assert not await opens(brisk, closed)
        assert await opens(brisk, connected)
        assert (await coordinator.outcome(Search())).status == "done"


def _subject(command: Message) -> str:
    """The system that a command is about."""
    return command.account.system if isinstance(command, RotateCredential) else str(getattr(command, "system", ""))


def _restore(admin: Administrator, backup: dict[str, Any], younger: str) -> None:
    """Bring the broker back to what it was, as far as systems go."""
    admin.delete(f"/api/users/{younger}")
    for queue in queues_of(younger):
        admin.delete(f"/api/queues/{VHOST}/{queue}")
    admin.delete(f"/api/exchanges/{VHOST}/{exchange_of(younger)}")
    admin.post("/api/definitions", backup)


def _of(admin: Administrator, name: str) -> object:
    """Everything that the broker says of a system, to the last detail."""
    account = admin.accounts().get(name)
    own = [one for one in admin.get(f"/api/bindings/{VHOST}") if name in f"{one['source']} {one['destination']}"]
    elsewhere = [one for one in admin.get("/api/permissions") if one["user"] == name]
    narrowed = [one for one in admin.get("/api/topic-permissions") if one["user"] == name]
    limits = [one for one in admin.get("/api/user-limits") if one["user"] == name]
    details = [account, sorted(map(str, own)), elsewhere, narrowed, limits]
    return admin.has(name), json.dumps(details, sort_keys=True)


def _reported(exchange: Exchange, what: str) -> float:
    """How much the registry says was repaired or removed."""
    (one,) = exchange.of("registry")
    told = httpx.get(f"{one.url}/metrics", trust_env=False, timeout=10).raise_for_status()
    wanted = f'imi_reconciled_total{{what="{what}"}} '
    return next((float(line.removeprefix(wanted)) for line in told.text.splitlines() if line.startswith(wanted)), 0.0)


STEPS = 200
HANDS = 8
DEATHS = ("registry", "registry", "provisioner", "registry", "registry", "provisioner", "registry")


@dataclass
class Hand:
    """Connects systems and does to them what comes to its mind, one thing after the other; notes what was done."""

    world: World
    coordinator: System
    chance: random.Random
    expected: dict[str, str] = field(default_factory=dict)
    """Status by name, as the outcomes say."""
    hashes: dict[str, str] = field(default_factory=dict)
    steps: int = 0

    async def step(self) -> None:
        """One command, whose outcome is awaited however long the registry is away."""
        name = self.chance.choice([*self.expected, ""])
        kind = self.chance.choice(["suspended", "active", "rotated", "closed", "rotated", "suspended", "active"])
        name, kind = (name, kind) if name else (a_name(), "connected")
        hashed = password_hash(new_password())
        outcome = await self.coordinator.outcome(self._command(name, kind, hashed), within=120)
        self.steps += 1
        if outcome.status == "refused":
            assert outcome.refused
            assert outcome.refused.code in {"system-status", "change-pending"}
            return
        if kind in {"connected", "rotated"}:
            self.hashes[name] = hashed
        self.expected[name] = {"connected": "active", "rotated": self.expected.get(name, "")}.get(kind, kind)

    def _command(self, name: str, kind: str, hashed: str) -> Message:
        proven = Account(system=name, password_hash=hashed, languages=("de",))
        commands: dict[str, Callable[[], Message]] = {
            "connected": lambda: ConnectSystem(authority=self.world.ids[NIMIC], account=proven, user=HANDLER),
            "rotated": lambda: RotateCredential(account=proven, user=HANDLER),
            "suspended": lambda: suspend(self.world, name),
            "active": lambda: reinstate(self.world, name),
            "closed": lambda: close(self.world, name),
        }
        return commands[kind]()


async def test_permissions_equal_the_registrys_list_after_anything_and_any_death(world: World) -> None:
    """200 random steps in the lives of many systems, the registry and the provisioner killed in between."""
    chance = random.Random(20130705)
    async with world.system(NIMIC) as coordinator:
        hands = [Hand(world, coordinator, random.Random(chance.random())) for _ in range(HANDS)]
        todo = iter(range(STEPS))

        async def work(hand: Hand) -> None:
            for _ in todo:
                await hand.step()

        working = asyncio.gather(*map(work, hands))
        for number, service in enumerate(DEATHS, start=1):
            async with asyncio.timeout(120):
                while sum(hand.steps for hand in hands) < number * STEPS // (len(DEATHS) + 1):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            assert not working.done()
            await asyncio.to_thread(_kill, world.exchange, service)
        await working
    await asyncio.to_thread(world.exchange.wait_until_ready)
    expected = {name: status for hand in hands for name, status in hand.expected.items()}
    hashes = {name: hashed for hand in hands for name, hashed in hand.hashes.items()}
    assert expected.keys() >= hashes.keys()
    with administrator(world.exchange) as admin:
        await soon(lambda: admin.permissions() == _list(world.exchange), "the broker's permissions are not the list's")
        permissions, accounts = admin.permissions(), admin.accounts()
        for name, status in expected.items():
            assert permissions.get(name) == (right(name) if status == "active" else None), (name, status)
            proof = {"active": hashes[name], "suspended": ""}.get(status)
            assert (accounts[name]["password_hash"] if name in accounts else None) == proof, (name, status)
            left = NOTHING if status == "closed" else everything(name).queues
            assert (admin.has(name) if status == "closed" else admin.has(name).queues) == left, (name, status)
    assert set(expected.values()) == {"active", "suspended", "closed"}


def _kill(exchange: Exchange, service: str) -> None:
    """Kill every process of a service, and start one; nobody waits until it is ready."""
    for replica in exchange.of(service):
        replica.program.kill()
        exchange.stop(replica)
    exchange.start(service)


def _list(exchange: Exchange) -> dict[str, list[tuple[str, ...]]]:
    """The permissions that there should be, by what the registry has in its database."""
    with systems(exchange) as kept:
        return {str(one["_id"]): right(str(one["_id"])) for one in kept.find({"status": "active"}, {"_id": 1})}
