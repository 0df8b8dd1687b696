"""The scoreboard's counters, kept up to date as cases move: exact whatever crashes, and whichever replica counts.

A write of a case marks it as uncounted. A counting takes marked cases, and in one transaction adds to the counters what
each counts for now, less what it was counted for, and writes that down in the case: so it counts once.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession

from contracts.casework import Recount
from services.casework.scores import FIGURES, difference
from services.casework.store import Store

AT_ONCE: Final = 500
BATCHES: Final = 20


class Scoreboard:
    """Counts cases by state, area and month."""

    def __init__(self, store: Store) -> None:
        """Count the cases of `store`."""
        self._store = store

    async def turn(self) -> None:
        """Count the cases that have moved. Raises what the database raises; a backlog is worked off over some turns."""
        for _ in range(BATCHES):
            if await self.batch() < AT_ONCE:
                return

    async def batch(self) -> int:
        """Count so many at once at the most; return how many: none when another replica counts the same ones."""
        fields = {"score": 1, "counted": 1, "rev": 1}
        found = self._store.collection.find({"uncounted": True}, fields).limit(AT_ONCE)
        moved = [document async for document in found]
        if not moved:
            return 0
        async with self._store.collection.database.client.start_session() as session:
            return int(await session.with_transaction(lambda one: self._count(one, moved)))

    async def _count(self, session: AsyncClientSession, moved: list[Mapping[str, Any]]) -> int:
        marks = [
            UpdateOne(
                {"_id": one["_id"], "rev": one["rev"], "uncounted": True},
                {"$set": {"counted": one.get("score")}, "$unset": {"uncounted": ""}},
            )
            for one in moved
        ]
        written = await self._store.collection.bulk_write(marks, ordered=False, session=session)
        if written.matched_count < len(moved):  # somebody was faster with one: all of them another time
            await session.abort_transaction()
            return 0
        additions = added(moved)
        if additions:
            await self._store.counters.bulk_write(additions, ordered=False, session=session)
        return len(moved)

    async def groups(
        self, first: str, last: str, country: str | None = None, area: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return the figures of each state, area and month from `first` to `last`."""
        wanted: dict[str, Any] = {"month": {"$gte": first, "$lte": last}}
        wanted |= {"country": country} if country else {}
        wanted |= {"area": area} if area else {}
        return [document async for document in self._store.counters.find(wanted)]

    async def recount(self, month: str) -> Recount:
        """Count the cases of one month anew, from what each was counted for, and compare with the counters."""
        sums = {name: {"$sum": {"$ifNull": [f"$counted.figures.{name}", 0]}} for name in FIGURES}
        group = {"_id": {"country": "$counted.country", "area": "$counted.area"}, **sums}
        match = {"counted.month": month}
        found = await self._store.collection.aggregate([{"$match": match}, {"$group": group}])
        plain = {(one["_id"]["country"], one["_id"]["area"]): one async for one in found}
        there = {(one["country"], one["area"]): one["figures"] for one in await self.groups(month, month)}
        differing = sum(
            plain.get(key, {}).get(name, 0) != there.get(key, {}).get(name, 0)
            for key in plain.keys() | there.keys()
            for name in FIGURES
        )
        cases = sum(one["requests"] for one in plain.values())
        waiting = await self._store.collection.count_documents({"uncounted": True})
        return Recount(groups=len(plain), cases=cases, differing=differing, uncounted=waiting)


def added(moved: Iterable[Mapping[str, Any]]) -> list[UpdateOne]:
    """Return the writes that add to the counters what `score` of each case counts for, less what `counted` does."""
    sums = dict[tuple[str, str, str], dict[str, int]]()
    for one in moved:
        for group, figures in difference(one.get("score"), one.get("counted")).items():
            total = sums.setdefault(group, {})
            for name, value in figures.items():
                total[name] = total.get(name, 0) + value
    return [
        UpdateOne(
            {"_id": "/".join(group)},
            {
                "$inc": {f"figures.{name}": value for name, value in figures.items()},
                "$setOnInsert": dict(zip(("country", "area", "month"), group, strict=True)),
            },
            upsert=True,
        )
        for group, figures in sorted(sums.items())
        if figures
    ]
