"""The directory's queries: pages of authorities, best matches first."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts.directory import Match, MatchKind
from contracts.registry import Search, Suggest
from services.chassis.mongo import Collection, Document
from services.registry.directory import (
    STAGES,
    BadCursor,
    Cursor,
    Entry,
    Query,
    Words,
    beginning_with,
    kind_of,
    match_of,
    tags_asked,
)

FEW: Final = 200
"""As many authorities are ranked in memory; where there are more, an index is walked."""
SOME: Final = 40
"""As many are looked at for a word that is not enough by itself."""
TELLING: Final = 3
"""Words of a text by which authorities are looked for; all its words count in the ranking."""
_KEYS: Final = {"wholes": 1, "words": 1, "competences": 1, "sort": 1}
_NOBODY: Final = ("", "")


@dataclass(frozen=True, slots=True)
class Page:
    """Documents with their histories, each with why it was found; `next` is the cursor of the following page."""

    found: tuple[tuple[Document, Match], ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _Hit:
    """An authority in its place: pages go on after (stage, key, id)."""

    stage: int
    key: str
    id: str
    match: Match

    @property
    def place(self) -> tuple[int, str, str]:
        return self.stage, self.key, self.id


class Directory:
    """Active authorities, found by `wholes`, `words`, `tags` and `competences` of their documents."""

    def __init__(self, collection: Collection) -> None:
        """Look in `collection`."""
        self._collection = collection

    async def prepare(self) -> None:
        """Make the indexes."""
        for keys in (["wholes", "_id"], ["words", "_id"], ["competences", "_id"], ["tags", "sort", "_id"]):
            await self._collection.create_index([(key, 1) for key in keys])

    async def search(self, search: Search, competences: frozenset[str] = frozenset()) -> Page:
        """Return a page. `competences` are those whose labels the text names. Raises `BadCursor`."""
        after = Cursor.decode(search.after) if search.after else None
        return await self._page(search, competences, after, STAGES)

    async def suggest(self, typed: Suggest) -> list[Document]:
        """Return the documents of authorities with a name, or a word of it, that begins with what was typed."""
        search = Search(text=typed.text, country=typed.country, area=typed.area, limit=typed.limit)
        page = await self._page(search, frozenset(), None, STAGES[:3])
        return [document for document, _ in page.found]

    async def _page(
        self, search: Search, competences: frozenset[str], after: Cursor | None, stages: Sequence[MatchKind]
    ) -> Page:
        tags = tags_asked(search)
        if search.text is None:
            hits = self._by_tags(tags, after)
        else:
            looked_for = _Search(self._collection, Words.of(search.text), competences, tags, stages)
            hits = looked_for.hits(after)
        # One more than shown tells whether there is a next page.
        shown = [hit async for hit in _first(hits, search.limit + 1)]
        more = shown[search.limit - 1] if len(shown) > search.limit else None
        documents = await self._documents(shown[: search.limit])
        return Page(documents, Cursor(more.stage, more.key, more.id).encode() if more else None)

    async def _by_tags(self, tags: Sequence[str], after: Cursor | None) -> AsyncIterator[_Hit]:
        last = (after.key, after.id) if after else _NOBODY
        best = (await _rarest(self._collection, tags))[0] if len(tags) > 1 else tags[0]
        query: Query = {"tags": best, "sort": {"$gte": last[0]}, **_all_of(tags, best)}
        found = self._collection.find(query, {"sort": 1}).sort([("sort", 1), ("_id", 1)])
        async for one in found:
            if (one["sort"], str(one["_id"])) > last:
                yield _Hit(0, one["sort"], str(one["_id"]), Match(kind="filter"))

    async def _documents(self, hits: Sequence[_Hit]) -> tuple[tuple[Document, Match], ...]:
        """Whoever has vanished from the directory since is left out."""
        found = self._collection.find({"_id": {"$in": [hit.id for hit in hits]}}, {"history": 1}) if hits else None
        by_id = {str(one["_id"]): dict(one) async for one in found} if found is not None else {}
        return tuple((by_id[hit.id], hit.match) for hit in hits if hit.id in by_id)


class _Search:
    """The stages of one search by text."""

    def __init__(
        self,
        collection: Collection,
        words: Words,
        competences: frozenset[str],
        tags: Sequence[str],
        stages: Sequence[MatchKind],
    ) -> None:
        self._collection = collection
        self._words = words
        self._competences = competences
        self._tags = tags
        self._stages = stages

    async def hits(self, after: Cursor | None) -> AsyncIterator[_Hit]:
        """Yield all hits after a place, best first."""
        if not self._words.ways:
            return
        few = await self._few()
        if few is not None:
            for hit in _ranked(few, after):
                yield hit
            return
        walks: dict[MatchKind, Callable[[tuple[str, str]], AsyncIterator[_Hit]]] = {
            "exact-name": self._exact,
            "name-beginning": self._beginnings,
            "all-words": self._all_words,
            "competence": self._by_competence,
            "some-words": self._some_words,
        }
        first = after.stage if after else 0
        for stage, kind in enumerate(self._stages):
            if stage < first:
                continue
            last = (after.key, after.id) if after and stage == first else _NOBODY
            async for hit in walks[kind](last):
                yield hit

    async def _few(self) -> list[_Hit] | None:
        """All hits, when what is asked for besides the words leaves few authorities."""
        if self._tags == ["*"]:
            return None
        best, count = await _rarest(self._collection, self._tags)
        if count > FEW:
            return None
        query: Query = {"tags": best, **_all_of(self._tags, best)}
        return [hit async for one in self._collection.find(query, _KEYS) if (hit := self._hit(one))]

    def _hit(self, entry: Entry, key: str | None = None) -> _Hit | None:
        kind = kind_of(entry, self._words, self._competences)
        if kind is None or kind not in self._stages:
            return None
        match = match_of(kind, entry, self._words)
        place = key if key is not None else _overlap_first(entry, match)
        return _Hit(STAGES.index(kind), place, str(entry["_id"]), match)

    async def _exact(self, after: tuple[str, str]) -> AsyncIterator[_Hit]:
        found = self._collection.find({"wholes": {"$in": list(self._words.wholes)}, **_all_of(self._tags)}, _KEYS)
        hits = [hit async for one in found.limit(FEW) if (hit := self._hit(one))]
        for hit in sorted(hits, key=lambda one: one.place):
            if (hit.key, hit.id) > after:
                yield hit

    def _beginnings(self, after: tuple[str, str]) -> AsyncIterator[_Hit]:
        return self._walk("wholes", self._words.wholes, "name-beginning", after)

    async def _all_words(self, after: tuple[str, str]) -> AsyncIterator[_Hit]:
        ways = await self._rarest_word()
        others = [
            {"$or": [{"words": beginning_with(way)} for way in word]} for word in self._words.ways if word != ways
        ]
        async for hit in self._walk("words", ways, "all-words", after, others):
            yield hit

    async def _by_competence(self, after: tuple[str, str]) -> AsyncIterator[_Hit]:
        for code in sorted(self._competences):
            if code < after[0]:
                continue
            query: Query = {"competences": code, **_all_of(self._tags)}
            async for one in self._collection.find(query, _KEYS).sort("_id", 1):
                first = min(self._competences.intersection(one["competences"]))
                hit = self._hit(one, code) if first == code and (code, str(one["_id"])) > after else None
                if hit and STAGES[hit.stage] == "competence":
                    yield hit

    async def _some_words(self, after: tuple[str, str]) -> AsyncIterator[_Hit]:
        """The most agreeing first, among some that have any one of the longest words."""
        if len(self._words.ways) == 1:
            return
        found = await asyncio.gather(*(self._with_word(ways) for ways in self._telling()))
        hits = {hit.id: hit for some in found for one in some if (hit := self._hit(one))}
        for hit in sorted(hits.values(), key=lambda one: one.place):
            if STAGES[hit.stage] == "some-words" and (hit.key, hit.id) > after:
                yield hit

    async def _with_word(self, ways: Iterable[str]) -> list[Document]:
        query: Query = {"$or": [{"words": beginning_with(way)} for way in ways], **_all_of(self._tags)}
        return [dict(one) async for one in self._collection.find(query, _KEYS).limit(SOME)]

    def _telling(self) -> list[tuple[str, ...]]:
        """The words that say most: the long ones."""
        return sorted(self._words.ways, key=lambda ways: -len(ways[0]))[:TELLING]

    async def _walk(
        self, field: str, keys: Sequence[str], kind: MatchKind, after: tuple[str, str], others: Sequence[Query] = ()
    ) -> AsyncIterator[_Hit]:
        """Walk an index where its keys begin with one of `keys`, in its order."""
        for key in sorted(keys):
            query: Query = {field: beginning_with(key, after[0]), **_all_of(self._tags)}
            if others:
                query["$and"] = list(others)
            async for one in self._collection.find(query, _KEYS).hint([(field, 1), ("_id", 1)]):
                place = min(own for own in one[field] if own.startswith(tuple(keys)))
                if (place, str(one["_id"])) <= after or not place.startswith(key):
                    continue
                hit = self._hit(one, place)
                if hit and STAGES[hit.stage] == kind:
                    yield hit

    async def _rarest_word(self) -> tuple[str, ...]:
        if len(self._words.ways) == 1:
            return self._words.ways[0]
        telling = self._telling()
        counts = await asyncio.gather(*(self._count(ways) for ways in telling))
        return telling[counts.index(min(counts))]

    async def _count(self, ways: Iterable[str]) -> int:
        query = {"$or": [{"words": beginning_with(way)} for way in ways]}
        return await self._collection.count_documents(query, limit=SOME)


def _ranked(hits: Iterable[_Hit], after: Cursor | None) -> list[_Hit]:
    ordered = sorted(hits, key=lambda hit: hit.place)
    return [hit for hit in ordered if after is None or hit.place > (after.stage, after.key, after.id)]


def _overlap_first(entry: Entry, match: Match) -> str:
    """The more words agree, the earlier; then by name."""
    return f"{99 - len(match.words):02}{entry['sort']}"


def _all_of(tags: Sequence[str], but: str = "") -> dict[str, Any]:
    others = [tag for tag in tags if tag not in {but, "*"}]
    if not others:
        return {}
    return {"$and": [{"tags": tag} for tag in others]} if but else {"tags": {"$all": others}}


async def _rarest(collection: Collection, tags: Sequence[str]) -> tuple[str, int]:
    """Return the tag that the fewest have, and how many these are as far as it matters."""
    counts = await asyncio.gather(*(collection.count_documents({"tags": tag}, limit=FEW + 1) for tag in tags))
    return tags[counts.index(min(counts))], min(counts)


async def _first(hits: AsyncIterator[_Hit], count: int) -> AsyncIterator[_Hit]:
    async for hit in hits:
        if count <= 0:
            return
        count -= 1
        yield hit


__all__ = ["BadCursor", "Directory", "Page"]
