"""Documents that are their own history, changed by commands: each command at most once, whatever crashes.

A document holds `rev`, `history` (an entry for every change, with the identity of its command, chained by hashes) and
`refused` (the commands of its parties that were refused). One atomic write, guarded by `rev`, adds entries and refusals
together: two replicas that decide on the same command cannot both be right. A refusal that belongs to no document is
written where the document would be that the command would have made: a *tombstone*, which expires.

What a `Sealer` seals in an entry is chained as it is stored: a chain holds even when nobody can open it any more.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from pymongo import ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from contracts.refusal import Refusal
from services.chassis.chain import LINK, last_link, link_of
from services.chassis.delivery import Later
from services.chassis.faults import TryAgain
from services.chassis.intake import Command
from services.chassis.mongo import Collection, Document

Entry = Mapping[str, Any]
History = tuple[Entry, ...]

TOMBSTONES_KEPT: Final = timedelta(days=30)
HELD: Final = 2 * 1024 * 1024
"""Bytes of documents that a group of commands may rest on, each as often as one rests on it; of one command, whatever.

What is told of them all is made before any of it goes out: of one byte there may be thirty by then.
"""
REFUSALS_KEPT: Final = 100
"""Refused commands that a document remembers; the oldest are forgotten first."""
_ATTEMPTS: Final = 50
_BYTES: Final = "bytes"
_WEIGHED: Final[Document] = {_BYTES: {"$bsonSize": "$$ROOT"}}
_DECIDED_ON: Final[Document] = {"history": 1, "refused": 1, "rev": 1, "secret": 1, **_WEIGHED}
_DUPLICATE_KEY: Final = 11000


@dataclass(frozen=True, slots=True)
class Change:
    """The command is carried out: `entry` is all there is to remember of it."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Refuse:
    """The command is refused; `in_document` when its sender has a right to the document, and so a place in it."""

    refusal: Refusal
    in_document: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """The command no longer applies, and nobody waits to hear so: nothing is written."""

    refusal: Refusal


Decision = Change | Refuse | Later | Drop
Decide = Callable[[History, Command], Decision]
Projection = Callable[[str, History], Document]


@dataclass(frozen=True, slots=True)
class Settled:
    """What was decided for good: the document's history up to this command, or the refusal."""

    history: History
    refusal: Refusal | None = None


Secret = Mapping[str, Any] | None


class Sealer(Protocol):
    """Keeps a part of each entry readable to those alone who have the document's key, wrapped in its `secret`."""

    def opened(self, document_id: str, secret: Secret, history: Sequence[Entry]) -> list[Entry]:
        """Return the entries with what was sealed in them, as far as there is a key to it."""

    def sealed(self, document_id: str, secret: Secret, entry: Entry) -> tuple[Secret, Entry]:
        """Return an entry as it is to be stored, and the document's secret from then on: none, to destroy it."""


class TooMuch(Exception):
    """What these commands rest on is more than may be held at once: they have to come in smaller groups."""


class Contention(TryAgain):
    """Others changed the same documents at every attempt."""


