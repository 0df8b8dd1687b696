"""The e-mails that were sent or given up, as they are remembered: never what they said."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pymongo.errors import DuplicateKeyError

from contracts.notifier import Outcome, SentEmail
from services.chassis.mongo import Collection, Document

KEEP: Final = timedelta(days=3 * 366)
"""Regulation (EU) 1024/2012, Art. 14: deleted three years after a case's closure. An address may be a person's."""


class BadCursor(ValueError):
    """What should say where a page begins does not."""


@dataclass(frozen=True, slots=True)
class Email:
    """What is remembered of a mail. `to` is missing if no address was known; `told` is all that it was to tell."""

    id: str
    cases: tuple[str, ...]
    kind: str
    stage: str
    authority: str
    to: str | None
    planned: datetime
    at: datetime
    outcome: Outcome
    reply: str
    due: datetime | None = None
    told: tuple[str, ...] = ()


class Emails:
    """All of them."""

    def __init__(self, collection: Collection) -> None:
        """Keep them in `collection`."""
        self._collection = collection

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._collection.create_index([("cases", 1)])
        await self._collection.create_index([("authority", 1), ("at", -1), ("_id", -1)])
        await self._collection.create_index([("at", 1)], expireAfterSeconds=int(KEEP.total_seconds()))

    async def recorded(self, ids: Sequence[str]) -> set[str]:
        """Return those mails of `ids` that were sent or given up."""
        return {str(found["_id"]) async for found in self._collection.find({"_id": {"$in": list(ids)}}, {"_id": 1})}

    async def record(self, email: Email) -> None:
        """Remember a mail; what was remembered before stays."""
        document = {"_id": email.id, **asdict(email)}
        del document["id"]
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            return  # a repetition

    async def said(self, authority: str, cases: Iterable[str]) -> set[str]:
        """Return all that mails told an authority of these cases."""
        of_them = {"cases": {"$in": sorted(cases)}, "authority": authority, "outcome": "sent"}
        return {key async for found in self._collection.find(of_them, {"told": 1}) for key in found.get("told", ())}

    async def came_back(self, email_id: str, status: str) -> tuple[str, str, bool] | None:
        """Note that a mail came back, and return whose it was and its address. Of one that was never sent: nothing.

        Return also whether nobody but its reader can know its identity: that of a deadline's mail follows from the
        case, the date and the address, which the other party to the case may know.
        """
        sent = {"_id": email_id, "outcome": "sent"}
        found = await self._collection.find_one_and_update(sent, {"$set": {"bounced": status}})
        return (found["authority"], found["to"], found["stage"] == "notice") if found else None

    async def page(self, authority: str, limit: int, after: str | None) -> tuple[tuple[SentEmail, ...], str | None]:
        """Return so many mails to an authority, the last first, and the cursor of the rest. Raises `BadCursor`."""
        wanted: Document = {"authority": authority}
        if after:
            at, last = _position(after)
            wanted["$or"] = [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": last}}]
        found = self._collection.find(wanted).sort([("at", -1), ("_id", -1)]).limit(limit + 1)
        emails = [_email(dict(one)) async for one in found]
        rest = _cursor(emails[limit - 1]) if len(emails) > limit else None
        return tuple(emails[:limit]), rest


def _email(found: Document) -> SentEmail:
    fields = {name: found[name] for name in SentEmail.model_fields if name in found}
    return SentEmail.model_validate({"planned": found["at"], **fields, "id": str(found["_id"])})


def _cursor(email: SentEmail) -> str:
    position = f"{int(email.at.timestamp() * 1000)}/{email.id}"
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[datetime, str]:
    try:
        position = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        milliseconds, last = position.split("/")
        at = datetime.fromtimestamp(int(milliseconds) // 1000, UTC)
        return at + timedelta(milliseconds=int(milliseconds) % 1000), last
    except (ValueError, OverflowError, OSError, binascii.Error) as error:
        raise BadCursor from error
