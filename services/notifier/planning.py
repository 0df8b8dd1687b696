"""Plans by case, as they are kept: which of them is due is found by an index, however many are not."""

import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument, UpdateOne

from services.chassis.mongo import Collection, Document
from services.notifier.deadlines import LATE, Plan, Step
from services.notifier.leases import NOW, ends
from services.notifier.records import KEEP
from services.notifier.soon import soon

_NEXT_AT: Final = {
    "$set": {
        "next_at": {"$cond": [{"$eq": ["$plan", []]}, "$$REMOVE", {"$min": "$plan.try_at"}]},
        "first_at": {"$cond": [{"$eq": ["$plan", []]}, "$$REMOVE", {"$min": "$plan.at"}]},
        "over_at": {"$cond": [{"$eq": ["$plan", []]}, {"$ifNull": ["$over_at", NOW]}, "$$REMOVE"]},
    },
}
"""When the next step is to be tried, when it was planned, and since when there is none."""
_UNCLAIM: Final = {"$unset": ["claim", "claimed_until"]}

Standing = tuple[str, str, int, int]
"""Kind and stage, how many are due, and how many of them are late."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a case's next step, until the lease runs out. No other replica has it meanwhile.

    Of one that was `begun` some mail may have gone out.
    """

    case: str
    version: int
    token: str
    step: Step
    tries: int
    area: str = ""
    begun: bool = False
    epoch: int | None = None
    """Of the plan; of one from before epochs were kept, none."""


