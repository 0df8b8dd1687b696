"""Copies of another service's data compared with its own, every so often: it sends again what is missing."""

import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from pydantic_core import to_json

from contracts.directory import Compare, Tally
from services.chassis.bus import Outgoing
from services.chassis.feed import Feed
from services.chassis.loops import Loop
from services.chassis.mongo import Collection

ROUTING_KEY: Final = "compare"
PART: Final = 4
"""Characters of an id by which a collection is parted: of an authority's, the state, a dash, and one more."""


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


def tally_of(versions: Iterable[str]) -> Tally:
    """Return the tally of what is published by version, each named `<what>/<version>`."""
    numbers = [int(one.rsplit("/", 1)[1]) for one in versions]
    return Tally(count=len(numbers), versions=sum(numbers))


class Comparing(Loop):
    """Tells whose data it is what this service's copies hold: at once, then every so often. No fault ends it.

    Replicas need not know of each other: what is sent again twice changes nothing the second time.
    """

    def __init__(self, feed: Feed, compare: Callable[[], Awaitable[Compare]], every: float) -> None:
        """Publish what `compare` returns, `every` so many seconds, by the `feed` that takes what is sent again."""
        super().__init__("comparing", self.turn, every)
        self._feed = feed
        self._compare = compare
        self._expires_after = every

    async def turn(self) -> None:
        """Tell what there is, unless what it sent before still waits: that would be sent again.

        A comparison that nobody has read by the next one is dropped. Raises what the database and the broker raise.
        """
        if await self._feed.waiting():
            return
        compare = await self._compare()
        message = Outgoing(ROUTING_KEY, compare.TYPE, to_json(compare), str(uuid.uuid4()))
        await self._feed.publish(message, expires_after=self._expires_after)
