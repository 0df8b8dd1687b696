"""What is due is looked for, and casework told to do it: dates that have come, parties that are gone, keys to destroy.

Every replica looks. What it finds it says to casework's own queue under ids that depend on the date alone, so that
whatever several of them say, it is done once. After a standstill so many are told at once as fit, then the next.
"""

import math
import time
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from pydantic_core import to_json

from contracts import own
from contracts.identity import derived_uuid
from contracts.types import Message
from services.casework.case import Entry
from services.casework.deadlines import next_of
from services.casework.history import case_from
from services.casework.keys import KeyStore
from services.casework.store import Store
from services.chassis.bus import Outgoing
from services.chassis.feed import Feed

log = structlog.get_logger()

AT_ONCE: Final = 500
"""Commands that one look tells; so many more in the queue, and it tells none."""
TOLD_AGAIN_AFTER: Final = 60.0
"""Seconds for which what was told is not told again by the same replica."""
REMEMBERED: Final = 20_000
KEYS_EVERY: Final = timedelta(hours=1)
_OPEN: Final = {"open": True}
_NEVER: Final = (-math.inf, 0)
"""When and how often something was told that was not."""


class Sweeper:
    """Looks for what is due."""

    def __init__(self, store: Store, feed: Feed, keys: KeyStore, epoch: int) -> None:
        """Tell what is found in `store` by `feed`."""
        self._store = store
        self._feed = feed
        self._keys = keys
        self._epoch = str(epoch)
        self._told: dict[str, tuple[float, int]] = {}
        self._passed = 0
        self._keys_looked_at = datetime.min.replace(tzinfo=UTC)

    async def turn(self) -> None:
        """Look once. Raises what the database and the broker raise."""
        at = datetime.now(UTC)
        for due in [self._dates(at), self._gone(at)]:
            async for message_id, message in due:
                await self._tell(message_id, message)
        if at - self._keys_looked_at > KEYS_EVERY:
            self._keys_looked_at = at
            for month in await self._keys_without_cases(at):
                self._keys.destroy(month)
                log.info("key destroyed", month=month)

    async def retention_due(self, at: datetime) -> tuple[int, int, list[str]]:
        """Return how many cases are due at a moment to be blocked, and to be deleted, and the months whose keys go."""
        blocked = await self._store.collection.count_documents({**_over(at), "blocked": {"$ne": True}})
        deleted = await self._store.collection.count_documents({**_over(at), "blocked": True})
        return blocked, deleted, await self._keys_without_cases(at)

    async def _dates(self, at: datetime) -> AsyncIterator[tuple[str, Message]]:
        """What is due, the earliest first. Where nothing comes of all that one look may tell, the next goes past it."""
        due = self._store.collection.find({"act_at": {"$lte": at}}, {"history": 1}).sort("act_at", 1)
        looked = in_vain = 0
        async for document in due.skip(self._passed).limit(AT_ONCE):
            told = self._passing(str(document["_id"]), document.get("history", ()))
            looked, in_vain = looked + 1, in_vain + (told is None or self._told.get(told[0], _NEVER)[1] > 1)
            if told:
                yield told
        self._passed = self._passed + AT_ONCE if looked == in_vain == AT_ONCE else 0

    def _passing(self, number: str, history: Iterable[Entry]) -> tuple[str, Message] | None:
        case = case_from(number, history)
        following = next_of(case) if case else None
        if following is None:
            return None
        kind, due = following
        body = own.TimePassed(case=number, kind=kind, due=due)
        return derived_uuid("own", "time", self._epoch, number, kind, due.isoformat()), body

    async def _gone(self, at: datetime) -> AsyncIterator[tuple[str, Message]]:
        gone = [document async for document in self._store.gone.find({})]
        for one in gone:
            number, version = str(one["_id"]), int(one["version"])
            fields = {"rev": 1}
            found = self._store.collection.find({"parties": number, **_OPEN}, fields).limit(AT_ONCE)
            cases = [document async for document in found]
            for case in cases:
                body = own.AuthorityGone(case=str(case["_id"]), authority=number, authority_version=version)
                yield derived_uuid("own", "gone", self._epoch, body.case, number, str(version), str(case["rev"])), body
            if not cases and one["until"] < at:
                await self._store.gone.delete_one({"_id": number, "version": version})

    async def _tell(self, message_id: str, message: Message) -> None:
        now = time.monotonic()
        last, times = self._told.get(message_id, _NEVER)
        if last > now - TOLD_AGAIN_AFTER:
            return
        if len(self._told) > REMEMBERED:
            self._told = {key: told for key, told in self._told.items() if told[0] > now - TOLD_AGAIN_AFTER}
        await self._feed.publish(Outgoing(own.routing_key(message), message.TYPE, to_json(message), message_id))
        self._told[message_id] = now, times + 1

    async def _keys_without_cases(self, at: datetime) -> list[str]:
        """The months, before this one and the last, under whose key nothing is kept any more."""
        before = (at.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
        months = [month for month in self._keys.months() if month < before]
        used = [await self._store.collection.find_one({"secret.month": month}, {"_id": 1}) for month in months]
        return [month for month, one in zip(months, used, strict=True) if one is None]


def _over(at: datetime) -> dict[str, Any]:
    return {"act_at": {"$lte": at}, "open": False}