class Deadlines:
    """The plans of all cases."""

    def __init__(self, collection: Collection, lease: timedelta) -> None:
        """A claim lasts so long unless it is renewed."""
        self._collection = collection
        self._soon = soon(collection)
        self._lease = lease

    async def prepare(self) -> None:
        """Make the indexes: only cases with something to come are in them, and in the last one only the others.

        Of a case for which nothing has been planned any more for as long as mails are remembered nothing is kept.
        """
        await self._collection.create_index([("next_at", 1)], sparse=True)
        await self._collection.create_index([("first_at", 1)], sparse=True)
        forgotten = int(KEEP.total_seconds())
        await self._collection.create_index([("over_at", 1)], sparse=True, expireAfterSeconds=forgotten)

    async def plan(self, plans: Iterable[Plan]) -> None:
        """Replace the plans of cases, one plan for each, in one write. What is not newer changes nothing.

        A step that has been done stays done: the same deadline in a newer plan leads to no second mail. A claim
        outlives the plan it was made under: nobody else begins with the same step before its holder has finished.
        """
        writes = [UpdateOne({"_id": plan.case}, _replacement(plan), upsert=True) for plan in plans]
        await self._collection.bulk_write(writes, ordered=False)

    async def claim(self, now: datetime) -> Claim | None:
        """Claim the case whose step has been due longest, or nothing when none is due that nobody else holds."""
        token = secrets.token_hex(8)
        found = await self._soon.find_one_and_update(
            {"next_at": {"$lte": now}, "$expr": {"$not": [{"$gt": ["$claimed_until", NOW]}]}},
            [{"$set": {"claim": token, "claimed_until": ends(self._lease)}}],
            sort=[("next_at", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return _claim(dict(found)) if found else None

    async def holds(self, claim: Claim, *, to_send: bool = True) -> bool:
        """Renew the claim; say whether it stood, and the case is still in its version.

        From then on a step that is about `to_send` is begun: it is never told with others.
        """
        change: Document = {"claimed_until": ends(self._lease)}
        if to_send:
            change["begun"] = {"$setUnion": [{"$ifNull": ["$begun", []]}, [claim.step.key]]}
        mine = {"_id": claim.case, "claim": claim.token, "epoch": claim.epoch, "version": claim.version}
        return (await self._collection.update_one(mine, [{"$set": change}])).matched_count == 1

    async def settle(self, claim: Claim) -> None:
        """End the claim, its step done for good; whatever version the case has meanwhile."""
        key = claim.step.key
        rest = {"$filter": {"input": "$plan", "cond": {"$ne": ["$$this.key", key]}}}
        done = {"$setUnion": [{"$ifNull": ["$done", []]}, [key]]}
        await self._end(claim, {"$set": {"plan": rest, "done": done}})

    async def defer(self, claim: Claim, until: datetime, *, tried: bool = True) -> None:
        """End the claim; its step is tried again then."""
        later = {"$mergeObjects": ["$$this", {"try_at": until, "tries": claim.tries + tried}]}
        changed = {"$cond": [{"$eq": ["$$this.key", claim.step.key]}, later, "$$this"]}
        await self._end(claim, {"$set": {"plan": {"$map": {"input": "$plan", "as": "this", "in": changed}}}})

    async def release(self, claim: Claim) -> None:
        """End the claim as if it had not been made."""
        await self._end(claim)

    async def _end(self, claim: Claim, *changes: Document) -> None:
        mine = {"_id": claim.case, "claim": claim.token}
        await self._collection.update_one(mine, [*changes, _NEXT_AT, _UNCLAIM])

    async def awaited(self, cases: Iterable[str]) -> set[tuple[str, str]]:
        """Return pairs of a case and what is awaited in it: of whom, until when, and in which state it is."""
        found = self._collection.find({"_id": {"$in": sorted(set(cases))}}, {"awaited": 1})
        return {(str(one["_id"]), what) async for one in found for what in one.get("awaited", ())}

    async def standing(self, now: datetime) -> AsyncIterator[Standing]:
        """Yield how many steps are due and late. What is not due is not looked at."""
        due = {"$filter": {"input": "$plan", "cond": {"$lte": ["$$this.at", now]}}}
        late = {"$cond": [{"$lt": ["$plan.at", now - LATE]}, 1, 0]}
        kind = {"kind": "$plan.kind", "stage": "$plan.stage"}
        found = await self._collection.aggregate(
            [
                {"$match": {"first_at": {"$lte": now}}},
                {"$project": {"plan": due}},
                {"$unwind": "$plan"},
                {"$group": {"_id": kind, "due": {"$sum": 1}, "late": {"$sum": late}}},
            ]
        )
        async for one in found:
            yield one["_id"]["kind"], one["_id"]["stage"], one["due"], one["late"]


def _replacement(plan: Plan) -> list[Document]:
    steps = [{**fields_of(step), "key": step.key, "at": step.at, "try_at": step.at, "tries": 0} for step in plan.steps]
    done = {"$ifNull": ["$done", []]}
    to_do = {"$filter": {"input": {"$literal": steps}, "cond": {"$not": [{"$in": ["$$this.key", done]}]}}}
    said = {"awaited": {"$literal": list(plan.awaited)}, "area": {"$literal": plan.area}}
    changed = {"$mergeObjects": ["$$ROOT", {"epoch": plan.epoch, "version": plan.version, "plan": to_do, **said}]}
    epoch, version = {"$ifNull": ["$epoch", 1]}, {"$ifNull": ["$version", 0]}
    later = {"$and": [{"$eq": [epoch, plan.epoch]}, {"$lt": [version, plan.version]}]}
    newer = {"$or": [{"$lt": [epoch, plan.epoch]}, later]}
    return [{"$replaceWith": {"$cond": [newer, changed, "$$ROOT"]}}, _NEXT_AT]


def fields_of(step: Step) -> Document:
    """Return a step as it is kept, but for its moment."""
    return {
        "kind": step.kind,
        "stage": step.stage,
        "authority": step.authority,
        "due": step.due,
        "number": step.number,
        "urgent": step.urgent,
    }


def step_of(found: dict[str, Any]) -> Step:
    """Return a step that is kept."""
    urgent = found.get("urgent", True)
    return Step(
        found["kind"], found["stage"], found["authority"], found["due"], found["at"], found["number"], urgent=urgent
    )


def _claim(found: dict[str, Any]) -> Claim:
    first = min(found["plan"], key=lambda step: step["try_at"])
    step, begun = step_of(first), first["key"] in found.get("begun", ())
    area = str(found.get("area", ""))
    return Claim(found["_id"], found["version"], found["claim"], step, first["tries"], area, begun, found.get("epoch"))
