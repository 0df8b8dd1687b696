"""What a system writes into the journal that it cannot read: it must not be another's there, nor spoil it for all."""

import functools
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from client.wire import open_wire
from contracts.registry import Search
from contracts.topology import JOURNAL, OPERATOR, exchange_of
from tests.attack.named import ATTACKER, VICTIM, Attack
from tests.broker.raw import raw_system
from tests.world import World


async def _forged(headers: Mapping[str, Any], world: World, **properties: Any) -> None:
    """Whoever reads it finds who sent it by which exchange, or nothing of it; and all that was sent after it."""
    since, forged, honest = datetime.now(UTC), str(uuid.uuid4()), str(uuid.uuid4())
    async with (
        raw_system(world.url(ATTACKER), ATTACKER) as attacker,
        raw_system(world.url(VICTIM), VICTIM) as victim,
    ):
        await attacker.command(Search.TYPE, b"{}", forged, headers=dict(headers), routing_key=Search.TYPE, **properties)
        await attacker.outcome(forged)
        await victim.command(Search.TYPE, b"{}", honest)
        await victim.outcome(honest)
    async with open_wire(world.url(OPERATOR)) as wire:
        read = {str(one.header.properties.message_id): one async for one in wire.stream(JOURNAL, since)}
    for message_id, sender in ((forged, ATTACKER), (honest, VICTIM)):
        if message_id == honest or forged in read:
            message = read[message_id]
            assert (message.exchange, message.routing_key) == (exchange_of(sender), Search.TYPE)
            assert message.header.properties.user_id == sender


_FORGED: Final[Mapping[str, Mapping[str, Any]]] = {
    "another exchange": {"x-exchange": exchange_of(VICTIM), "x-routing-key": "casework.close_case.v1"},
    "an exchange that is no text": {"x-exchange": 5, "x-routing-key": 5},
    "another user": {"x-user-id": VICTIM, "x-basic-user-id": VICTIM, "user_id": VICTIM},
    "a number of its own": {"x-stream-offset": 0},
    "an application that is no text": {"x-basic-app-id": 5},
    "an application of too long a name": {"x-basic-app-id": "a" * 300},
}

_GAIN: Final = "after a restore, commands in another name, or none at all"

ATTACKS: Final = [
    *(
        Attack(f"tell the journal of {name}", _GAIN, functools.partial(_forged, headers))
        for name, headers in _FORGED.items()
    ),
    Attack(
        "tell the journal of a type that is no text",
        _GAIN,
        functools.partial(_forged, {"x-basic-type": 5}, message_type=None),
    ),
]
"""What may be believed of a command that is played again is what the broker itself says of it."""
