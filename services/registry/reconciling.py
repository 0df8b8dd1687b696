"""The registry's list of what the broker should have, told again and again: the provisioner repairs what differs."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from prometheus_client import Counter
from pydantic_core import to_json

from contracts.directory import Reconcile, Reconciled
from contracts.types import Message
from services.chassis.bus import Outgoing
from services.chassis.feed import Feed
from services.chassis.logs import where
from services.registry.store import Store
from services.registry.system import System
from services.registry.systems import order

log = structlog.get_logger()

CHUNK: Final = 500
REPAIRED = Counter("imi_reconciled_total", "Systems that the broker had otherwise than it should.", ["what"])


class Reconciling:
    """Publishes the whole list every so many seconds, and notes what the provisioner had to repair."""

    def __init__(
        self,
        store: Store,
        feed: Feed,
        every: float,
        chunk: int = CHUNK,
        waits: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Publish by `feed`, at most `chunk` systems in one message; nothing while `waits` says so."""
        self._store = store
        self._feed = feed
        self._every = every
        self._chunk = chunk
        self._waits = waits
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Begin, with a list at once: nobody knows how long there was none."""
        self._task = asyncio.create_task(self._run(), name="reconciling")

    async def end(self) -> None:
        """Stop."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def reconciled(self, message: Reconciled) -> None:
        """Log and count what was not as it should have been."""
        REPAIRED.labels("repaired").inc(len(message.repaired))
        REPAIRED.labels("removed").inc(len(message.removed))
        log.warning("reconciled", repaired=message.repaired, removed=message.removed)

    async def publish(self) -> None:
        """Publish the list once, and the orders again that the provisioner has not answered, as far as is known here.

        Its answer may be lost: with a database that was restored, or with the provisioner.
        """
        unanswered = set(await self._store.not_in_force())
        async for after, systems, upto in self._chunks():
            message = Reconcile(after=after, upto=upto, systems=tuple(system.provision() for system in systems))
            await self._say("reconcile", message, str(uuid.uuid4()))
            for event in (order(system) for system in systems if system.id in unanswered):
                await self._say(event.routing_key, event.message, event.message_id)

    async def _chunks(self) -> AsyncIterator[tuple[str | None, list[System], str | None]]:
        """Nothing at all when there is no system: the exchange is new, or the database not the one it should be."""
        after: str | None = None
        systems = await self._store.systems_after(after, self._chunk)
        while systems:
            following = await self._store.systems_after(systems[-1].id, self._chunk)
            upto = systems[-1].id if following else None
            yield after, systems, upto
            after, systems = upto, following

    async def _run(self) -> None:
        while True:
            try:
                if not (self._waits and await self._waits()):  # a restored list lacks who came after the backup
                    await self.publish()
            except Exception as error:  # noqa: BLE001 - whatever it is: the next list comes soon
                log.warning("no list", where=where(error))
            await asyncio.sleep(self._every)

    async def _say(self, key: str, message: Message, message_id: str) -> None:
        await self._feed.publish(Outgoing(key, message.TYPE, to_json(message, exclude_none=True), message_id))
