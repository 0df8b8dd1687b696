"""Being taken for somebody else: by password, by properties, by headers, by repeating what others have sent."""

import asyncio
import functools
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import aiormq
import httpx
from aiormq.channel import Channel
from aiormq.exceptions import ProbableAuthenticationError

from bench.channel import Closed
from bench.wire import connect
from contracts.registry import Search
from contracts.topology import OPERATOR, SERVICES, VHOST, inbox_of
from tests.attack.named import ATTACKER, VICTIM, Attack, refused
from tests.attack.shapes import HEADERS
from tests.broker.raw import RawSystem, raw_system
from tests.world import World


async def _anothers_password(world: World) -> None:
    url = world.exchange.amqp_url(VICTIM, world.exchange.systems[ATTACKER])
    with refused(ProbableAuthenticationError):
        await aiormq.connect(url)


async def _known_accounts(world: World) -> None:
    """What brokers are delivered with, and accounts whose names are written down here, open to no easy password."""
    names = ("guest", OPERATOR, *(f"service.{name}" for name in (*SERVICES, "provisioner")))
    urls = [world.exchange.amqp_url(name, password) for name in names for password in (name, "guest", "admin")]
    tried = await asyncio.gather(*(aiormq.connect(url) for url in urls), return_exceptions=True)
    assert all(isinstance(one, ProbableAuthenticationError) for one in tried)


async def _other_host(world: World) -> None:
    """There is no other virtual host in which it might do as it likes."""
    url = world.url(ATTACKER)
    for host in ("%2F", "mine"):
        with refused(Closed, "NOT_ALLOWED"):
            await connect(f"{url.rsplit('/', 1)[0]}/{host}")


async def _management(world: World) -> None:
    """A system's account is nobody there."""
    password = world.exchange.systems[ATTACKER]
    url = world.exchange.addresses.management_url_for(ATTACKER, password)
    async with httpx.AsyncClient(base_url=url) as client:
        for path in ("overview", "definitions", "connections", f"queues/{VHOST}", "users", "whoami"):
            assert (await client.get(f"/api/{path}")).status_code == HTTPStatus.UNAUTHORIZED
        assert (await client.delete(f"/api/users/{VICTIM}")).status_code == HTTPStatus.UNAUTHORIZED


async def _told_again(world: World) -> None:
    """What it was told itself is no command when it says it, and reaches nobody."""
    async with (
        raw_system(world.url(ATTACKER), ATTACKER) as attacker,
        raw_system(world.url(VICTIM), VICTIM) as victim,
    ):
        first, again = str(uuid.uuid4()), str(uuid.uuid4())
        await attacker.command(Search.TYPE, b"{}", first)
        properties, told = await attacker.receive(lambda p, _: p.correlation_id == first)
        await attacker.command(str(properties.message_type), told, again, correlation_id=first)
        assert (await attacker.outcome(again))["refused"]["code"] == "not-routable"
        await _hears_nothing(victim, again)


async def _no_user_id(world: World) -> None:
    async with raw_system(world.url(ATTACKER), ATTACKER) as attacker:
        message_id = str(uuid.uuid4())
        await attacker.command(Search.TYPE, b"{}", message_id, user_id=None)
        assert (await attacker.outcome(message_id))["refused"]["field"] == "user_id"


async def _anothers_command(world: World) -> None:
    """The victim's own command has its own outcome, whoever has sent the same one before under the same id."""
    async with (
        raw_system(world.url(ATTACKER), ATTACKER) as attacker,
        raw_system(world.url(VICTIM), VICTIM) as victim,
    ):
        request = {**world.fields(), "authority": world.ids[VICTIM], "recipient": world.ids["de-kammer"]}
        body = world.request(**request).model_dump_json(exclude_none=True).encode()
        message_id = str(uuid.uuid4())
        await attacker.command("casework.send_request.v1", body, message_id)
        assert (await attacker.outcome(message_id))["refused"]["code"] == "not-your-authority"
        await victim.command("casework.send_request.v1", body, message_id)
        assert (await victim.outcome(message_id))["status"] == "done"
        assert len({one for one, _ in attacker.outcomes(message_id)}) == 1


