"""What a service cannot handle is parked, found, understood and handled again, on a real exchange."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from client import replaying
from client.parked import parked_from
from client.replaying import agains_of
from client.wire import open_wire
from contracts.casework import SendRequest
from contracts.topology import OPERATOR
from deploy.local.exchange import Exchange
from tests.acceptance.test_command_line import imi
from tests.broker.management import depth, purge
from tests.broker.poisoned import POISON
from tests.broker.raw import RawSystem, raw_system
from tests.world import World, update

pytestmark = pytest.mark.servers

PARKED = "casework.parked"


@asynccontextmanager
async def poisoned(exchange: Exchange) -> AsyncIterator[None]:
    """Have a casework run that fails over some requests, and in the end one that does not."""
    await asyncio.to_thread(_casework, exchange, "tests.broker.poisoned")
    try:
        yield
    finally:
        await asyncio.to_thread(_casework, exchange)


def _casework(exchange: Exchange, module: str | None = None) -> None:
    exchange.stop(*exchange.of("casework"))
    exchange.start("casework", module)
    exchange.wait_until_ready()


async def operator(world: World, *arguments: str, status: int = 0) -> Any:
    """What `imi parked` tells a program."""
    run = ("parked", *arguments, "--json")
    printed = await asyncio.to_thread(lambda: imi(*run, status=status, IMI_URL=world.url(OPERATOR), IMI_BY="a tester"))
    return json.loads(printed)


async def _park(world: World, system: RawSystem, count: int = 3) -> list[str]:
    """Have requests parked; their ids. The next command is answered all the same."""
    purge(world.exchange, PARKED)
    ids, comment = [str(uuid.uuid4()) for _ in range(count)], {"text": POISON, "language": "de"}
    body = world.request(comment=comment).model_dump(mode="json", exclude_none=True)
    async with poisoned(world.exchange):
        for message_id in ids:
            await system.command(SendRequest.TYPE, body, message_id)
        async with world.system("de-other") as other:
            await other.do(world.request(authority=world.ids["de-other"]))
        async with asyncio.timeout(20):
            while await asyncio.to_thread(depth, world.exchange, PARKED) < count:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.1)
    return ids


async def test_a_parked_command_gets_its_one_outcome_when_it_is_handled_again(world: World) -> None:
    """Found in one group, without what it says; replayed, it is its sender's; a second time nothing happens twice."""
    async with raw_system(world.url("de-kammer"), "de-kammer") as germany:
        ids = await _park(world, germany)
        (group,) = await operator(world, "list", "--service", "casework")
        assert (group["count"], group["example"]["sender"], group["example"]["reason"]) == (3, "de-kammer", "KeyError")
        assert group["example"]["place"].startswith("services/")
        shown = await operator(world, "show", group["fault"])
        assert [one["message"] for one in shown] == ids
        assert POISON not in json.dumps(shown)
        dry = await operator(world, "replay", group["fault"])
        assert {one["came"] for one in dry} == {"to replay"}
        assert await operator(world, "list", "--service", "casework") == [group]
        done = await operator(world, "replay", group["fault"], "--yes")
        assert [one["came"] for one in done] == ["replayed"] * 3
        outcomes = [await germany.outcome(message_id) for message_id in ids]
        assert {outcome["status"] for outcome in outcomes} == {"done"}
        assert not await operator(world, "list", "--service", "casework")
        await operator(world, "replay", group["fault"], "--yes", status=1)
        async with world.system("hu-hivatal") as hungary:
            await update(hungary, outcomes[0]["case"]["id"], 1)
    record = [one for one in await operator(world, "history") if one["message"] in ids]
    assert [(one["by"], one["what"], one["sender"]) for one in record] == [("a tester", "replay", "de-kammer")] * 3


async def test_what_was_replayed_twice_is_done_once(world: World) -> None:
    """A crash between replaying and forgetting leaves the message parked: replayed again, the outcome is the same."""
    async with raw_system(world.url("de-kammer"), "de-kammer") as germany:
        (message_id,) = await _park(world, germany, 1)
        await germany.command(SendRequest.TYPE, {"nonsense": 1}, str(uuid.uuid4()))
        (one,) = await operator(world, "replay", "--all", "--service", "casework")
        url = world.url(OPERATOR)
        for _ in range(2):
            await _replay_and_crash(url)
        first = await germany.outcome(message_id)
        (done,) = await operator(world, "replay", one["id"], "--yes")
        assert done["message"] == message_id
        await germany.receive(lambda p, _: len(germany.outcomes(message_id)) == 3)
        assert {(outcome_id, json.dumps(body)) for outcome_id, body in germany.outcomes(message_id)} == {
            (germany.outcomes(message_id)[0][0], json.dumps(first))
        }


