"""Casework's counters: the scoreboard's, by state, area and month; and how many cases are open now, and where."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import UpdateOne

from contracts.case import Recount
from services.casework.scores import FIGURES, groups_of
from services.casework.store import Store
from services.chassis.counting import Counting, Difference, Stored, additions, figures_of, moved_from
from services.chassis.mongo import Document


class Scoreboard(Counting):
    """Counts cases."""

    def __init__(self, store: Store, rest: timedelta = timedelta(0)) -> None:
        """Count the cases of `store` that have not changed for the time of a `rest`: most then change no more."""
        fields = ("score", "counted", "open", "area", "state", "overdue", "standing")
        counters = [(store.counters, added), (store.standings, moved)]
        super().__init__(store.collection, fields, _counted, counters, self._at_rest)
        self._store = store
        self._rest = rest

    def _at_rest(self) -> Document:
        return {"changed_at": {"$lte": datetime.now(UTC) - self._rest}} if self._rest else {}

    async def begin_counting(self) -> None:
        """Make the indexes, and have counted what is open since before there were these counters."""
        await self.prepare({"open": True})
        await self._store.counters.create_index("month", sparse=True)

    async def groups(
        self, first: str, last: str, country: str | None = None, area: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return the figures of each state, area and month from `first` to `last`."""
        wanted: dict[str, Any] = {"month": {"$gte": first, "$lte": last}}
        wanted |= {"country": country} if country else {}
        wanted |= {"area": area} if area else {}
        return await figures_of(self._store.counters, wanted)

    async def standings(self) -> list[Mapping[str, Any]]:
        """Return how many cases of each area and state are `open`, and how many of them `overdue`."""
        return await figures_of(self._store.standings)

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
        return Recount(groups=len(plain), cases=cases, differing=differing, uncounted=await self.waiting())


def added(cases: Iterable[Stored]) -> list[UpdateOne]:
    """Return the writes that add to the counters what `score` of each case counts for, less what `counted` does."""
    changes = (moved_from(groups_of(one.get("score")), groups_of(one.get("counted"))) for one in cases)
    return additions(("country", "area", "month"), changes)


def moved(cases: Iterable[Stored]) -> list[UpdateOne]:
    """Return the writes that count each case where it stands now, and no longer where it stood."""
    changes = (moved_from(_group(standing_of(one)), _group(one.get("standing"))) for one in cases)
    return additions(("area", "state"), changes)


def standing_of(case: Stored) -> Document | None:
    """Return where an open case stands; a closed one stands nowhere."""
    if not case.get("open"):
        return None
    return {"area": case["area"], "state": case["state"], "overdue": bool(case.get("overdue"))}


def _group(standing: Mapping[str, Any] | None) -> Difference:
    if standing is None:
        return {}
    return {(standing["area"], standing["state"]): {"open": 1, "overdue": int(standing["overdue"])}}


def _counted(case: Stored) -> Document:
    return {"counted": case.get("score"), "standing": standing_of(case)}
