"""What the notifier keeps: plans by case, the mails it sent, and its own copies of contacts and systems."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from contracts.directory import AuthorityState, Compare, Replayed, SystemState
from services.chassis.copies import total
from services.chassis.mongo import Database, Document
from services.chassis.readmodel import ReadModel, Thing
from services.notifier.deadlines import Plan, Step
from services.notifier.mail import Contact
from services.notifier.notices import Told

LEASE: Final = timedelta(seconds=90)
"""How long a claim lasts unless renewed. More than a connection and a mail may take together (`smtp.SEND_WITHIN`)."""
KEEP_EMAILS: Final = timedelta(days=3 * 366)
"""Regulation (EU) 1024/2012, Art. 14: deleted three years after a case's closure. An address may be a person's."""

KEEP_NOTICES: Final = timedelta(days=90)
"""For so long dates that come again tell nothing again."""
MOST_NOTICES: Final = 100
"""How many things one mail tells."""

_CONNECTED: Final = {"status": {"$ne": "closed"}}
_NEXT_AT: Final = {
    "$set": {"next_at": {"$cond": [{"$eq": ["$plan", []]}, "$$REMOVE", {"$min": "$plan.try_at"}]}},
}
_UNCLAIM: Final = {"$unset": ["claim", "claimed_until"]}


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a case's next step, until the lease runs out. No other replica has it meanwhile."""

    case: str
    version: int
    token: str
    step: Step
    tries: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """The right to tell an authority all of this in one mail, until the lease runs out; `since` when it was due."""

    authority: str
    token: str
    told: tuple[Told, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Email:
    """What is remembered of a mail, sent or failed; never what it said. `to` is missing if no address was known."""

    id: str
    cases: tuple[str, ...]
    kind: str
    stage: str
    authority: str
    to: str | None
    at: datetime
    outcome: str
    reply: str
    due: datetime | None = None


class Store:
    """The service's database."""

    def __init__(self, database: Database) -> None:
        """Nothing is read or written here."""
        self._deadlines = database["deadlines"]
        self._emails = database["emails"]
        self._notices = database["notices"]
        self._authorities = ReadModel(database["authorities"])
        self._systems = ReadModel(database["systems"])

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._deadlines.create_index([("next_at", 1)], sparse=True)
        await self._notices.create_index([("send_at", 1)], sparse=True)
        await self._notices.create_index([("authority", 1), ("send_at", 1)])
        await self._notices.create_index([("done_at", 1)], expireAfterSeconds=int(KEEP_NOTICES.total_seconds()))
        await self._emails.create_index([("cases", 1)])
        await self._emails.create_index([("at", 1)], expireAfterSeconds=int(KEEP_EMAILS.total_seconds()))

    async def systems(self) -> list[str]:
        """Return the ids of the connected systems."""
        return [str(found["_id"]) async for found in self._systems.collection.find(_CONNECTED, {"_id": 1})]

    async def system_connected(self, event: SystemState) -> None:
        """Take over what the registry says of a system: its lanes are consumed from now on."""
        await self._systems.put(*_system_thing(event))

    async def authority_changed(self, event: AuthorityState) -> None:
        """Take over how an authority is written to."""
        await self._authorities.put(*_authority_thing(event))

    async def replayed(self, event: Replayed) -> None:
        """Take over what this copy lacked, and nothing that is older than what it has."""
        await self._authorities.put_all(_authority_thing(one) for one in event.authorities)
        await self._systems.put_all(_system_thing(one) for one in event.systems)

    async def compare(self) -> Compare:
        """Return what the copies hold, for the registry to compare."""
        authorities, systems = await self._authorities.tallies(), await self._systems.tallies()
        return Compare(service="notifier", authorities=authorities, systems=total(systems))

    async def contact(self, authority: str) -> Contact | None:
        """Return how an authority is written to, as soon as the registry has told."""
        found = (await self._authorities.get([authority])).get(authority)
        return Contact(tuple(found["addresses"]), tuple(found["languages"]), found["country"]) if found else None

    async def plan(self, plans: Iterable[Plan]) -> None:
        """Replace the plans of cases, one plan for each, in one write. What is not newer changes nothing.

        A step that has been done stays done: the same deadline in a newer plan leads to no second mail. A claim
        outlives the plan it was made under: nobody else begins with the same step before its holder has finished.
        """
        writes = [UpdateOne({"_id": plan.case}, _replacement(plan), upsert=True) for plan in plans]
        await self._deadlines.bulk_write(writes, ordered=False)

    async def claim(self, now: datetime) -> Claim | None:
        """Claim the case whose step has been due longest, or nothing when none is due that nobody else holds."""
        token = secrets.token_hex(8)
        found = await self._deadlines.find_one_and_update(
            {"next_at": {"$lte": now}, "claimed_until": {"$not": {"$gt": now}}},
            {"$set": {"claim": token, "claimed_until": now + LEASE}},
            sort=[("next_at", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return _claim(dict(found)) if found else None

    async def holds(self, claim: Claim, now: datetime) -> bool:
        """Renew the claim; say whether it stood, and the case still is in the version for which it was made."""
        renewed = await self._deadlines.update_one(
            {"_id": claim.case, "claim": claim.token, "version": claim.version},
            {"$set": {"claimed_until": now + LEASE}},
        )
        return renewed.matched_count == 1

    async def settle(self, claim: Claim) -> None:
        """End the claim, its step done for good; whatever version the case has meanwhile."""
        key = claim.step.key
        rest = {"$filter": {"input": "$plan", "cond": {"$ne": ["$$this.key", key]}}}
        done = {"$setUnion": [{"$ifNull": ["$done", []]}, [key]]}
        await self._end(claim, {"$set": {"plan": rest, "done": done}})

    async def defer(self, claim: Claim, until: datetime) -> None:
        """End the claim; its step is tried again then."""
        later = {"$mergeObjects": ["$$this", {"try_at": until, "tries": claim.tries + 1}]}
        changed = {"$cond": [{"$eq": ["$$this.key", claim.step.key]}, later, "$$this"]}
        await self._end(claim, {"$set": {"plan": {"$map": {"input": "$plan", "as": "this", "in": changed}}}})

    async def release(self, claim: Claim) -> None:
        """End the claim as if it had not been made."""
        await self._end(claim)

    async def _end(self, claim: Claim, *changes: Document) -> None:
        mine = {"_id": claim.case, "claim": claim.token}
        await self._deadlines.update_one(mine, [*changes, _NEXT_AT, _UNCLAIM])

    async def notice(self, notices: Sequence[Told], send_at: datetime) -> None:
        """Keep what is to be told. What was kept before, told or not, stays as it is."""
        writes = [
            UpdateOne(
                {"_id": one.id},
                {"$setOnInsert": _notice(one) | {"send_at": send_at}},
                upsert=True,
            )
            for one in notices
        ]
        await self._notices.bulk_write(writes, ordered=False)

    async def gather(self, now: datetime) -> Gathered | None:
        """Claim all that is to be told to the authority that has waited longest; nothing when there is none."""
        token, free = secrets.token_hex(8), {"send_at": {"$lte": now}, "claimed_until": {"$not": {"$gt": now}}}
        first = await self._notices.find_one(free, sort=[("send_at", 1)])
        if first is None:
            return None
        mine = {"$set": {"claim": token, "claimed_until": now + LEASE}}
        of_it = {**free, "authority": first["authority"]}
        waiting = self._notices.find(of_it, {"_id": 1}).sort("send_at", 1).limit(MOST_NOTICES)
        there = [one["_id"] async for one in waiting]
        await self._notices.update_many({"_id": {"$in": there}, **free}, mine)
        held = [one async for one in self._notices.find({"claim": token}).sort([("send_at", 1), ("_id", 1)])]
        return Gathered(
            first["authority"],
            token,
            tuple(_told(dict(one)) for one in held),
            min((one["send_at"] for one in held), default=now),
        )

    async def awaited(self, cases: Iterable[str]) -> set[tuple[str, str]]:
        """Return pairs of a case and what is awaited in it of whom."""
        found = self._deadlines.find({"_id": {"$in": sorted(set(cases))}}, {"awaited": 1})
        return {(str(one["_id"]), what) async for one in found for what in one.get("awaited", ())}

    async def told(self, gathered: Gathered, now: datetime) -> None:
        """End the claim: all of it has been told, or is no longer worth it."""
        done = {"$set": {"done_at": now}, "$unset": {"send_at": "", "claim": "", "claimed_until": ""}}
        await self._notices.update_many({"claim": gathered.token}, done)

    async def tell_later(self, gathered: Gathered, until: datetime) -> None:
        """End the claim; it is told then, with what has come meanwhile."""
        later = {"$set": {"send_at": until}, "$unset": {"claim": "", "claimed_until": ""}}
        await self._notices.update_many({"claim": gathered.token}, later)

    async def recorded(self, ids: Sequence[str]) -> set[str]:
        """Return those mails of `ids` that were sent or given up."""
        return {str(found["_id"]) async for found in self._emails.find({"_id": {"$in": list(ids)}}, {"_id": 1})}

    async def record(self, email: Email) -> None:
        """Remember a mail; what was remembered before stays."""
        document = {"_id": email.id, **asdict(email)}
        del document["id"]
        try:
            await self._emails.insert_one(document)
        except DuplicateKeyError:
            return  # a repetition


def _authority_thing(event: AuthorityState) -> Thing:
    contact = Contact(event.details.contacts, event.details.languages, event.details.country)
    return event.id, event.version, asdict(contact)


def _system_thing(event: SystemState) -> Thing:
    return event.id, event.version, {"status": event.status}


def _replacement(plan: Plan) -> list[Document]:
    steps = [_fields(step) | {"key": step.key, "at": step.at, "try_at": step.at, "tries": 0} for step in plan.steps]
    done = {"$ifNull": ["$done", []]}
    to_do = {"$filter": {"input": {"$literal": steps}, "cond": {"$not": [{"$in": ["$$this.key", done]}]}}}
    fields = {"version": plan.version, "plan": to_do, "awaited": {"$literal": list(plan.awaited)}}
    changed = {"$mergeObjects": ["$$ROOT", fields]}
    newer = {"$lt": [{"$ifNull": ["$version", 0]}, plan.version]}
    return [{"$replaceWith": {"$cond": [newer, changed, "$$ROOT"]}}, _NEXT_AT]


def _notice(told: Told) -> Document:
    document = asdict(told)
    del document["id"]
    return document


def _told(found: dict[str, Any]) -> Told:
    """Return a notice that is kept: one from before versions and dates were, without."""
    version, due = found.get("version", 0), found.get("due")
    return Told(str(found["_id"]), found["kind"], found["case"], found["authority"], version, due)


def _fields(step: Step) -> Document:
    return {
        "kind": step.kind,
        "stage": step.stage,
        "authority": step.authority,
        "due": step.due,
        "number": step.number,
    }


def _claim(found: dict[str, Any]) -> Claim:
    first = min(found["plan"], key=lambda step: step["try_at"])
    step = Step(first["kind"], first["stage"], first["authority"], first["due"], first["at"], first["number"])
    return Claim(found["_id"], found["version"], found["claim"], step, first["tries"])