class Histories:
    """A collection of such documents."""

    def __init__(self, collection: Collection, projection: Projection, sealer: Sealer | None = None) -> None:
        """`projection` gives the fields, besides the history, by which documents are looked up."""
        # What is found must not be taken back by a change of primary: an outcome may rest on it.
        self._collection = collection.with_options(read_concern=ReadConcern("majority"))
        self._projection = projection
        self._sealer = sealer

    async def prepare(self) -> None:
        """Make the indexes that the guarantees need."""
        await self._collection.create_index("history.key", unique=True, sparse=True)
        await self._collection.create_index("expires", expireAfterSeconds=0)

    async def history(self, document_id: str) -> History:
        """Return the document's history, opened; of one that is not there, nothing."""
        found = await self._collection.find_one({"_id": document_id}, {"history": 1, "secret": 1})
        return self.opened(found) if found else ()

    async def weigh(self, document_ids: Sequence[str]) -> None:
        """Raise `TooMuch` when these documents, each as often as it is named, are more than may be held at once."""
        if len(document_ids) > 1:
            named, weight = Counter(document_ids), 0
            async with self._collection.find({"_id": {"$in": sorted(named)}}, _WEIGHED) as found:
                async for one in found:
                    weight = bounded(weight + one[_BYTES] * named[one["_id"]])

    def opened(self, document: Mapping[str, Any]) -> History:
        """Return the history of a document as it was read: opened as far as there is a key."""
        return tuple(_opened(self._sealer, str(document["_id"]), document.get("secret"), document.get("history", ())))

    async def settle(
        self,
        commands: Sequence[Command],
        place: Callable[[Command], str],
        own_place: Callable[[Command], str],
        decide: Decide,
    ) -> list[Settled | Later]:
        """Decide on all commands, write once for each document, and return the results in the commands' order.

        `place` names the document that a command changes, `own_place` the one that it would make. A command that
        was decided before gets the same result again. Raises `Contention` after many attempts, and `TooMuch`; some may
        have been decided by then.
        """
        results: dict[int, Settled | Later] = {}
        todo, reused = list(enumerate(commands)), frozenset[str]()
        for _ in range(_ATTEMPTS):
            group = _Group(await self._fetch([c for _, c in todo], place, own_place), decide, reused, self._sealer)
            outcome = {index: group.take(c, place(c), own_place(c)) for index, c in todo}
            failed, reused = await self._write(group, reused)
            results |= {index: result for index, (result, document) in outcome.items() if document not in failed}
            todo = [(index, c) for index, c in todo if index not in results]
            if not todo:
                return [results[index] for index in range(len(commands))]
        raise Contention

    async def _fetch(
        self,
        commands: Sequence[Command],
        place: Callable[[Command], str],
        own_place: Callable[[Command], str],
    ) -> dict[str, Document]:
        named = Counter(one for c in commands for one in {place(c), own_place(c)})
        documents, weight = dict[str, Document](), 0
        async with self._collection.find({"_id": {"$in": sorted(named)}}, _DECIDED_ON) as found:
            async for document in found:
                if len(commands) > 1:
                    weight = bounded(weight + document[_BYTES] * named[document["_id"]])
                documents[str(document["_id"])] = dict(document)
        return documents

    async def _write(self, group: "_Group", reused: frozenset[str]) -> tuple[set[str], frozenset[str]]:
        """Return the documents whose write must be decided anew, and the command keys that stand elsewhere."""
        drafts = [draft for draft in group.drafts.values() if draft.changed]
        if not drafts:
            return set(), reused
        operations = [draft.operation(self._projection) for draft in drafts]
        updates = {draft.id for draft in drafts if draft.rev}
        try:
            written = await self._collection.bulk_write(operations, ordered=False)
            failed, matched = set[str](), written.matched_count
        except BulkWriteError as error:
            failed, matched = self._rejected(error, drafts), int(error.details["nMatched"])
            reused |= _keys_elsewhere(error)
        # The server does not say which updates did not match: look at all of them again.
        return (failed | updates if matched < len(updates) else failed), reused

    def _rejected(self, error: BulkWriteError, drafts: Sequence["_Draft"]) -> set[str]:
        errors = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or any(one["code"] != _DUPLICATE_KEY for one in errors):
            raise error
        return {drafts[one["index"]].id for one in errors}


def bounded(weight: int) -> int:
    """Return so many bytes of documents. Raises `TooMuch` when a group may not rest on as many."""
    if weight > HELD:
        raise TooMuch
    return weight


def _keys_elsewhere(error: BulkWriteError) -> frozenset[str]:
    values = [one.get("keyValue", {}) for one in error.details["writeErrors"]]
    return frozenset(str(value["history.key"]) for value in values if "history.key" in value)


@dataclass(slots=True)
class _Draft:
    """A document as this group will leave it."""

    id: str
    rev: int
    history: list[Entry]
    refused: list[Entry]
    secret: Secret = None
    had_secret: bool = False
    new_entries: list[Entry] = field(default_factory=list)
    new_refusals: list[Entry] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.new_entries or self.new_refusals)

    def operation(self, projection: Projection) -> ReplaceOne[Mapping[str, Any]] | UpdateOne:
        """A new document is written as if one without a revision were replaced: there is none, whatever is there.

        So a group is one command to the server, which waits for the journal once; an insert would be another.
        """
        fields = projection(self.id, tuple(self.history)) if self.history else {"expires": _now() + TOMBSTONES_KEPT}
        if not self.rev:
            whole: Document = {"_id": self.id, "rev": 1, "history": self.new_entries, "refused": self.new_refusals}
            if self.secret:
                whole["secret"] = self.secret
            made = {**whole, **fields} if self.history else _tombstone(whole, fields)
            return ReplaceOne({"_id": self.id, "rev": 0}, made, upsert=True)
        push: Document = {"history": {"$each": self.new_entries}} if self.new_entries else {}
        if self.new_refusals:
            push["refused"] = {"$each": self.new_refusals, "$slice": -REFUSALS_KEPT}
        change: Document = {"$push": push, "$set": fields, "$inc": {"rev": 1}}
        if self.secret:
            change["$set"] = {**fields, "secret": self.secret}
        if self.new_entries:
            gone = {"secret": ""} if self.had_secret and not self.secret else {}
            change["$unset"] = {"expires": "", **gone}  # a tombstone no longer
        return UpdateOne({"_id": self.id, "rev": self.rev}, change)


