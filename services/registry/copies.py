"""What other services' copies lack, sent again: the present states of the parts in which they differ from these."""

import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Final

from prometheus_client import Counter
from pydantic_core import to_json
from pymongo.read_concern import ReadConcern

from contracts.directory import AuthorityState, Compare, Replayed, SystemState, Tally, TermsChanged, TermState
from contracts.topology import MAX_MESSAGE_SIZE, SERVICES
from services.chassis.bus import Outgoing
from services.chassis.copies import tallies, total
from services.chassis.feed import Feed
from services.chassis.mongo import Database, Document
from services.registry.authority import authority_from
from services.registry.system import system_from
from services.registry.vocabulary import state_of

State = AuthorityState | SystemState

AT_MOST: Final = 100
"""States in one message."""
MOST_BYTES: Final = MAX_MESSAGE_SIZE // 4
"""A message that has so many is full, for an authority may have much to say: competences of fifty areas."""
REPLAYED = Counter("imi_replayed_total", "States sent again because a copy lacked them.", ["service", "kind"])

_LISTENING: Final = frozenset(SERVICES) - {"registry"}


class Copies:
    """Takes `Compare`. What it sends again is taken as the events are: the newest version wins.

    A copy that is ahead, as it is after this database was restored, is sent what it ignores, and stays as it is.
    """

    def __init__(self, database: Database, feed: Feed) -> None:
        """Read the registry's own collections in `database`; publish by `feed`."""
        # What is told must not be taken back by a change of primary: an older version would never replace it.
        sure = ReadConcern("majority")
        self._authorities = database["authorities"].with_options(read_concern=sure)
        self._systems = database["systems"].with_options(read_concern=sure)
        self._terms = database["vocabulary"].with_options(read_concern=sure)
        self._feed = feed

    async def prepare(self) -> None:
        """Make the index from which alone the tallies are read."""
        await self._authorities.create_index([("version", 1), ("_id", 1), ("system", 1)])

    async def compare(self, message: Compare) -> None:
        """Send the states of all parts that differ, in the order of ids. Raises `LookupError` for no such service."""
        if message.service not in _LISTENING:
            raise LookupError(message.service)
        if total(await tallies(self._systems, _LIVE)) != message.systems:
            await self._send(message.service, self._system_states())
        if message.terms is not None and total(await tallies(self._terms, {})) != message.terms:
            await self._send_terms(message.service)
        told = await self._told()
        differing = _differing(await tallies(self._authorities, told), message.authorities)
        if differing:
            await self._send(message.service, self._authority_states(told, differing))

    async def _told(self) -> Document:
        """Whoever has a system that is not live yet is not told of: nothing could be delivered to it."""
        not_yet = [str(one["_id"]) async for one in self._systems.find({"version": {"$gte": 1}, **_NOT_LIVE}, _ID)]
        return {"system": {"$nin": not_yet}} if not_yet else {}

    async def _system_states(self) -> AsyncIterator[State]:
        async for found in self._systems.find(_LIVE, _HISTORY).sort("_id", 1):
            system = system_from(str(found["_id"]), found.get("history", ()))
            if system:
                yield system.event()

    async def _authority_states(self, told: Document, parts: Sequence[str]) -> AsyncIterator[State]:
        for part in parts:
            query = {"_id": {"$gte": part, "$lt": f"{part}~"}, **told}
            async for found in self._authorities.find(query, _HISTORY).sort("_id", 1):
                authority = authority_from(str(found["_id"]), found.get("history", ()))
                if authority:
                    yield authority.state()

    async def _send_terms(self, service: str) -> None:
        some = list[TermState]()
        async for found in self._terms.find({"version": {"$gte": 1}}).sort("_id", 1):
            some.append(state_of(found))
            if len(some) == AT_MOST:
                await self._say_terms(service, some)
                some = []
        if some:
            await self._say_terms(service, some)

    async def _say_terms(self, service: str, some: Sequence[TermState]) -> None:
        body = to_json(TermsChanged(terms=tuple(some)), exclude_none=True)
        await self._feed.publish(Outgoing("terms", TermsChanged.TYPE, body, str(uuid.uuid4())))
        REPLAYED.labels(service, "term").inc(len(some))

    async def _send(self, service: str, states: AsyncIterator[State]) -> None:
        async for message in in_messages(states):
            body = to_json(message, exclude_none=True)
            await self._feed.publish(Outgoing(f"replay.{service}", Replayed.TYPE, body, str(uuid.uuid4())))
            REPLAYED.labels(service, "authority").inc(len(message.authorities))
            REPLAYED.labels(service, "system").inc(len(message.systems))


async def in_messages(states: AsyncIterator[State]) -> AsyncIterator[Replayed]:
    """Yield the states in their order, as many in a message as the broker and a reader take with ease."""
    full: list[State] = []
    size = 0
    async for state in states:
        full.append(state)
        size += len(to_json(state, exclude_none=True))
        if len(full) == AT_MOST or size >= MOST_BYTES:
            yield _message(full)
            full, size = [], 0
    if full:
        yield _message(full)


def _message(states: Sequence[State]) -> Replayed:
    return Replayed(
        authorities=tuple(state for state in states if isinstance(state, AuthorityState)),
        systems=tuple(state for state in states if isinstance(state, SystemState)),
    )


_LIVE: Final = {"live": True}
_NOT_LIVE: Final = {"live": {"$ne": True}}
_ID: Final = {"_id": 1}
_HISTORY: Final = {"history": 1}


def _differing(mine: dict[str, Tally], theirs: dict[str, Tally]) -> list[str]:
    # Not only where they have less: what is ahead there can hide what is behind.
    return [part for part, tally in sorted(mine.items()) if theirs.get(part) != tally]
