"""How many mails a second go to one domain: counted in the database, so that replicas share the measure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from pymongo import ReturnDocument

from services.chassis.mongo import Collection, Document
from services.notifier.soon import soon

_FORGOTTEN_AFTER: Final = timedelta(hours=1)


class Rates:
    """Gives each mail a moment at which it may go (generic cell rate algorithm)."""

    def __init__(self, collection: Collection, per_second: float, burst: int) -> None:
        """So many a second in the long run; after a pause `burst` of them at once."""
        self._collection = soon(collection)
        self._interval_ms = max(1, round(1000 / per_second))
        self._ahead = timedelta(milliseconds=self._interval_ms * (burst - 1))

    async def prepare(self) -> None:
        """Make the index: of a domain that gets no mails nothing is kept."""
        await self._collection.create_index([("next", 1)], expireAfterSeconds=int(_FORGOTTEN_AFTER.total_seconds()))

    async def free_at(self, domains: Iterable[str], now: datetime) -> datetime:
        """Return when the first of these will have a place, at least `now`. Takes none: by then it may be gone."""
        wanted = {domain.lower() for domain in domains}
        found = self._collection.find({"_id": {"$in": sorted(wanted)}}, {"next": 1})
        following = [one["next"] async for one in found]
        if len(following) < len(wanted):
            return now
        first: datetime = min(following, default=now) - self._ahead
        return max(first, now)

    async def slot(self, domain: str, now: datetime) -> datetime:
        """Take a mail's place if it may go now, and return `now`; else take none, and return when to ask again.

        Each is given a moment of its own: a thousand mails that wait for a domain ask once more, not every second.
        """
        following = {"$max": [{"$ifNull": ["$next", now]}, now]}
        is_free = {"$lte": [following, now + self._ahead]}
        last = {"$max": [{"$ifNull": ["$asks", following]}, following]}
        found = await self._collection.find_one_and_update(
            {"_id": domain.lower()},
            [
                {
                    "$set": {
                        "free": is_free,
                        "next": {"$cond": [is_free, self._after(following), following]},
                        "asks": {"$cond": [is_free, last, self._after(last)]},
                    }
                }
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert found
        asks: datetime = found["asks"] - timedelta(milliseconds=self._interval_ms) - self._ahead
        return now if found["free"] else asks

    def _after(self, moment: Document) -> Document:
        return {"$dateAdd": {"startDate": moment, "unit": "millisecond", "amount": self._interval_ms}}