def _tombstone(whole: Document, fields: Document) -> Document:
    return {key: value for key, value in whole.items() if key != "history"} | fields


_REUSED: Final = Refuse(Refusal("message-id-reused", "message_id"))
_EXPIRED: Final = Refuse(Refusal("expired", "expiration"))


class _Group:
    """The commands of one group, folded into their documents."""

    def __init__(
        self, documents: Mapping[str, Document], decide: Decide, reused: frozenset[str], sealer: Sealer | None
    ) -> None:
        self.drafts: dict[str, _Draft] = {}
        self._documents = documents
        self._decide = decide
        self._reused = reused
        self._sealer = sealer

    def take(self, command: Command, place: str, own_place: str) -> tuple[Settled | Later, str]:
        """Return the result, and the document on whose write it depends."""
        known = self._known(command, place) or self._known(command, own_place)
        if known:
            return known
        draft = self._draft(place)
        decision = self._beforehand(command) or self._decide(tuple(draft.history), command)
        if isinstance(decision, Later):
            return decision, ""
        if isinstance(decision, Drop):
            return Settled(tuple(draft.history), decision.refusal), place
        if isinstance(decision, Change):
            return self._change(draft, decision, command), place
        return self._refuse(decision, command, place if decision.in_document else own_place)

    def _beforehand(self, command: Command) -> Refuse | None:
        if command.key in self._reused:
            return _REUSED
        return _EXPIRED if command.expired else None

    def _known(self, command: Command, place: str) -> tuple[Settled, str] | None:
        draft = self._draft(place)
        for position, entry in enumerate(draft.history, start=1):
            if entry["key"] == command.key:
                return _again(command, entry, Settled(tuple(draft.history[:position]))), place
        for entry in draft.refused:
            if entry["key"] == command.key:
                refusal = Refusal(entry["code"], entry["field"])
                return _again(command, entry, Settled(tuple(draft.history[: entry["seen"]]), refusal)), place
        return None

    def _draft(self, place: str) -> _Draft:
        if place not in self.drafts:
            stored = self._documents.get(place, {})
            history, refused = stored.get("history", ()), stored.get("refused", ())
            secret = stored.get("secret")
            opened = _opened(self._sealer, place, secret, history)
            self.drafts[place] = _Draft(place, stored.get("rev", 0), opened, list(refused), secret, bool(secret))
        return self.drafts[place]

    def _change(self, draft: _Draft, change: Change, command: Command) -> Settled:
        plain: Document = {"key": command.key, "digest": command.digest, **change.entry}
        entry = plain
        if self._sealer:
            draft.secret, sealed = self._sealer.sealed(draft.id, draft.secret, plain)
            entry = dict(sealed)
        before = last_link(draft.id, draft.history[-1:])
        entry[LINK] = link_of(before, entry)
        draft.history.append({**plain, **entry})
        draft.new_entries.append(entry)
        return Settled(tuple(draft.history))

    def _refuse(self, decision: Refuse, command: Command, place: str) -> tuple[Settled, str]:
        draft, refusal = self._draft(place), decision.refusal
        entry = {
            "key": command.key,
            "digest": command.digest,
            "code": refusal.code,
            "field": refusal.field,
            "seen": len(draft.history),
        }
        draft.refused.append(entry)
        draft.new_refusals.append(entry)
        return Settled(tuple(draft.history), refusal), place


def _opened(sealer: Sealer | None, document_id: str, secret: Secret, history: Sequence[Entry]) -> list[Entry]:
    return sealer.opened(document_id, secret, history) if sealer else list(history)


def _again(command: Command, entry: Entry, settled: Settled) -> Settled:
    """The same result for the same command; a refusal when the id now stands on another body."""
    if entry["digest"] == command.digest:
        return settled
    return Settled((), Refusal("message-id-reused", "message_id"))


def _now() -> datetime:
    return datetime.now(UTC)
