"""The directory's queries: pages of authorities, best matches first."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson.regex import Regex

from contracts.directory import Card, Match, MatchKind
from contracts.registry import Search, Suggest
from services.chassis.mongo import Collection
from services.registry.authority import authority_from
from services.registry.directory import (
    EVERYBODY,
    STAGES,
    BadCursor,
    Cursor,
    Entry,
    Place,
    Query,
    Scope,
    Segment,
    Words,
    all_tags,
    any_beginning_with,
    index_of,
    kind_of,
    match_of,
    overlap_first,
    segments,
    shortest_of,
    tags_asked,
)

FEW: Final = 150
"""As many authorities are ranked in memory; where there are more, an index is walked."""
MOST_READ: Final = 400
"""Authorities that a page looks at in a stage; what lies beyond is on the next page, even if this one is not full."""
CANDIDATES: Final = 60
"""Authorities with a word that are compared by how many others they have."""
READ_AT_ONCE: Final = 2
"""Pages whose histories are read at a time: of one, the database hands over 16 MiB at once, however long they are."""
_KEYS: Final = {"wholes": 1, "words": 1, "competences": 1, "sort": 1}
_TAGS: Final = [("tags", 1), ("sort", 1), ("_id", 1)]

_START: Final[Place] = ("", "")


@dataclass(frozen=True, slots=True)
class Page:
    """Authorities, each with why it was found; `next` is the cursor of the following page."""

    found: tuple[tuple[Card, Match], ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _Hit:
    """An authority in its place: pages go on after (stage, key, id). Without a match: where reading paused."""

    stage: int
    key: str
    id: str
    match: Match | None

    @property
    def place(self) -> tuple[int, str, str]:
        return self.stage, self.key, self.id


Hits = AsyncIterator[_Hit]


class Directory:
    """Active authorities, found by `wholes`, `words` and `tags` of their documents."""

    def __init__(self, collection: Collection) -> None:
        """Look in `collection`."""
        self._collection = collection
        self._reading = asyncio.Semaphore(READ_AT_ONCE)

    async def prepare(self) -> None:
        """Make the indexes."""
        for field in ("wholes", "words"):
            for within_state in (False, True):
                await self._collection.create_index(index_of(field, within_state=within_state))
        await self._collection.create_index(_TAGS)

    async def search(self, search: Search, competences: frozenset[str] = frozenset()) -> Page:
        """Return a page. `competences` are those whose labels the text names. Raises `BadCursor`.

        A page may hold fewer than asked for, even none, though there is a next one: it looked at its share.
        """
        after = Cursor.decode(search.after) if search.after else None
        shown, following = await _first(self._hits(search, competences, after, STAGES), search.limit)
        return Page(await self._cards(shown), Cursor(*following.place).encode() if following else None)

    async def suggest(self, typed: Suggest) -> list[Card]:
        """Return authorities with a name, or a word of it, that begins with what was typed."""
        search = Search(text=typed.text, country=typed.country, area=typed.area, limit=typed.limit)
        shown, _ = await _first(self._hits(search, frozenset(), None, STAGES[:3]), typed.limit)
        return [card for card, _ in await self._cards(shown)]

    def _hits(
        self, search: Search, competences: frozenset[str], after: Cursor | None, stages: Sequence[MatchKind]
    ) -> Hits:
        if search.text is None:
            return self._by_tags(tags_asked(search), after, search.limit)
        return _Search(self._collection, search, competences, stages).hits(after)

    async def _by_tags(self, tags: Sequence[str], after: Cursor | None, limit: int) -> Hits:
        last = (after.key, after.id) if after else _START
        query: Query = {"tags": tags[0], "sort": {"$gte": last[0]}}
        if len(tags) > 1:
            query["$and"] = [all_tags(tags[1:])]
        found = self._collection.find(query, {"sort": 1}).hint(_TAGS).sort(_TAGS[1:]).batch_size(limit + 1)
        async for one in found:
            if (one["sort"], str(one["_id"])) > last:
                yield _Hit(0, one["sort"], str(one["_id"]), Match(kind="filter"))

    async def _cards(self, hits: Sequence[_Hit]) -> tuple[tuple[Card, Match], ...]:
        """Whoever has vanished from the directory since is left out."""
        if not hits:
            return ()
        async with self._reading:
            found = self._collection.find({"_id": {"$in": [hit.id for hit in hits]}}, {"history": 1})
            by_id = {str(one["_id"]): _card(one) async for one in found}
        return tuple((by_id[hit.id], hit.match) for hit in hits if hit.match and hit.id in by_id)


def _card(document: Mapping[str, Any]) -> Card:
    authority = authority_from(str(document["_id"]), document["history"])
    if authority is None:
        raise TypeError("what is found has a history")
    return authority.card()


class _Search:
    """The stages of one search by text."""

    def __init__(
        self, collection: Collection, search: Search, competences: frozenset[str], stages: Sequence[MatchKind]
    ) -> None:
        self._collection = collection
        self._words = Words.of(search.text or "")
        self._competences = competences
        self._tags = tags_asked(search)
        self._scope = Scope.of(search)
        self._stages = stages
        self._batch = search.limit + 1
        self._counts: list[int] | None = None

    async def hits(self, after: Cursor | None) -> Hits:
        """Yield all hits after a place, best first."""
        if not self._words.ways:
            return
        few = await self._few()
        if few is not None:
            for hit in sorted(few, key=lambda hit: hit.place):
                if after is None or hit.place > (after.stage, after.key, after.id):
                    yield hit
            return
        walks: dict[MatchKind, Callable[[Place], Hits]] = {
            "exact-name": self._exact,
            "name-beginning": self._beginnings,
            "all-words": self._all_words,
            "competence": self._by_competence,
            "some-words": self._some_words,
        }
        first = after.stage if after else 0
        for stage, kind in enumerate(self._stages[first:], first):
            last = (after.key, after.id) if after and stage == first else _START
            async for hit in walks[kind](last):
                yield hit

    async def _few(self) -> list[_Hit] | None:
        """All hits, when what is asked for besides the words and the state leaves few authorities."""
        best = self._tags[0]
        if best == EVERYBODY or (best.startswith("c:") and "/" not in best):
            return None
        query: Query = {"tags": best}
        if len(self._tags) > 1:
            # The tag alone decides what this costs.
            if await self._collection.count_documents(query, limit=FEW + 1, hint=_TAGS) > FEW:
                return None
            query["$and"] = [all_tags(self._tags[1:])]
        found = await self._collection.find(query, _KEYS).hint(_TAGS).limit(FEW + 1).to_list()
        return None if len(found) > FEW else [hit for one in found if (hit := self._hit(one))]

    def _hit(self, entry: Entry, key: str | None = None) -> _Hit | None:
        kind = kind_of(entry, self._words, self._competences)
        if kind is None or kind not in self._stages:
            return None
        match = match_of(kind, entry, self._words)
        place = key if key is not None else overlap_first(len(match.words), entry)
        return _Hit(STAGES.index(kind), place, str(entry["_id"]), match)

    def _all_of(self) -> list[Query]:
        return [all_tags(self._scope.tags)] if self._scope.tags else []

    async def _exact(self, after: Place) -> Hits:
        query = {**self._scope.fixed, "wholes": {"$in": list(self._words.wholes)}}
        found = await self._look(query, "wholes", self._all_of(), FEW)
        hits = [hit for one in found if (hit := self._hit(one))]
        for hit in sorted(hits, key=lambda one: one.place):
            if (hit.key, hit.id) > after:
                yield hit

    def _beginnings(self, after: Place) -> Hits:
        return self._walk("wholes", self._words.wholes, "name-beginning", after, self._all_of())

    async def _all_words(self, after: Place) -> Hits:
        counts = await self._counted()
        if 0 in counts:
            return
        ways = self._words.ways[counts.index(min(counts))]
        others = [any_beginning_with("words", word) for word in self._words.ways if word != ways]
        async for hit in self._walk("words", ways, "all-words", after, [*self._all_of(), *others]):
            yield hit

    async def _by_competence(self, after: Place) -> Hits:
        if not self._competences:
            return
        country = self._scope.fixed.get("country")
        state = f"c:{country}/" if country else ""
        codes = {"$in": [f"{state}k:{code}" for code in sorted(self._competences)]}
        query: Query = {"tags": codes, "sort": {"$gte": after[0]}}
        if rest := [tag for tag in self._tags if tag not in {EVERYBODY, f"c:{country}"}]:
            query["$and"] = [all_tags(rest)]
        found = self._collection.find(query, _KEYS).hint(_TAGS).sort(_TAGS[1:]).batch_size(self._batch)
        async for one in found:
            hit = self._hit(one, one["sort"])
            if hit and STAGES[hit.stage] == "competence" and (hit.key, hit.id) > after:
                yield hit

    async def _some_words(self, after: Place) -> Hits:
        """The most agreeing first, among the first that have one of the rarest words."""
        counts = await self._counted()
        words = self._words.shortened(counts)
        found: dict[str, Entry] = {}
        for ways in _together(sorted(zip(counts, words.ways, strict=True)), CANDIDATES):
            if len(found) < CANDIDATES:
                query = {**self._scope.fixed, "words": _beginning_with(ways)}
                found |= {str(one["_id"]): one for one in await self._look(query, "words", self._all_of(), CANDIDATES)}
        for hit in sorted(self._overlapping(found.values(), words), key=lambda one: one.place):
            if (hit.key, hit.id) > after:
                yield hit

    def _overlapping(self, entries: Iterable[Entry], words: Words) -> Iterable[_Hit]:
        """Those that were in no better stage, with the words that they have."""
        for entry in entries:
            if kind_of(entry, self._words, self._competences) in {None, "some-words"}:
                match = match_of("some-words", entry, words)
                yield _Hit(STAGES.index("some-words"), overlap_first(len(match.words), entry), entry["_id"], match)

    async def _walk(
        self, field: str, keys: Iterable[str], kind: MatchKind, after: Place, rest: Sequence[Query]
    ) -> Hits:
        """Walk an index where its keys begin with one of `keys`, in its order, and pause after a while."""
        ranges, left, size = shortest_of(keys), MOST_READ, self._batch * 2
        paused: Place | None = after
        while paused is not None and left > 0:
            start, paused = paused, None
            for segment in (one for key in ranges for one in segments(key, start)):
                found, paused = await self._read(segment, field, rest, size)
                for one in found:
                    # One with several such keys stands where the first of them does.
                    place = min(own for own in one[field] if own.startswith(tuple(ranges)))
                    hit = self._hit(one, place) if segment.holds(place) and (place, one["_id"]) > after else None
                    if hit and STAGES[hit.stage] == kind:
                        yield hit
                if paused:
                    break
            left, size = left - (MOST_READ if rest else size), MOST_READ - size
        if paused:
            yield _Hit(STAGES.index(kind), *paused, None)

    async def _read(
        self, segment: Segment, field: str, rest: Sequence[Query], size: int
    ) -> tuple[list[Entry], Place | None]:
        """Return those of a segment, and where reading paused, if it did."""
        query = {**self._scope.fixed, **segment.query(field)}
        found = await self._look(query, field, rest, size)
        if len(found) >= size:
            return found, segment.place(found[-1], field)
        if not rest:
            return found, None
        beyond = self._collection.find(query, {field: 1}).hint(self._scope.index(field))
        last = await beyond.skip(MOST_READ - 1).limit(1).to_list()
        return found, segment.place(last[0], field) if last else None

    async def _look(self, query: Query, field: str, rest: Sequence[Query], limit: int) -> list[Entry]:
        """Return those that fit, in the order of the index, among the first `MOST_READ`.

        A scan keeps that order; to sort by a field with many keys would take everybody.
        """
        index = self._scope.index(field)
        if not rest:
            return await self._collection.find(query, _KEYS).hint(index).limit(limit).to_list()
        stages: list[dict[str, Any]] = [
            {"$match": query},
            {"$limit": MOST_READ},
            {"$match": {"$and": list(rest)}},
            {"$limit": limit},
            {"$project": _KEYS},
        ]
        return await (await self._collection.aggregate(stages, hint=dict(index))).to_list()

    async def _counted(self) -> list[int]:
        """How many have a word that begins like each of the text's, up to what a page looks at."""
        if self._counts is None:
            self._counts = await asyncio.gather(*(self._count(ways) for ways in self._words.ways))
        return self._counts

    async def _count(self, ways: Iterable[str]) -> int:
        # Read from the index alone, which a range on a field with many keys is not.
        query = {**self._scope.fixed, "words": _beginning_with(ways)}
        return await self._collection.count_documents(query, limit=MOST_READ, hint=self._scope.index("words"))


def _beginning_with(ways: Iterable[str]) -> Query:
    """Words are letters and digits: nothing in them means anything to a pattern."""
    return {"$in": [Regex(f"^{way}") for way in ways]}


def _together(counted: Sequence[tuple[int, Sequence[str]]], limit: int) -> Iterable[list[str]]:
    """Yield the ways of writing the words, rarest first: at once those that have less than `limit` in all."""
    ways: list[str] = []
    total = 0
    for count, own in counted:
        if ways and total + count > limit:
            yield ways
            ways, total = [], 0
        ways, total = [*ways, *own], total + count
    if ways:
        yield ways


async def _first(hits: Hits, limit: int) -> tuple[list[_Hit], _Hit | None]:
    """Return the hits of a page, and after which one the next page goes on, if there may be one."""
    shown: list[_Hit] = []
    async for hit in hits:
        if hit.match is None:
            return shown, hit
        if len(shown) == limit:
            return shown, shown[-1]
        shown.append(hit)
    return shown, None


__all__ = ["BadCursor", "Directory", "Page"]
