"""The competences that this deployment knows, with their labels: so that one's own word finds what others registered.

The whole vocabulary is in memory (a thousand NACE activities in 24 languages and the professions: a few megabytes), and
read again when another replica has changed it.
"""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from pymongo import UpdateOne

from contracts.refusal import Refusal
from contracts.registry import PutTerms, Term
from contracts.topology import OPERATOR
from services.chassis.desk import Answer, done, refused
from services.chassis.intake import Command
from services.chassis.mongo import Collection
from services.registry.directory import LAST
from services.registry.names import word_ways

LOOK_AGAIN_AFTER: Final = 1.0
"""Seconds for which the vocabulary is taken to be what it was."""
SHORTEST_BEGINNING: Final = 4
"""Letters of a word that may begin a longer one: `arzt` does not find `Arztneimittel`, `zahnarzt` finds `Zahnärzte`."""
_REVISION: Final = "revision"


class Vocabulary:
    """The collection of terms, and all of it in memory."""

    def __init__(self, collection: Collection) -> None:
        """Nothing is read here."""
        self._collection = collection
        self._revision = -1
        self._looked_at = 0.0
        self._codes: frozenset[str] = frozenset()
        self._by_word: Mapping[str, frozenset[str]] = {}
        self._words: list[str] = []

    async def put(self, terms: Iterable[Term]) -> None:
        """Store terms; one that is there gets the new labels. Repeated, it changes nothing."""
        writes = [UpdateOne({"_id": term.code}, {"$set": {"labels": dict(term.labels)}}, upsert=True) for term in terms]
        await self._collection.bulk_write(writes, ordered=False)
        await self._collection.update_one({"_id": _REVISION}, {"$inc": {"number": 1}}, upsert=True)
        self._looked_at = 0.0

    async def unknown(self, codes: Iterable[str]) -> frozenset[str]:
        """Return those of `codes` that are no competences."""
        wanted = frozenset(codes)
        if wanted:
            await self._read()
        return wanted - self._codes

    async def codes_of(self, text: str) -> frozenset[str]:
        """Return the competences with a label, in any language, that has all words of a text or words beginning so."""
        await self._read()
        words = word_ways(text)
        found = [frozenset().union(*(self._beginning_with(way) for way in ways)) for ways in words]
        return frozenset.intersection(*found) if found else frozenset()

    def _beginning_with(self, word: str) -> frozenset[str]:
        exact = self._by_word.get(word, frozenset())
        if len(word) < SHORTEST_BEGINNING:
            return exact
        longer = self._words[bisect_left(self._words, word) : bisect_left(self._words, word + LAST)]
        return exact.union(*(self._by_word[other] for other in longer))

    async def _read(self) -> None:
        if time.monotonic() < self._looked_at + LOOK_AGAIN_AFTER:
            return
        self._looked_at = time.monotonic()
        found = await self._collection.find_one({"_id": _REVISION})
        revision = int(found["number"]) if found else 0
        if revision == self._revision:
            return
        by_word: defaultdict[str, set[str]] = defaultdict(set)
        codes = set[str]()
        async for term in self._collection.find({"_id": {"$ne": _REVISION}}):
            code = str(term["_id"])
            codes.add(code)
            for label in term["labels"].values():
                for way in (way for ways in word_ways(label) for way in ways):
                    by_word[way].add(code)
        self._codes, self._revision = frozenset(codes), revision
        self._by_word = {word: frozenset(found) for word, found in by_word.items()}
        self._words = sorted(by_word)


async def put_terms(vocabulary: Vocabulary, command: Command) -> Answer:
    """Load terms for the operator. Doing it twice changes nothing, so nothing is remembered of it."""
    if command.system != OPERATOR:
        return Answer(refused(command, Refusal("operator-only")))
    if command.expired:
        return Answer(refused(command, Refusal("expired", "expiration")))
    if not isinstance(command.body, PutTerms):
        raise TypeError(command.body.TYPE)
    await vocabulary.put(command.body.terms)
    return Answer(done(command))
