"""A copy of another service's data, fed by its events: the newest version wins, in whatever order they come."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from contracts.directory import Tally
from services.chassis import copies
from services.chassis.faults import TryAgain
from services.chassis.mongo import Collection, Document

FRESH_FOR: Final = 1.0
"""Seconds for which a thing is not read again. Events may be as late as that, so decisions are no less sure."""
AT_HAND: Final = 10_000
_DUPLICATE_KEY: Final = 11000

Thing = tuple[str, int, Mapping[str, Any]]
"""Its id, its version, its fields."""


class ReadModel:
    """Things by id, each with the version in which it was last heard of."""

    def __init__(self, collection: Collection) -> None:
        """Keep them in `collection`."""
        self.collection = collection
        self._at_hand: dict[str, tuple[float, Document]] = {}

    async def put(self, key: str, version: int, fields: Mapping[str, Any]) -> None:
        """Store what is newer than what is there; drop what is not."""
        older, newer = {"_id": key, "version": {"$lt": version}}, {**fields, "version": version}
        try:
            await self.collection.replace_one(older, newer, upsert=True)
        except DuplicateKeyError:  # there by now: in this version or a newer one, or in an older one by another replica
            await self.collection.replace_one(older, newer)
        self._at_hand.pop(key, None)  # after the write: what was read meanwhile is old

    async def put_all(self, things: Iterable[Thing]) -> None:
        """Store in one write whichever of `things` are newer than what is there. Raises what `outlast` outlasts."""
        wanted = list(things)
        if not wanted:
            return
        try:
            await self.collection.bulk_write([_if_newer(*thing) for thing in wanted], ordered=False)
        except BulkWriteError as error:
            if any(one["code"] != _DUPLICATE_KEY for one in error.details["writeErrors"]):
                raise
            raise TryAgain from error  # made by another replica at the same time: there by now, and compared with
        finally:
            for key, _, _ in wanted:
                self._at_hand.pop(key, None)

    async def tallies(self, only: Mapping[str, Any] | None = None) -> dict[str, Tally]:
        """Return how many things each part holds, of those that fit `only`, and the sum of their versions."""
        return await copies.tallies(self.collection, only or {})

    async def get(self, keys: Iterable[str]) -> dict[str, Document]:
        """Return those of `keys` that are known, at most a second old; the unknown are always asked for."""
        now, wanted = time.monotonic(), set(keys)
        at_hand = {key: found for key in wanted if (found := self._at_hand.get(key)) and found[0] > now - FRESH_FOR}
        missing = sorted(wanted - at_hand.keys())
        if missing:
            at_hand |= await self._read(missing, now)
        return {key: document for key, (_, document) in at_hand.items()}

    async def _read(self, keys: list[str], now: float) -> dict[str, tuple[float, Document]]:
        found = self.collection.find({"_id": {"$in": keys}})
        read = {str(document["_id"]): (now, dict(document)) async for document in found}
        if len(self._at_hand) > AT_HAND:
            self._at_hand.clear()
        self._at_hand |= read
        return read


def _if_newer(key: str, version: int, fields: Mapping[str, Any]) -> UpdateOne:
    # One statement whether it is there or not: a replay finds most things there, and an error for each would cost more.
    newer = {"$lt": [{"$ifNull": ["$version", 0]}, version]}
    thing = {"$literal": {**fields, "_id": key, "version": version}}
    return UpdateOne({"_id": key}, [{"$replaceWith": {"$cond": [newer, thing, "$$ROOT"]}}], upsert=True)
