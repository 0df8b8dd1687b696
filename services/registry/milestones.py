"""The operator is told when the exchange has grown by so many authorities."""

from typing import Final

import structlog
from pydantic_core import to_json
from pymongo import ASCENDING

from contracts.identity import derived_uuid
from contracts.inbox import Milestone, View, Views
from contracts.topology import OPERATOR
from services.chassis.bus import Outgoing
from services.chassis.feed import Feed
from services.chassis.mongo import Collection, Document
from services.chassis.together import VIEWS
from services.registry.authority import authority_from

log = structlog.get_logger()

LOOK_EVERY: Final = 2.0
"""Seconds after which somebody may have joined."""
_JOINED: Final = {"joined": {"$exists": True}}


class Milestones:
    """Counts who has ever joined. Any replica may tell: the message is the same, with the same id."""

    def __init__(self, authorities: Collection, milestones: Collection, feed: Feed, step: int) -> None:
        """Tell of every `step` authorities."""
        self._authorities = authorities
        self._milestones = milestones
        self._feed = feed
        self._step = step
        self._due = True

    async def prepare(self) -> None:
        """Make the index of those who joined, in the order in which they did."""
        await self._authorities.create_index(
            [("joined", ASCENDING), ("_id", ASCENDING)], partialFilterExpression=dict(_JOINED)
        )

    def joined(self) -> None:
        """Note that somebody joined: there may be a milestone to look for."""
        self._due = True

    async def turn(self) -> None:
        """Look, unless nobody has joined since a look that went well. Raises what the database and the broker raise."""
        if not self._due:
            return
        self._due = False  # before looking: who joins meanwhile may be too late for it
        try:
            await self.look()
        except Exception:
            self._due = True
            raise

    async def look(self) -> None:
        """Tell of every milestone that has been reached and not been told of."""
        told = await self._milestones.count_documents({})
        while (found := await self._reached((told + 1) * self._step)) is not None:
            told += 1
            await self._tell(told * self._step, found)

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