async def _replay_and_crash(url: str) -> None:
    """Replay what is parked, and lose the connection before it is forgotten."""
    async with open_wire(url) as wire:
        async for message in wire.held(PARKED, 10):
            for again in agains_of(parked_from("casework", message), message, "replay"):
                await wire.handle_again(again)


async def test_a_long_replay_holds_nothing_for_long_and_repeats_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every so often all that is left goes back, and is taken anew; what was not chosen stays; no consumer is left."""
    monkeypatch.setattr(replaying, "HELD_FOR", 0.0)  # after each message
    async with raw_system(world.url("de-kammer"), "de-kammer") as germany, open_wire(world.url(OPERATOR)) as wire:
        ids = await _park(world, germany, 6)
        stays = ids[2]
        order = replaying.Order("replay", lambda one: one.message_id != stays, "a tester", rate=1000)
        done = [one.message_id async for one, _ in replaying.carry_out(wire, ["casework"], order)]
        assert sorted(done) == sorted(set(ids) - {stays})
        for message_id in done:
            assert (await germany.outcome(message_id))["status"] == "done"
        assert [len(germany.outcomes(message_id)) for message_id in ids] == [1, 1, 0, 1, 1, 1]
        (left,) = await operator(world, "list", "--service", "casework")
        assert (left["count"], left["example"]["message"]) == (1, stays)
    await operator(world, "discard", "--all", "--service", "casework", "--why", "a test", "--yes")


async def test_a_command_that_is_given_up_is_refused_and_its_sender_knows(world: World) -> None:
    """Nothing that a system sends vanishes, not even what nobody can handle."""
    async with raw_system(world.url("de-kammer"), "de-kammer") as germany:
        (message_id,) = await _park(world, germany, 1)
        why = ("--why", "the sender has gone another way")
        await operator(world, "discard", "--all", "--service", "casework", *why, "--yes")
        outcome = await germany.outcome(message_id)
        assert outcome["refused"]["code"] == "expired"
    assert not await operator(world, "list", "--service", "casework")


async def test_an_event_and_a_message_without_an_inbox_are_handled_again_too(world: World) -> None:
    """Whatever the queue: an event goes to who listens; what had no inbox stays until there is one."""
    for queue in (PARKED, "translation.parked"):
        purge(world.exchange, queue)
    message = {"kind": "system", "event": "connected", "system": "nobody"}
    view = {"to": "nobody", "message_id": str(uuid.uuid4()), "message": message}
    passwords = world.exchange.passwords
    for service, key, kind, body, parked in (
        ("translation", "event.area", "translation.area.v1", {}, PARKED),
        ("casework", "views", "exchange.views.v1", {"views": [view]}, "translation.parked"),
    ):
        url = world.exchange.amqp_url(f"service.{service}", passwords[service])
        async with raw_system(url, f"service.{service}", listening=False) as says:
            sent = {"message_type": kind, "message_id": key, "delivery_mode": 2}
            await says.send(body, exchange=service, routing_key=key, **sent)
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(depth, world.exchange, parked):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.1)
    (stays,) = await operator(world, "replay", "--all", "--service", "translation", "--yes", status=1)
    assert stays["came"] == "nowhere"
    (event,) = await operator(world, "replay", "--all", "--service", "casework", "--yes")
    assert (event["came"], event["came_by"]) == ("replayed", "casework.events")
    async with asyncio.timeout(20):  # it makes no more sense than before
        while not await operator(world, "list", "--service", "casework"):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.1)
    for service in ("casework", "translation"):
        await operator(world, "discard", "--all", "--service", service, "--why", "nonsense", "--yes")
        assert not await operator(world, "list", "--service", service)


@pytest.mark.parametrize("arguments", [("list",), ("history",), ("replay", "--all", "--yes")])
async def test_a_connected_system_sees_and_replays_nothing(world: World, arguments: tuple[str, ...]) -> None:
    """The broker refuses; the account's address is not printed."""
    printed = imi("parked", *arguments, status=1, IMI_URL=world.url("de-kammer"))
    assert world.exchange.systems["de-kammer"] not in printed
