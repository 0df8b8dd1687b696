"""What a service may stumble over: each message has one outcome, or its place among what is parked, and all go on."""

import asyncio
import base64
import functools
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from contracts.casework import ListCases
from contracts.notifier import ListEmails
from contracts.registry import Search
from contracts.types import Message
from tests.attack.fuzz import parked
from tests.attack.named import ATTACKER, VICTIM, Attack
from tests.attack.rights import NOBODYS_CASE
from tests.attack.shapes import NO_UTF8
from tests.broker.raw import RawSystem, raw_system
from tests.world import HANDLER, World

_BEFORE_IT: Final = 1_000
"""More searches than a service takes from a lane at once: what stands behind them and expires does so in the lane."""
_PARKED_WITHIN: Final = 20.0


async def _strange(properties: Mapping[str, Any], ends: str, world: World) -> None:
    """It ends as any other such message, behind many others too, and whoever sends after it is answered."""
    async with raw_system(world.url(ATTACKER), ATTACKER) as attacker, raw_system(world.url(VICTIM), VICTIM) as victim:
        message_id, changes = str(uuid.uuid4()), {"routing_key": Search.TYPE, **properties}
        before = (_search(attacker, str(uuid.uuid4())) for _ in range(_BEFORE_IT if "expiration" in changes else 0))
        await asyncio.gather(*before, _search(attacker, message_id, **changes))
        if ends == "parked":
            await _until_parked(world, message_id)
        else:
            assert await _ended(attacker, message_id) == ends
        for system in (attacker, victim):
            after = str(uuid.uuid4())
            await _search(system, after)
            assert await _ended(system, after) == "done"
        assert len({one for one, _ in attacker.outcomes(message_id)}) == (ends != "parked")


async def _at_the_edge(kind: type[Message], asked: Mapping[str, Any], code: str, world: World) -> None:
    """It is refused, and given up by nobody."""
    async with raw_system(world.url(ATTACKER), ATTACKER) as attacker:
        speaking = {"authority": world.ids[ATTACKER], "user": HANDLER.model_dump()} if kind is not Search else {}
        message_id = str(uuid.uuid4())
        await attacker.command(kind.TYPE, {**speaking, **asked}, message_id)
        outcome = await attacker.outcome(message_id)
        assert (outcome["refused"]["code"], outcome["refused"]["field"]) == (code, next(iter(asked)))
        assert len({one for one, _ in attacker.outcomes(message_id)}) == 1
    assert message_id not in await parked(world)


async def _search(system: RawSystem, message_id: str, **changes: Any) -> None:
    await system.command(Search.TYPE, {"limit": 1}, message_id, **changes)


async def _ended(system: RawSystem, message_id: str) -> str:
    outcome = await system.outcome(message_id)
    return str(outcome["refused"]["code"]) if "refused" in outcome else "done"


async def _until_parked(world: World, message_id: str) -> None:
    async with asyncio.timeout(_PARKED_WITHIN):
        while message_id not in await parked(world):  # noqa: ASYNC110 - nobody tells what is parked
            await asyncio.sleep(0.2)


def _cursor(place: Any) -> str:
    """Anything packed as services pack where a page ended."""
    text = place if isinstance(place, str) else json.dumps(place)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


_SOON: Final = {"expiration": "1"}
_NOBODY: Final = {"user_id": None}
_CORRELATION: Final = {"correlation_id": NO_UTF8}
_TYPE: Final = {"message_type": NO_UTF8}
_STRANGE: Final[Mapping[str, tuple[Mapping[str, Any], str]]] = {
    "correlation id": (_CORRELATION, "done"),
    "correlation id, not for long": ({**_CORRELATION, **_SOON}, "expired"),
    "correlation id, as nobody": ({**_CORRELATION, **_NOBODY}, "missing-property"),
    "correlation id, as nobody, not for long": ({**_CORRELATION, **_NOBODY, **_SOON}, "parked"),
    "type": (_TYPE, "wrong-routing-key"),
    "type, not for long": ({**_TYPE, **_SOON}, "wrong-routing-key"),
    "type, as nobody": ({**_TYPE, **_NOBODY}, "missing-property"),
    "type, as nobody, not for long": ({**_TYPE, **_NOBODY, **_SOON}, "parked"),
}
"""What a message that is no UTF-8 there comes to."""

_FIRST, _LAST = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"
"""Moments that there are over there, and not in UTC: before its first year, and after its last."""
_NOW: Final = datetime.now(UTC).isoformat()
_EDGES: Final[list[tuple[str, type[Message], Mapping[str, Any], str]]] = [
    *(
        (f"{name} {moment}", ListCases, {name: moment}, "wrong-shape")
        for name in ("changed_from", "changed_before")
        for moment in (_FIRST, _LAST)
    ),
    *(
        (f"a page after {name}", kind, {"after": _cursor(place)}, "bad-cursor")
        for name, kind, place in (
            ("a case before all time", ListCases, [True, _FIRST, NOBODYS_CASE]),
            ("a case after all time", ListCases, [False, _LAST, NOBODYS_CASE]),
            ("half a letter", ListCases, [True, _NOW, "\ud800"]),
            ("no case's number", ListCases, [True, _NOW, {"$gt": ""}]),
            ("an e-mail after all time", ListEmails, f"{10**20}/x"),
            ("an authority of half a letter", Search, ["exact", "\ud800", NOBODYS_CASE]),
        )
    ),
]

ATTACKS: Final = [
    *(
        Attack(
            f"send what is no UTF-8 as a {name}",
            "a service that begins anew for ever",
            functools.partial(_strange, properties, ends),
        )
        for name, (properties, ends) in _STRANGE.items()
    ),
    *(
        Attack(
            f"ask for {name}",
            "a command with no outcome",
            functools.partial(_at_the_edge, kind, asked, code),
        )
        for name, kind, asked, code in _EDGES
    ),
]
