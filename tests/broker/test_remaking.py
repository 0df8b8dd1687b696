"""A queue whose process is gone, on the real broker: it is found, made again at the operator's word, and works."""

import asyncio
import json
import uuid
from pathlib import Path

import pytest

from client import remaking
from client.account import password_hash
from client.topology import ACCOUNTS, definitions, repair
from contracts.casework import SendRequest
from contracts.topology import VHOST, inbox_of
from deploy.local.exchange import Exchange
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.waiting import until
from tests.acceptance.test_command_line import imi
from tests.broker.management import depth
from tests.broker.raw import Json, raw_system
from tests.world import World

pytestmark = pytest.mark.servers

BROKEN, INBOX = inbox_of("de-other"), inbox_of("de-kammer")
BREAK = (
    '{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>)), '
    "ra:force_delete_server(quorum_queues, amqqueue:get_pid(Q))."
)
"""What is told to the node: the queue's process and its data go, its name stays."""


async def test_an_inbox_that_stands_still_holds_up_nobody_else_and_is_made_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before the operator says so, and it alone: the others keep what is in them. What was for it then comes."""
    broker, exchange = world.exchange.servers.rabbitmq, world.exchange
    if not isinstance(broker, RabbitMQ):
        pytest.skip("a queue can be broken only in a broker that is a program of this machine")
    parked = depth(exchange, "translation.parked")
    broker.control("eval", BREAK.format(vhost=VHOST, queue=BROKEN))
    await asyncio.to_thread(_start_anew, exchange)

    message_id = str(uuid.uuid4())
    async with raw_system(world.url("de-other"), "de-other", listening=False) as other:
        await other.command(SendRequest.TYPE, _request(world, "de-other"), message_id)
    waits = await _one_that_waits(world)
    monkeypatch.setattr(remaking, "BETWEEN", 0.1)
    wanted = definitions({name: password_hash(exchange.passwords[name]) for name in ACCOUNTS})
    assert await repair(_management(world), wanted) == [BROKEN]
    assert f"{BROKEN} is to be made again" in await _apply(world, tmp_path, "--remake", BROKEN)
    assert f"{BROKEN} was made again" in await _apply(world, tmp_path, "--remake", BROKEN, "--yes")

    async with raw_system(world.url("de-other"), "de-other") as other:
        # By a channel that knew the queue before, RabbitMQ may not answer: another one is taken after half a minute.
        assert (await other.outcome(message_id, within=60))["status"] == "done"
    assert depth(exchange, INBOX) >= waits  # with another channel what was not confirmed by the old one comes again
    assert depth(exchange, "translation.parked") == parked
    assert json.loads(await _imi(world, "topology", "diff", "--json")) == []
    await asyncio.to_thread(exchange.wait_until_ready)


def _start_anew(exchange: Exchange) -> None:
    """Start translation anew: RabbitMQ refuses at once what goes to the inbox by a channel that did not know it before.

    By one that did it never answers, and half a minute goes by until translation takes another.
    """
    exchange.stop(*exchange.of("translation"))
    exchange.start("translation")
    exchange.wait_until_ready()


async def _apply(world: World, folder: Path, *more: str) -> str:
    for name in ACCOUNTS:
        (folder / name).write_text(world.exchange.passwords[name])
    return await _imi(world, "topology", "apply", "--secrets", str(folder), *more)


async def _imi(world: World, *arguments: str) -> str:
    return await asyncio.to_thread(imi, *arguments, IMI_MANAGEMENT_URL=_management(world), COLUMNS="200")


def _management(world: World) -> str:
    admin = world.exchange.addresses.rabbit_admin
    return world.exchange.addresses.management_url_for(admin.name, admin.password)


def _request(world: World, system: str) -> Json:
    request = world.request(authority=world.ids[system])
    return request.model_dump(mode="json", exclude_none=True)


async def _one_that_waits(world: World) -> int:
    """Have something more come to an inbox that nobody reads; how much is in it."""
    before = depth(world.exchange, INBOX)
    async with raw_system(world.url("de-kammer"), "de-kammer", listening=False) as kammer:
        await kammer.command(SendRequest.TYPE, _request(world, "de-kammer"), str(uuid.uuid4()))
    await asyncio.to_thread(until, lambda: depth(world.exchange, INBOX) > before, "no outcome comes", 20)
    return depth(world.exchange, INBOX)
