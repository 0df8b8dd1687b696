"""The competences that this deployment knows, with their labels: so that one's own word finds what others registered.

The words of all labels are in memory. When another replica has changed the vocabulary, the terms that differ are read
again; meanwhile searches go on with what is known.
"""

import asyncio
import json
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from sys import intern
from typing import Any, Final

from pymongo import ReturnDocument, UpdateOne

from contracts.directory import TermsChanged, TermState
from contracts.identity import derived_uuid
from contracts.refusal import Refusal
from contracts.registry import PutTerms, Term
from contracts.topology import OPERATOR
from services.chassis.desk import Answer, Event, done, refused
from services.chassis.intake import Command
from services.chassis.mongo import Collection
from services.registry.directory import LAST
from services.registry.names import word_ways

LOOK_AGAIN_AFTER: Final = 1.0
"""Seconds for which the vocabulary is taken to be what it was."""
SHORTEST_BEGINNING: Final = 4
"""Letters of a word that may begin a longer one: `arzt` does not find `Arztneimittel`, `zahnarzt` finds `Zahnärzte`."""
_REVISION: Final = "revision"
_READ_TOGETHER: Final = 500
"""Terms whose labels are read by one query."""


class Vocabulary:
    """The collection of terms, and the words of their labels in memory."""

    def __init__(self, collection: Collection) -> None:
        """Nothing is read here."""
        self._collection = collection
        self._reading = asyncio.Lock()
        self._revision = -1
        self._looked_at = 0.0
        self._digests: dict[str, str] = {}
        """By code: which labels its words were taken from."""
        self._words_of: dict[str, tuple[str, ...]] = {}
        self._codes_of: dict[str, list[str]] = {}
        self._words: list[str] = []

    async def put(self, terms: Iterable[Term], vocabulary: str = "terms") -> TermsChanged:
        """Store terms; one that is there gets the new labels, and whichever was sent last stays. Return them as stored.

        Each has the number of the loading as its version, which is drawn before anything is stored.
        """
        drawn = await self._collection.find_one_and_update(
            {"_id": _REVISION}, {"$inc": {"drawn": 1}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        assert drawn
        version = int(drawn["drawn"])
        states = tuple(TermState(**dict(term), vocabulary=vocabulary, version=version) for term in terms)
        await self._collection.bulk_write([_if_newer(term) for term in states], ordered=False)
        await self._collection.update_one({"_id": _REVISION}, {"$inc": {"number": 1}}, upsert=True)
        self._looked_at = 0.0
        return TermsChanged(terms=states)

    async def unknown(self, codes: Iterable[str]) -> frozenset[str]:
        """Return those of `codes` that are no competences."""
        wanted = frozenset(codes)
        if wanted:
            await self._look(LOOK_AGAIN_AFTER)
        if wanted - self._words_of.keys():
            # Another replica may have stored them a moment ago, and what is refused now stays refused.
            await self._look(0)
        return wanted - self._words_of.keys()

    async def codes_of(self, text: str) -> frozenset[str]:
        """Return the competences with a label, in any language, that has all words of a text or words beginning so."""
        if self._revision < 0 or not self._reading.locked():
            await self._look(LOOK_AGAIN_AFTER)
        found = [frozenset().union(*(self._beginning_with(way) for way in ways)) for ways in word_ways(text)]
        return frozenset.intersection(*found) if found else frozenset()

    def _beginning_with(self, word: str) -> frozenset[str]:
        exact = frozenset(self._codes_of.get(word, ()))
        if len(word) < SHORTEST_BEGINNING:
            return exact
        longer = self._words[bisect_left(self._words, word) : bisect_left(self._words, word + LAST)]
        return exact.union(*(self._codes_of.get(other, ()) for other in longer))

    async def _look(self, oldest: float) -> None:
        """Return once the vocabulary in memory is what it was `oldest` seconds ago, or later."""
        async with self._reading:
            looked_at = time.monotonic()
            if self._revision >= 0 and looked_at < self._looked_at + oldest:
                return
            found = await self._collection.find_one({"_id": _REVISION})
            revision = int(found.get("number", 0)) if found else 0
            if revision != self._revision:
                await self._read_changed()
            self._revision, self._looked_at = revision, looked_at

    async def _read_changed(self) -> None:
        there = self._collection.find({"_id": {"$ne": _REVISION}}, {"digest": 1})
        changed = [str(one["_id"]) async for one in there if self._digests.get(str(one["_id"])) != one["digest"]]
        for first in range(0, len(changed), _READ_TOGETHER):
            some = self._collection.find({"_id": {"$in": changed[first : first + _READ_TOGETHER]}})
            async for term in some:
                self._learn(str(term["_id"]), term["labels"])
                self._digests[str(term["_id"])] = term["digest"]
                await asyncio.sleep(0)  # thousands of terms take seconds: others must not wait for the last
        self._words = sorted(self._codes_of)

    def _learn(self, code: str, labels: Mapping[str, str]) -> None:
        words = {intern(way) for label in labels.values() for ways in word_ways(label) for way in ways}
        known = self._words_of.get(code, ())
        for word in words.difference(known):
            self._codes_of.setdefault(word, []).append(code)
        for word in set(known) - words:
            self._codes_of[word].remove(code)
            if not self._codes_of[word]:
                del self._codes_of[word]
        self._words_of[code] = tuple(words)


def _if_newer(term: TermState) -> UpdateOne:
    labels = dict(term.labels)
    text = json.dumps(labels, sort_keys=True, ensure_ascii=False)
    digest = blake2b(text.encode(), digest_size=12).hexdigest()
    new = {"_id": term.code, "labels": labels, "digest": digest, "vocabulary": term.vocabulary, "version": term.version}
    older = {"$lt": [{"$ifNull": ["$version", 0]}, term.version]}
    return UpdateOne(
        {"_id": term.code}, [{"$replaceWith": {"$cond": [older, {"$literal": new}, "$$ROOT"]}}], upsert=True
    )


def state_of(document: Mapping[str, Any]) -> TermState:
    """Return a term as it is stored."""
    return TermState(
        code=document["_id"],
        labels=document["labels"],
        vocabulary=document["vocabulary"],
        version=document["version"],
    )


async def put_terms(vocabulary: Vocabulary, command: Command) -> Answer:
    """Load terms for the operator. Doing it twice changes nothing, so nothing is remembered of it."""
    if command.system != OPERATOR:
        return Answer(refused(command, Refusal("operator-only")))
    if command.expired:
        return Answer(refused(command, Refusal("expired", "expiration")))
    if not isinstance(command.body, PutTerms):
        raise TypeError(command.body.TYPE)
    changed = await vocabulary.put(command.body.terms, command.body.vocabulary)
    event_id = derived_uuid("terms", command.system, command.message_id)
    return Answer(done(command), events=(Event("terms", changed, event_id),))
