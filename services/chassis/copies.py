"""Copies of the registry's data compared with the registry's own, every so often: it sends again what is missing."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog
from pydantic_core import to_json

from contracts.directory import Compare, Tally
from services.chassis.bus import Outgoing
from services.chassis.faults import BROKER_AWAY
from services.chassis.feed import Feed
from services.chassis.logs import where
from services.chassis.mongo import Collection

log = structlog.get_logger()

ROUTING_KEY: Final = "compare"
PART: Final = 4
"""Characters of an id by which a collection is parted: of an authority's, the state, a dash, and one more."""
_LONGEST_PAUSE: Final = 30.0
"""Seconds after which a comparison that failed is tried again, at the latest."""


async def tallies(collection: Collection, only: Mapping[str, Any]) -> dict[str, Tally]:
    """Return how many documents each part of the collection has, and the sum of their versions.

    Documents without a version are none that anybody copies; `only` says which of the others count.
    """
    part = {"$substrBytes": ["$_id", 0, PART]}
    group = {"_id": part, "count": {"$sum": 1}, "versions": {"$sum": "$version"}}
    found = await collection.aggregate([{"$match": {"version": {"$gte": 1}, **only}}, {"$group": group}])
    return {str(one["_id"]): Tally(count=one["count"], versions=one["versions"]) async for one in found}


def total(parts: Mapping[str, Tally]) -> Tally:
    """Return the tally of all parts together."""
    return Tally(
        count=sum(part.count for part in parts.values()), versions=sum(part.versions for part in parts.values())
    )


class Comparing:
    """Tells the registry what this service's copies hold: at once, then every so often. No fault ends it.

    Replicas need not know of each other: what is sent again twice changes nothing the second time.
    """

    def __init__(self, feed: Feed, compare: Callable[[], Awaitable[Compare]], every: float) -> None:
        """Publish what `compare` returns, `every` so many seconds, by the `feed` that takes what is sent again."""
        self._feed = feed
        self._compare = compare
        self._every = every
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._run(), name="comparing")

    async def end(self) -> None:
        """End; a comparison that was begun is not finished."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def runs(self) -> bool:
        """Say whether the loop runs. It does while the database or the broker is away."""
        return self._task is not None and not self._task.done()

    async def turn(self) -> None:
        """Tell the registry what there is, unless what it sent before still waits: that would be sent again.

        A comparison that nobody has read by the next one is dropped. Raises what the database and the broker raise.
        """
        if await self._feed.waiting():
            return
        compare = await self._compare()
        message = Outgoing(ROUTING_KEY, compare.TYPE, to_json(compare), str(uuid.uuid4()))
        await self._feed.publish(message, expires_after=self._every)

    async def _run(self) -> None:
        while True:
            pause = self._every
            try:
                await self.turn()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next comparison may go well
                pause = min(pause, _LONGEST_PAUSE)
                _tell(error, pause)
            # Replicas that started together do not stay together.
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - jitter, not a secret


def _tell(error: Exception, pause: float) -> None:
    if isinstance(error, BROKER_AWAY):
        log.warning("not compared", fault=type(error).__name__, next_attempt_s=pause)
    else:
        log.warning("not compared", where=where(error), next_attempt_s=pause)
