"""The operator is told when the exchange has grown by so many authorities."""

import asyncio
from typing import Final

import structlog
from pydantic_core import to_json
from pymongo import ASCENDING

from contracts.identity import derived_uuid
from contracts.inbox import Milestone, View, Views
from contracts.topology import OPERATOR
from services.chassis.bus import Outgoing
from services.chassis.faults import outlast
from services.chassis.feed import Feed
from services.chassis.mongo import Collection, Document
from services.chassis.together import VIEWS
from services.registry.authority import authority_from

log = structlog.get_logger()

AT_MOST_EVERY: Final = 2.0
"""Seconds between two looks."""
_JOINED: Final = {"joined": {"$exists": True}}


class Milestones:
    """Counts who has ever joined. Any replica may tell: the message is the same, with the same id."""

    def __init__(self, authorities: Collection, milestones: Collection, feed: Feed, step: int) -> None:
        """Tell of every `step` authorities."""
        self._authorities = authorities
        self._milestones = milestones
        self._feed = feed
        self._step = step
        self._joined = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Make the index of those who joined, in the order in which they did."""
        await self._authorities.create_index(
            [("joined", ASCENDING), ("_id", ASCENDING)], partialFilterExpression=dict(_JOINED)
        )

    def joined(self) -> None:
        """Note that somebody joined: there may be a milestone to look for."""
        self._joined.set()

    async def begin(self) -> None:
        """Look in the background: once now, and soon after somebody has joined."""
        self._joined.set()
        self._task = asyncio.create_task(self._run(), name="milestones")

    async def end(self) -> None:
        """Stop looking."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Tell of every milestone that has been reached and not been told of."""
        told = await self._milestones.count_documents({})
        while (found := await self._reached((told + 1) * self._step)) is not None:
            told += 1
            await self._tell(told * self._step, found)

    async def _run(self) -> None:
        while True:
            await self._joined.wait()
            self._joined.clear()
            await outlast(self.look)
            await asyncio.sleep(AT_MOST_EVERY)

    async def _reached(self, number: int) -> Document | None:
        """Return who made up the number, in the order of joining; nothing while there are fewer."""
        joined = self._authorities.find(_JOINED, {"history": 1})
        async for one in joined.sort([("joined", ASCENDING), ("_id", ASCENDING)]).skip(number - 1).limit(1):
            return dict(one)
        return None

    async def _tell(self, number: int, document: Document) -> None:
        """First the message, then the note that it was sent: a crash in between repeats it with the same id."""
        authority = authority_from(str(document["_id"]), document["history"])
        if authority is None:
            raise TypeError("whoever joined has a history")
        log.info("milestone", activations=number, authority=authority.id)
        message = Milestone(activations=number, authority=authority.card())
        view = View(to=OPERATOR, message_id=derived_uuid("milestone", str(number)), message=message)
        body = to_json(Views(views=(view,)), exclude_none=True)
        await self._feed.publish(Outgoing(VIEWS, Views.TYPE, body, derived_uuid("views", "milestone", str(number))))
        await self._milestones.update_one({"_id": number}, {"$set": {"authority": authority.id}}, upsert=True)
