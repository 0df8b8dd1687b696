"""Queues that the broker lists and nobody can use: the name is there, and the process that holds the messages is gone.

RabbitMQ 3.10 was seen to leave one behind when queues were deleted and declared at the same time. Only the operator may
have such a queue deleted and made again: what was in it is lost.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote

from client.topology_diff import with_systems
from contracts.topology import JOURNAL, VHOST, Definitions

LOOKS: Final = 3
BETWEEN: Final = 2.0
"""Seconds. A queue whose leader has gone has another one sooner, and those of a node that has just come run by then."""


class NotBroken(ValueError):
    """What is to be made again is none of the exchange's queues that stand still while all nodes run."""


class Broker(Protocol):
    """What is asked of the management API, and done by it; `services.chassis.management.Management` is one."""

    async def queues(self, vhost: str) -> set[str]:
        """Return the names of all queues."""

    async def standing_still(self, vhost: str) -> set[str]:
        """Return those of the queues that do not run now."""

    async def whole(self) -> bool:
        """Say whether every node runs."""

    async def unbind(self, binding: Mapping[str, Any], vhost: str) -> None:
        """Delete a binding."""

    async def remove_queue(self, queue: str, vhost: str) -> None:
        """Delete a queue with what is in it."""

    async def apply(self, definitions: Definitions) -> None:
        """Make what is not there yet."""


async def broken_in(broker: Broker, vhost: str = VHOST) -> set[str]:
    """Return the queues that stand still, look after look. None while a node is away: they may come back with it."""
    broken = await broker.standing_still(vhost)
    for _ in range(LOOKS - 1):
        if not broken:
            return broken
        await asyncio.sleep(BETWEEN)
        broken &= await broker.standing_still(vhost)
    return broken if await broker.whole() else set()


async def remake(
    broker: Broker,
    names: Sequence[str],
    wanted: Definitions,
    vhost: str = VHOST,
    *,
    running_too: bool = False,
    dry: bool = False,
) -> list[str]:
    """Delete these broken queues, with what is in them, and make them again; return the broken ones that are left.

    `wanted` is the exchange's own topology; what systems have beside it the names of their queues tell. Raises
    `NotBroken` when one of the names is no broken queue's: then nothing was changed. With `running_too` those may be
    named, too, that the broker takes for running, while all its nodes run. A `dry` one changes nothing.
    """
    broken = await broken_in(broker, vhost)
    whole = with_systems(wanted, {"queues": [{"name": name} for name in await broker.queues(vhost)]}, vhost)
    known = {one["name"] for one in whole["queues"]}
    may = known if running_too and await broker.whole() else known & broken
    if wrong := [name for name in names if name not in may]:
        raise NotBroken(f"{', '.join(wrong)}: none of the exchange's queues that stand still while all nodes run")
    for name in () if dry else names:  # each by itself: it is away for as short as can be
        await _remake(broker, name, whole, vhost)
    return sorted(broken.difference(names))


async def _remake(broker: Broker, name: str, whole: Definitions, vhost: str) -> None:
    """Make one again. A command that comes while its lane is away must go nowhere, and be refused for that.

    If the journal took it, the broker would confirm it, and nobody answer it.
    """
    journals = [one for one in whole["bindings"] if one["destination"] == JOURNAL != name and _leads(one, name, whole)]
    for one in journals:
        await broker.unbind({**one, "properties_key": quote(one["routing_key"], safe="")}, vhost)
    await broker.remove_queue(name, vhost)
    parts = parts_of(name, whole)
    await broker.apply({**parts, "bindings": [*parts["bindings"], *journals]})


def _leads(journals: Mapping[str, Any], name: str, whole: Definitions) -> bool:
    """Say whether this binding of the journal takes what the queue takes, too."""
    key = journals["source"], journals["routing_key"]
    return any((one["source"], one["routing_key"]) == key for one in parts_of(name, whole)["bindings"])


def parts_of(name: str, whole: Definitions) -> Definitions:
    """Return a queue and all that leads to it, as the topology has them."""
    return {
        "queues": [one for one in whole["queues"] if one["name"] == name],
        "bindings": [one for one in whole["bindings"] if one["destination"] == name],
    }
