"""What the notifier keeps: the dates of each case with the e-mails planned, what was sent, and who reads it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from contracts.casework import Dates
from contracts.registry import AuthorityState, SystemState
from services.chassis.mongo import Database, Document
from services.chassis.readmodel import ReadModel
from services.notifier.deadlines import Planned, plan, stored
from services.notifier.mail import Reader

_DUPLICATE_KEY = 11000


class Store:
    """The service's database."""

    def __init__(self, database: Database, remind_before: timedelta) -> None:
        """Nothing is read or written here."""
        self._deadlines = database["deadlines"]
        self._emails = database["emails"]
        self._readers = ReadModel(database["readers"])
        self._systems = ReadModel(database["systems"])
        self._remind_before = remind_before

    async def prepare(self) -> None:
        """Make the indexes: what is due is found without looking at what is not."""
        await self._deadlines.create_index("next_at", sparse=True)
        await self._emails.create_index([("case", 1), ("at", 1)])

    async def systems(self) -> list[str]:
        """Return the ids of the connected systems."""
        return [str(found["_id"]) async for found in self._systems.collection.find({}, {"_id": 1})]

    async def authority_changed(self, event: AuthorityState) -> None:
        """Note who reads an authority's e-mails, and in which languages."""
        fields = event.details.model_dump(mode="json", include={"contacts", "languages", "country"})
        await self._readers.put(event.id, event.version, fields)

    async def system_connected(self, event: SystemState) -> None:
        """Note a system: its lanes are consumed from now on."""
        await self._systems.put(event.id, event.version, {})

    async def reader(self, authority: str) -> Reader | None:
        """Return who reads for an authority, once the registry has told us."""
        found = (await self._readers.get([authority])).get(authority)
        if found is None:
            return None
        return Reader(tuple(found["contacts"]), tuple(found["languages"]), found["country"])

    async def dates_changed(self, dates: Sequence[Dates]) -> None:
        """Plan anew for every case whose dates are newer than those known; what is older changes nothing."""
        try:
            await self._deadlines.bulk_write([self._replanning(one) for one in dates], ordered=False)
        except BulkWriteError as error:
            if any(one["code"] != _DUPLICATE_KEY for one in error.details["writeErrors"]):
                raise
            # The guard did not match, so the upsert tried to insert: these dates or newer ones are known.

    def _replanning(self, dates: Dates) -> UpdateOne:
        fields = stored(plan(dates.deadlines, self._remind_before))
        forget = {"claimed_until": "", "attempts": ""} | ({} if "next_at" in fields else {"next_at": ""})
        return UpdateOne(
            {"_id": dates.case, "version": {"$lt": dates.version}},
            {"$set": {**fields, "version": dates.version}, "$unset": forget},
            upsert=True,
        )

    async def claim(self, now: datetime, lease: timedelta) -> Document | None:
        """Return a case for which something has to go out, claimed for this replica until the lease ends."""
        found = await self._deadlines.find_one_and_update(
            {
                "next_at": {"$lte": now},
                "$or": [{"claimed_until": {"$exists": False}}, {"claimed_until": {"$lte": now}}],
            },
            {"$set": {"claimed_until": now + lease}},
            sort=[("next_at", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return dict(found) if found else None

    async def is_current(self, case: Document) -> bool:
        """Say whether the case's dates are still those that were claimed."""
        query = {"_id": case["_id"], "version": case["version"], "claimed_until": case["claimed_until"]}
        return await self._deadlines.find_one(query, {"_id": 1}) is not None

    async def release(self, case: Document, left: Sequence[Planned], retry_at: datetime | None = None) -> None:
        """Give a claimed case back with what is left to send; `retry_at` when something could not be sent now."""
        fields = stored(left) | ({"next_at": retry_at} if retry_at else {})
        change: dict[str, Any] = {"$set": fields, "$unset": {"claimed_until": ""}}
        if "next_at" not in fields:
            change["$unset"]["next_at"] = ""
        if retry_at:
            change["$inc"] = {"attempts": 1}
        query = {"_id": case["_id"], "version": case["version"], "claimed_until": case["claimed_until"]}
        await self._deadlines.update_one(query, change)

    async def was_sent(self, email_id: str) -> bool:
        """Say whether an e-mail has been sent, or has failed for good."""
        return await self._emails.find_one({"_id": email_id}, {"_id": 1}) is not None

    async def record(self, email_id: str, fields: Document) -> None:
        """Record what became of an e-mail. Never its text."""
        await self._emails.update_one({"_id": email_id}, {"$setOnInsert": fields}, upsert=True)
