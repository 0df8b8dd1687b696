"""The broker held against the registry's list, in the background: a suspension does not wait for a long repair."""

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

import structlog
from pydantic_core import to_json

from contracts.directory import Provision, Reconcile, Reconciled
from services.chassis.bus import Outgoing
from services.chassis.faults import outlast
from services.chassis.feed import Feed
from services.chassis.logs import where
from services.chassis.management import Management
from services.registry.differences import Found, Repair, listed
from services.registry.enforcing import Enforcer

log = structlog.get_logger()

AT_ONCE: Final = 10
"""Systems repaired before what has come meanwhile has its turn."""
MOST_REMOVED: Final = 20
"""Accounts removed at once, or a tenth of the list: where there are more, it is the list that is wrong."""


class Repairer:
    """Takes `Reconcile`, repairs what is not as it should be, and answers with `Reconciled` when there was anything.

    A list that was not worked off when the process ended, or when a newer came, is dropped: the next one comes soon.
    """

    def __init__(
        self,
        enforcer: Enforcer,
        management: Management,
        feed: Feed,
        tell: Callable[[Provision], Awaitable[None]],
        kept: Iterable[str],
    ) -> None:
        """Say by `tell` that a version came into force; `kept` are accounts that are no systems' and stay."""
        self._enforcer = enforcer
        self._management = management
        self._feed = feed
        self._tell = tell
        self._kept = frozenset(kept)
        self._waiting: dict[str, Reconcile] = {}
        self._removing: set[str] = set()
        """Accounts that were removed and not reported: by an attempt that failed halfway, the next finds them gone."""
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def reconcile(self, message: Reconcile) -> None:
        """Take note of a list, in place of an older one of the same part."""
        self._waiting[message.after or ""] = message
        self._arrived.set()

    async def begin(self) -> None:
        """Begin to work lists off."""
        self._task = asyncio.create_task(self._run(), name="repairer")

    async def end(self) -> None:
        """Stop."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                message = self._waiting.pop(next(iter(self._waiting)))
                try:
                    await outlast(lambda message=message: self.work_off(message))  # type: ignore[misc]
                except Exception as error:  # noqa: BLE001 - whatever it is: the next list comes soon
                    log.error("not reconciled", where=where(error))  # noqa: TRY400 - never the words of an error

    async def work_off(self, message: Reconcile) -> None:
        """Make the broker as the list says, and report what was not."""
        found = Found(await self._management.everything(self._enforcer.vhost), self._enforcer.vhost)
        strangers = found.strangers(message, self._kept)
        if len(strangers) > max(MOST_REMOVED, len(message.systems) // 10):
            log.error("not removed: too many for a mistake of the broker's", strangers=len(strangers))
            strangers = []
        await self._remove(strangers)
        removed = sorted(self._removing)
        wrong = (found.repair(order) for order in listed(message))
        repaired = await self._repair([repair for repair in wrong if repair.needed])
        if not (removed or repaired):
            return
        log.warning("reconciled", repaired=repaired, removed=removed)
        answer = Reconciled(repaired=tuple(repaired), removed=tuple(removed))
        await self._feed.publish(Outgoing("reconciled", answer.TYPE, to_json(answer), str(uuid.uuid4())))
        self._removing -= set(removed)

    async def _remove(self, strangers: Iterable[str]) -> None:
        for name in strangers:
            self._removing.add(name)
            if not await self._enforcer.remove(name):
                self._removing.discard(name)

    async def _repair(self, wrong: list[Repair]) -> list[str]:
        repaired = list[str]()
        for start in itertools.count(0, AT_ONCE):
            some = wrong[start : start + AT_ONCE]
            if not some:
                return repaired
            for repair in await self._enforcer.repair(some):
                if repair.was < repair.order.version:  # the order was lost, or is still on its way
                    await self._tell(repair.order)
                repaired.append(repair.order.system)
        return repaired
