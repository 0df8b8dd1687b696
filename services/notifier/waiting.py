"""What waits to be told, by authority: all that one mail is to tell is bound together before it is sent.

So a second try, by whichever replica, is the same mail. One replica at a time attends to an authority.
"""

import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from contracts.identity import derived_uuid
from services.chassis.mongo import Database, Document
from services.notifier.deadlines import LATE
from services.notifier.leases import NOW, ends
from services.notifier.letters import Due, Undeliverable
from services.notifier.notices import Told
from services.notifier.planning import Standing, fields_of, step_of
from services.notifier.soon import soon

KEEP: Final = timedelta(days=90)
"""For so long dates that come again tell nothing again."""
MOST: Final = 100
"""How many things one mail tells."""
_MOST_LOOKS: Final = 8
"""At whose turn it is, where others are faster each time; beyond that there are enough who attend."""
_DONE: Final = dict.fromkeys(("at", "send_at", "batch"), "")
_WAITS: Final[Document] = {"send_at": {"$exists": True}}
_SUPERSEDED: Final = ("send_at_1", "authority_1_at_1", "authority_1_send_at_1", "done_at_1")
"""Indexes of earlier releases, in the place of which others serve: they find what they look for by those."""
_THERE_ALREADY: Final = 11000

Piece = Told | Due | Undeliverable


