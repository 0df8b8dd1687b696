"""Changes in the broker, one at a time: what a version of a system asks for is made so, and never undone by an older.

Which version a system has, the broker itself remembers: its account bears it as a tag. What was done lately is known
here besides: a list that was written before must not undo it.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final

from httpx import HTTPStatusError

from contracts.directory import Provision
from contracts.topology import RESERVED, Definitions
from services.chassis.management import BrokerAway, Management
from services.registry.differences import Repair, things_of, topology_of, version_of

REFUSED_AGAIN_AFTER: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds after which what the broker refused is tried again: as long as its nodes have not come together after a fault
it may refuse, with the status of what is wrong for good, what it takes a moment later."""
CLOSE_AGAIN_AFTER: Final = 0.5
"""Seconds. A connection that was being opened while its permission went may not have been seen the first time."""
DOUBT_FOR: Final = 5.0
"""Seconds for which a list that lacks a system which was just connected is taken to be older."""


class Enforcer:
    """What one provisioner does to the broker."""

    def __init__(self, management: Management, vhost: str) -> None:
        """Administer by `management`."""
        self.vhost = vhost
        self._management = management
        self._lock = asyncio.Lock()
        self._lately: dict[str, Provision] = {}
        self._doubted: dict[str, float] = {}
        self._later: set[asyncio.Task[None]] = set()

    async def enforce(self, order: Provision) -> None:
        """Return when the broker has of a system what this version asks for, or a newer one. Raises `ValueError`."""
        if order.system in RESERVED:
            raise ValueError("a reserved name")
        async with self._lock:
            account = await self._management.account(order.system)
            if order.version >= max(self._version_lately(order.system), version_of(account)):
                await self._make(order)
                self._note(order)

    async def repair(self, repairs: Sequence[Repair]) -> list[Repair]:
        """Make systems as they should be; return what was done: nothing where the broker has something newer."""
        async with self._lock:
            due = [r for r in repairs if r.order.version >= max(self._version_lately(r.order.system), r.was)]
            if not due:
                return []
            for repair in due:
                await self._take_away(repair)
            await self._management.apply(_together(topology_of(repair.order, self.vhost) for repair in due))
            for repair in due:
                if repair.opened and (repair.order.status == "suspended" or not self._is_rotation(repair)):
                    await self._close_connections(repair.order.system)
                self._note(repair.order)
            return due

    async def remove(self, name: str) -> bool:
        """Remove an account that no list has, with all that belongs to it; say whether that was done.

        One that was connected a moment ago stays: the list may have been written before.
        """
        async with self._lock:
            if self._is_doubtful(name):
                return False
            await self._remove(name)
            return True

    async def finish(self) -> None:
        """Return when nothing is left to do later."""
        await asyncio.gather(*self._later)

    def _version_lately(self, system: str) -> int:
        order = self._lately.get(system)
        return order.version if order else 0

    def _note(self, order: Provision) -> None:
        self._lately[order.system] = order
        self._doubted.pop(order.system, None)

    def _is_rotation(self, repair: Repair) -> bool:
        """Its new credential is on its way here: connections stay. Else the broker has lost what it had."""
        return self._version_lately(repair.order.system) == repair.was != repair.order.version

    def _is_doubtful(self, name: str) -> bool:
        order = self._lately.get(name)
        if order is None or order.status == "closed":
            return False
        return time.monotonic() - self._doubted.setdefault(name, time.monotonic()) < DOUBT_FOR

    async def _make(self, order: Provision) -> None:
        if order.status == "closed":
            await self._remove(order.system)
            return
        if order.status == "suspended":
            await self._management.forbid(order.system, self.vhost)
        await self._apply(topology_of(order, self.vhost))
        if order.status == "suspended":
            await self._close_connections(order.system)

    async def _apply(self, definitions: Definitions) -> None:
        for pause in REFUSED_AGAIN_AFTER:
            try:
                return await self._management.apply(definitions)
            except HTTPStatusError as error:
                if not await self._management.whole():
                    raise BrokerAway from error
            await asyncio.sleep(pause)
        return await self._management.apply(definitions)

    async def _take_away(self, repair: Repair) -> None:
        system = repair.order.system
        for vhost in repair.forbidden:
            await self._management.forbid(system, vhost)
        for vhost in repair.restricted:
            await self._management.unrestrict(system, vhost)
        for exchange in repair.exchanges:
            await self._management.remove_exchange(exchange, self.vhost)
        for binding in repair.bindings:
            await self._management.unbind(binding, self.vhost)

    async def _remove(self, name: str) -> None:
        exchanges, queues = things_of(name)
        await self._management.remove_user(name)
        await self._close_connections(name)
        for exchange in exchanges:
            await self._management.remove_exchange(exchange, self.vhost)
        for queue in queues:
            await self._management.remove_queue(queue, self.vhost)

    async def _close_connections(self, user: str) -> None:
        await self._management.close_connections(user)
        task = asyncio.create_task(self._close_again(user))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _close_again(self, user: str) -> None:
        await asyncio.sleep(CLOSE_AGAIN_AFTER)
        try:
            await self._management.close_connections(user)
        except BrokerAway:
            return  # with the broker went its connections


def _together(parts: Iterable[Definitions]) -> Definitions:
    whole: Definitions = {}
    for part in parts:
        for kind, things in part.items():
            whole.setdefault(kind, []).extend(things)
    return whole
