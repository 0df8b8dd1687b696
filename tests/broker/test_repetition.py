"""Sent twice, delivered twice, sent by two: one effect, one outcome."""

import asyncio
import uuid
from typing import Any

import pytest

from contracts.casework import AcceptRequest, SendRequest
from tests.broker.raw import raw_system
from tests.world import World

pytestmark = pytest.mark.servers


def _body(world: World, **changes: Any) -> dict[str, Any]:
    return world.request(**changes).model_dump(mode="json", exclude_none=True)


async def test_the_same_command_sent_twice_makes_one_case_and_repeats_the_outcome(world: World) -> None:
    """Same message id, same body: the outcome comes again, under the same id, with the same case."""
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:
        message_id = str(uuid.uuid4())
        for _ in range(2):
            await system.command(SendRequest.TYPE, _body(world), message_id)
        await system.receive(lambda p, _: len(system.outcomes(message_id)) == 2)
        (first_id, first), (second_id, second) = system.outcomes(message_id)
        assert first_id == second_id
        assert first == second
        assert first["case"]["version"] == 1


async def test_a_refusal_is_repeated_as_it_was(world: World) -> None:
    """Also for a command that was refused: under the same id, with the same code."""
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:
        message_id = str(uuid.uuid4())
        for _ in range(2):
            await system.command(SendRequest.TYPE, _body(world, wished_date="2020-01-01"), message_id)
        await system.receive(lambda p, _: len(system.outcomes(message_id)) == 2)
        (first_id, first), (second_id, second) = system.outcomes(message_id)
        assert (first_id, first) == (second_id, second)


async def test_the_same_id_with_another_body_is_refused(world: World) -> None:
    """The first stands; the second is told that its id is taken, whether it names the same case or another."""
    async with (
        raw_system(world.url("de-kammer"), "de-kammer") as germany,
        raw_system(world.url("hu-hivatal"), "hu-hivatal") as hungary,
    ):
        ids = [str(uuid.uuid4()) for _ in range(3)]
        cases = []
        for message_id in ids[:2]:
            await germany.command(SendRequest.TYPE, _body(world), message_id)
            cases.append((await germany.outcome(message_id))["case"]["id"])
        await germany.command(SendRequest.TYPE, _body(world, comment={"text": "x", "language": "de"}), ids[0])
        await germany.receive(
            lambda p, b: p.correlation_id == ids[0] and b.get("refused", {}).get("code") == "message-id-reused"
        )
        for case in cases:
            await hungary.command(
                AcceptRequest.TYPE, world.accept(case).model_dump(mode="json", exclude_none=True), ids[2]
            )
        await hungary.receive(
            lambda p, b: p.correlation_id == ids[2] and b.get("refused", {}).get("code") == "message-id-reused"
        )
        statuses = sorted(outcome["status"] for _, outcome in hungary.outcomes(ids[2]))
        assert statuses == ["done", "refused"]


async def test_two_systems_may_use_the_same_id(world: World) -> None:
    """A command's identity is its system and its id: nobody can take another's."""
    async with (
        raw_system(world.url("de-kammer"), "de-kammer") as one,
        raw_system(world.url("de-other"), "de-other") as other,
    ):
        message_id = str(uuid.uuid4())
        await one.command(SendRequest.TYPE, _body(world), message_id)
        await other.command(SendRequest.TYPE, _body(world, authority=world.ids["de-other"]), message_id)
        first, second = await asyncio.gather(one.outcome(message_id), other.outcome(message_id))
        assert first["status"] == second["status"] == "done"
        assert first["case"]["id"] != second["case"]["id"]