async def _headers(headers: Mapping[str, Any], world: World) -> None:
    """Whatever the headers claim, the command is its sender's, and is answered there."""
    async with (
        raw_system(world.url(ATTACKER), ATTACKER) as attacker,
        raw_system(world.url(VICTIM), VICTIM) as victim,
    ):
        message_id = str(uuid.uuid4())
        await attacker.command(Search.TYPE, b"{}", message_id, headers=dict(headers))
        assert (await attacker.outcome(message_id))["status"] == "done"
        await _hears_nothing(victim, message_id)


async def _copies(header: str, world: World) -> None:
    """A copy can at most go to another lane of the same sender, where its type is refused."""
    async with (
        raw_system(world.url(ATTACKER), ATTACKER) as attacker,
        raw_system(world.url(VICTIM), VICTIM) as victim,
    ):
        message_id = str(uuid.uuid4())
        targets = [inbox_of(VICTIM), f"casework.commands.{VICTIM}", "views", "casework.send_request.v1"]
        await attacker.command(Search.TYPE, b"{}", message_id, headers={header: targets})
        await attacker.receive(lambda p, b: p.correlation_id == message_id and b["status"] == "done")
        _, refused = await attacker.receive(lambda p, b: p.correlation_id == message_id and b["status"] == "refused")
        assert refused["refused"]["code"] == "unknown-type"
        await _hears_nothing(victim, message_id)


async def _reply_to(reply_to: str, world: World) -> None:
    """The outcome goes to the sender's own inbox, whatever it asks for."""
    async with (
        raw_system(world.url(ATTACKER), ATTACKER) as attacker,
        raw_system(world.url(VICTIM), VICTIM) as victim,
    ):
        message_id = str(uuid.uuid4())
        await attacker.command(Search.TYPE, b"{}", message_id, reply_to=reply_to)
        await attacker.outcome(message_id)
        await _hears_nothing(victim, message_id)


async def _anothers_consumer(world: World) -> None:
    """A consumer's tag means something on its own channel alone."""
    async with (
        raw_system(world.url(VICTIM), VICTIM) as victim,
        raw_system(world.url(ATTACKER), ATTACKER) as attacker,
    ):
        assert isinstance(victim.channel, Channel)
        for tag in victim.channel.consumers:
            await attacker.channel.basic_cancel(str(tag))
        message_id = str(uuid.uuid4())
        await victim.command(Search.TYPE, b"{}", message_id)
        await victim.outcome(message_id)


async def _hears_nothing(victim: RawSystem, message_id: str) -> None:
    """Nothing came to the victim by the time at which its own next command is answered."""
    sentinel = str(uuid.uuid4())
    await victim.command(Search.TYPE, b"{}", sentinel)
    await victim.outcome(sentinel)
    assert not victim.outcomes(message_id)


_REPLIES: Final = (f"inbox.{VICTIM}", f"inbox.{VICTIM}|translation", f"casework.commands.{VICTIM}|in.{VICTIM}")

ATTACKS: Final = [
    Attack("log in with another's name", "all that the other may do", _anothers_password),
    Attack("log in by names that are known", "more than a system may do", _known_accounts),
    Attack("log in to another virtual host", "a place of its own", _other_host),
    Attack("log in to the management API", "the broker itself", _management),
    Attack("say what it was told", "to speak as the exchange", _told_again),
    Attack("leave out the user id", "a command that nobody sent", _no_user_id),
    Attack("send another's command first, under its id", "that the other's counts as a repetition", _anothers_command),
    *(
        Attack(f"claim in headers: {name}", "to be taken for another", functools.partial(_headers, one))
        for name, one in HEADERS.items()
    ),
    *(Attack(f"copy by {one}", "any queue of its choice", functools.partial(_copies, one)) for one in ("CC", "BCC")),
    *(
        Attack(f"ask for an answer to {one}", "that a service publishes for it", functools.partial(_reply_to, one))
        for one in _REPLIES
    ),
    Attack("cancel another's consumer", "that it never hears", _anothers_consumer),
]