@dataclass(frozen=True, slots=True)
class Waits:
    """One thing that waits to be told to `authority`. `at` is for when it was planned."""

    authority: str
    piece: Piece
    at: datetime
    daily: bool = False
    batch: str | None = None
    tries: int = 0

    @property
    def id(self) -> str:
        """The same whenever it comes again."""
        if isinstance(self.piece, Due):
            return derived_uuid("step", self.piece.case, self.piece.step.key)
        return self.piece.id


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to write to an authority what waits for it, until the lease runs out."""

    authority: str
    token: str


class Waiting:
    """All that waits."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        """A turn lasts so long unless it is renewed."""
        self._pieces = database["notices"]
        self._turns = database["turns"]
        self._soon_turns, self._soon_pieces = soon(self._turns), soon(self._pieces)
        self._lease = lease

    async def prepare(self) -> None:
        """Make the indexes. What has been told, which is nearly all, is in none but the one by which it is deleted."""
        await self._pieces.create_index(
            [("send_at", 1), ("authority", 1)], name="waiting", partialFilterExpression=_WAITS
        )
        await self._pieces.create_index(
            [("authority", 1), ("batch", 1), ("send_at", 1)], name="waiting_of", partialFilterExpression=_WAITS
        )
        await self._pieces.create_index([("at", 1)], sparse=True)
        # Of no use but to the release before, which may run beside this one.
        await self._pieces.create_index([("batch", 1)], sparse=True)
        forgotten = int(KEEP.total_seconds())
        await self._pieces.create_index([("done_at", 1)], name="forgotten", sparse=True, expireAfterSeconds=forgotten)
        for name in _SUPERSEDED:
            with suppress(OperationFailure):  # there is none; if there is, it costs something and does no harm
                await self._pieces.drop_index(name)

    async def add(self, waiting: Iterable[Waits], send_at: datetime) -> None:
        """Keep what is to be told. What was kept before, told or not, stays as it is.

        Nearly all of it is new: to insert it, and be told which is not, is cheaper than to look first.
        """
        documents = [_document(one) | {"_id": one.id, "send_at": send_at} for one in waiting]
        try:
            if documents:
                await self._pieces.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            others = [one for one in error.details["writeErrors"] if one["code"] != _THERE_ALREADY]
            if others or error.details["writeConcernErrors"]:  # of these alone it depends whether to try again
                raise BulkWriteError({**error.details, "writeErrors": others}) from error

    async def take(self, now: datetime) -> Turn | None:
        """Take the turn of the authority that has waited longest; nothing when nobody waits whom others let alone."""
        passed = set[str]()
        for _ in range(_MOST_LOOKS):
            waits = {"send_at": {"$lte": now}, "authority": {"$nin": sorted(passed)}}
            # Nothing but what the index holds: however much waits for those who are passed over, no notice is read.
            first = await self._pieces.find_one(waits, {"_id": 0, "authority": 1}, sort=[("send_at", 1)])
            if first is None:
                return None
            turn = Turn(first["authority"], secrets.token_hex(8))
            if await self._is_free(turn, now):
                return turn
            passed |= {turn.authority, *await self._attended(now)}
        return None

    async def _attended(self, now: datetime) -> list[str]:
        """Return whom others attend to, or nobody may yet."""
        return [str(found["_id"]) async for found in self._turns.find({"$expr": {"$not": [_is_over(now)]}}, {"_id": 1})]

    async def _is_free(self, turn: Turn, now: datetime) -> bool:
        mine = {"$mergeObjects": ["$$ROOT", {"token": turn.token, "until": ends(self._lease)}]}
        change = [{"$replaceWith": {"$cond": [_is_over(now), mine, "$$ROOT"]}}]
        try:
            taken = await self._soon_turns.update_one({"_id": turn.authority}, change, upsert=True)
        except DuplicateKeyError:
            return False
        return taken.modified_count == 1 or taken.upserted_id is not None

    async def holds(self, turn: Turn) -> bool:
        """Renew the turn, about to send; say whether it stood: to a majority of the database."""
        mine = {"_id": turn.authority, "token": turn.token}
        renewed = await self._turns.update_one(mine, [{"$set": {"until": ends(self._lease)}}])
        return renewed.matched_count == 1

    async def leave(self, turn: Turn, until: datetime | None = None) -> None:
        """End the turn; until then nobody has the next one: what waits stays as it is, however much it is."""
        mine = {"_id": turn.authority, "token": turn.token}
        if until:
            await self._soon_turns.update_one(mine, {"$set": {"until": until}, "$unset": {"token": ""}})
        else:
            await self._soon_turns.delete_one(mine)

    async def of(self, turn: Turn, now: datetime, soon: datetime) -> list[Waits]:
        """Return what is to be told to the authority: what was bound together before, or else all that is not yet.

        What waits for more to come, and would have waited no longer than until `soon`, is told with what is due: it
        has come. So however much happens, an authority has about one mail in the time for which it is gathered.
        """
        mine: Document = {"authority": turn.authority}
        due = {"send_at": {"$lte": now}}
        bound = await self._pieces.find_one({**mine, **due, "batch": {"$gt": ""}}, {"_id": 0, "batch": 1})
        if bound:
            wanted = {**mine, **_WAITS, "batch": bound["batch"]}
        else:
            with_it = [due, {"daily": False, "tries": 0}]
            wanted = {**mine, "batch": {"$exists": False}, "send_at": {"$lte": soon}, "$or": with_it}
        found = self._pieces.find(wanted).sort([("send_at", 1)]).limit(MOST)
        # In an order that no try changes.
        return sorted([_waits(dict(one)) async for one in found], key=lambda one: (one.at, one.id))

    async def bind(self, waiting: Sequence[Waits]) -> str | None:
        """Bind together what one mail is to tell; return how that is called, or nothing if another bound some of it.

        It is called so whoever binds it: told once more after a restore, it has the same Message-ID.
        """
        if waiting[0].batch:
            return waiting[0].batch
        batch = derived_uuid("batch", *sorted(one.id for one in waiting))
        free = {**_these(waiting), "batch": {"$exists": False}}
        bound = await self._pieces.update_many(free, {"$set": {"batch": batch}})
        return batch if bound.matched_count == len(waiting) else None

    async def put_off(self, waiting: Sequence[Waits], until: datetime) -> None:
        """Have these wait for the summary of the day."""
        await self._pieces.update_many(_these(waiting), {"$set": {"send_at": until, "at": until, "daily": True}})

    async def later(self, waiting: Sequence[Waits], until: datetime) -> None:
        """Have these, which were tried, tried again then."""
        change = {"$set": {"send_at": until}, "$inc": {"tries": 1}}
        await self._pieces.update_many(_these(waiting), change)

    async def told(self, waiting: Sequence[Waits], now: datetime) -> None:
        """Note that these have been told, or are no longer worth it. What the mail is remembered by says it, too."""
        await self._soon_pieces.update_many(_these(waiting), {"$set": {"done_at": now}, "$unset": _DONE})

    async def dated(self, ids: Iterable[str]) -> list[Told]:
        """Return those notices of `ids`, told or not, that ask for something until a date."""
        found = self._pieces.find({"_id": {"$in": sorted(ids)}, "stage": "notice", "due": {"$type": "date"}})
        pieces = [_piece(dict(one)) async for one in found]
        return [one for one in pieces if isinstance(one, Told)]

    async def standing(self, now: datetime) -> AsyncIterator[Standing]:
        """Yield how many are due and late. What is not due is not looked at."""
        late = {"$cond": [{"$lt": ["$at", now - LATE]}, 1, 0]}
        kind = {"kind": "$kind", "stage": "$stage"}
        found = await self._pieces.aggregate(
            [
                {"$match": {"at": {"$lte": now}}},
                {"$group": {"_id": kind, "due": {"$sum": 1}, "late": {"$sum": late}}},
            ]
        )
        async for one in found:
            yield one["_id"]["kind"], one["_id"].get("stage", "notice"), one["due"], one["late"]


def _is_over(now: datetime) -> Document:
    """Say, as an expression, whether nobody attends to an authority any more, nor is it let alone.

    Until when it is let alone whoever did so has said by its own clock, as with all that waits.
    """
    return {"$lte": ["$until", {"$cond": [{"$gt": ["$token", None]}, NOW, now]}]}


def _these(waiting: Sequence[Waits]) -> Document:
    return {"_id": {"$in": [one.id for one in waiting]}, **_WAITS}


def _document(waits: Waits) -> Document:
    common = {"authority": waits.authority, "at": waits.at, "daily": waits.daily, "tries": 0}
    match waits.piece:
        case Due(case, version, step):
            return {**fields_of(step), "case": case, "version": version, "step_at": step.at, **common}
        case Undeliverable(_, about):
            return {"kind": "undeliverable", "stage": "undeliverable", "about": about, **common}
        case Told() as told:
            more = {"version": told.version, "due": told.due, "area": told.area, "traceparent": told.traceparent}
            return {"kind": told.kind, "stage": "notice", "case": told.case, **more, **common}


def _waits(found: dict[str, Any]) -> Waits:
    daily, tries = found.get("daily", False), found.get("tries", 0)
    at = found.get("at") or found["send_at"]
    return Waits(found["authority"], _piece(found), at, daily=daily, batch=found.get("batch"), tries=tries)


def _piece(found: dict[str, Any]) -> Piece:
    match found.get("stage", "notice"):
        case "undeliverable":
            return Undeliverable(str(found["_id"]), found["about"])
        case "notice":
            version, due, area = found.get("version", 0), found.get("due"), found.get("area")
            traceparent = found.get("traceparent")
            told = str(found["_id"]), found["kind"], found["case"], found["authority"]
            return Told(*told, version, due, area, traceparent)
    return Due(found["case"], found["version"], step_of({**found, "at": found["step_at"]}))
