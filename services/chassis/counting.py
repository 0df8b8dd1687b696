"""Counters of documents, kept up to date as these change: exact whatever crashes, and whichever replica counts.

A write of a document marks it as uncounted. A counting takes marked documents, and in one transaction adds to the
counters what each counts for now, less what it was counted for, and notes that in the document: so it counts once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession

from services.chassis.mongo import Collection, Document

AT_ONCE: Final = 500
BATCHES: Final = 20
MARK: Final = "uncounted"
_MARKED: Final = "all-marked"

Stored = Mapping[str, Any]
Difference = Mapping[tuple[str, ...], Mapping[str, int]]
"""What must be added, by group and by the name of the figure."""
Adding = Callable[[Iterable[Stored]], list[UpdateOne]]
"""From documents as they are stored to the writes that add to counters what has changed of them."""


class Counting:
    """Counts the documents of one collection."""

    def __init__(
        self,
        documents: Collection,
        fields: Sequence[str],
        counted: Callable[[Stored], Document],
        counters: Sequence[tuple[Collection, Adding]],
        at_rest: Callable[[], Document] = dict,
    ) -> None:
        """`fields` are read of each; `counted` says what to write down in it; each of `counters` gets its additions.

        Only what `at_rest` finds is counted: what moves on while it is counted has all that are counted with it
        counted anew.
        """
        self.documents = documents
        self._fields = dict.fromkeys(("rev", *fields), 1)
        self._counted = counted
        self._counters = counters
        self._at_rest = at_rest

    async def prepare(self, all_of: Mapping[str, Any]) -> None:
        """Make the index, and mark once whatever was written before there were these counters: what `all_of` finds."""
        await self.documents.create_index(MARK, sparse=True)
        for counters, _ in self._counters:
            if await counters.find_one({"_id": _MARKED}) is None:
                await self.documents.update_many(all_of, {"$set": {MARK: True}})
                await counters.update_one({"_id": _MARKED}, {"$set": {"done": True}}, upsert=True)

    async def turn(self) -> None:
        """Count what has changed. Raises what the database raises; a backlog is worked off over some turns."""
        for _ in range(BATCHES):
            if await self.batch() < AT_ONCE:
                return

    async def batch(self) -> int:
        """Count so many at once at the most; return how many: none when another replica counts the same ones."""
        wanted = {MARK: True, **self._at_rest()}
        moved = [document async for document in self.documents.find(wanted, self._fields).limit(AT_ONCE)]
        if not moved:
            return 0
        async with self.documents.database.client.start_session() as session:
            return int(await session.with_transaction(lambda one: self._count(one, moved)))

    async def waiting(self) -> int:
        """Return how many have changed since they were last counted."""
        return await self.documents.count_documents({MARK: True})

    async def _count(self, session: AsyncClientSession, moved: Sequence[Stored]) -> int:
        marks = [
            UpdateOne(
                {"_id": one["_id"], "rev": one["rev"], MARK: True},
                {"$set": self._counted(one), "$unset": {MARK: ""}},
            )
            for one in moved
        ]
        written = await self.documents.bulk_write(marks, ordered=False, session=session)
        if written.matched_count < len(moved):  # somebody was faster with one: all of them another time
            await session.abort_transaction()
            return 0
        for counters, adding in self._counters:
            if additions := adding(moved):
                await counters.bulk_write(additions, ordered=False, session=session)
        return len(moved)


async def figures_of(counters: Collection, query: Mapping[str, Any] | None = None) -> list[Stored]:
    """Return the counters, each with the fields of its group and its `figures`."""
    return [one async for one in counters.find({"figures": {"$exists": True}, **(query or {})})]


def additions(names: Sequence[str], differences: Iterable[Difference]) -> list[UpdateOne]:
    """Return the writes that add these to the counters; `names` are those of the fields that make a group."""
    sums = dict[tuple[str, ...], dict[str, int]]()
    for difference in differences:
        for group, figures in difference.items():
            total = sums.setdefault(group, {})
            for name, value in figures.items():
                total[name] = total.get(name, 0) + value
    return [
        UpdateOne(
            {"_id": "/".join(group)},
            {
                "$inc": {f"figures.{name}": value for name, value in figures.items()},
                "$setOnInsert": dict(zip(names, group, strict=True)),
            },
            upsert=True,
        )
        for group, figures in sorted(sums.items())
        if figures
    ]


def moved_from(new: Difference, old: Difference) -> dict[tuple[str, ...], dict[str, int]]:
    """Return what must be added so that `new` counts in the place of `old`; nothing of what stays."""
    changes = dict[tuple[str, ...], dict[str, int]]()
    for groups, sign in ((new, 1), (old, -1)):
        for group, figures in groups.items():
            total = changes.setdefault(group, {})
            for name, value in figures.items():
                total[name] = total.get(name, 0) + sign * value
    return {
        group: kept
        for group, figures in changes.items()
        if (kept := {name: value for name, value in figures.items() if value})
    }
