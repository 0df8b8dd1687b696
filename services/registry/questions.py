"""Commands that change nothing: searches, suggestions, cards and trails."""

import time
from collections.abc import Iterable
from typing import Final, TypeVar

from contracts.directory import Found
from contracts.refusal import Refusal
from contracts.registry import Search, Show, Suggest, Trail
from contracts.types import Part
from services.chassis.desk import Answer, done, refused
from services.chassis.intake import Command
from services.registry.authority import Authority, authority_from, trail_of
from services.registry.coordination import above
from services.registry.search import BadCursor, Directory
from services.registry.settling import not_acting
from services.registry.store import Store
from services.registry.systems import Systems
from services.registry.vocabulary import Vocabulary

FRESH_FOR: Final = 1.0
REMEMBERED: Final = 10_000
P = TypeVar("P", bound=Part)
MOST_BYTES: Final = 128 * 1024
"""How much an answer holds at most: what lies beyond is left out, as that beyond the limit is."""


class Questions:
    """Answers from what is there."""

    def __init__(self, store: Store, directory: Directory, systems: Systems, vocabulary: Vocabulary) -> None:
        """Look things up in all of these."""
        self._store = store
        self._directory = directory
        self._systems = systems
        self._vocabulary = vocabulary
        self._standing: dict[str, tuple[float, Refusal | None]] = {}

    async def __call__(self, command: Command) -> Answer:
        """Answer one; nothing is remembered of it."""
        wrong = Refusal("expired", "expiration") if command.expired else await self._barred(command)
        if wrong:
            return Answer(refused(command, wrong))
        match command.body:
            case Search() as search:
                return await self._search(command, search)
            case Suggest() as typed:
                found = await self._directory.suggest(typed)
                return Answer(done(command, suggested=_within(found)))
            case Show() as wanted:
                return await self._show(command, wanted)
            case Trail() as wanted_trail:
                return await self._trail(command, wanted_trail)
        raise TypeError(command.body.TYPE)

    async def _barred(self, command: Command) -> Refusal | None:
        """As it was within the last second: whoever is cut off has no inbox to read an answer from anyhow."""
        known = self._standing.get(command.system)
        if known and known[0] > time.monotonic() - FRESH_FOR:
            return known[1]
        if len(self._standing) > REMEMBERED:
            self._standing.clear()
        refusal = await self._systems.barred(command)
        self._standing[command.system] = (time.monotonic(), refusal)
        return refusal

    async def _search(self, command: Command, search: Search) -> Answer:
        competences = await self._vocabulary.codes_of(search.text) if search.text else frozenset()
        try:
            page = await self._directory.search(search, competences)
        except BadCursor:
            return Answer(refused(command, Refusal("bad-cursor", "after")))
        found = [Found(card=card, match=match) for card, match in page.found]
        return Answer(done(command, found=_within(found), **({"next": page.next} if page.next else {})))

    async def _show(self, command: Command, wanted: Show) -> Answer:
        authority = await self._store.authority(wanted.of)
        if authority is None or not authority.active:
            return Answer(refused(command, Refusal("not-to-be-found", "of")))
        return Answer(done(command, full=authority.full_card()))

    async def _trail(self, command: Command, wanted: Trail) -> Answer:
        actor = await self._store.authority(wanted.authority)
        if wrong := not_acting(actor, command):
            return Answer(refused(command, wrong, reader=wanted.authority))
        history = await self._store.history(wanted.of)
        subject = authority_from(wanted.of, history)
        if subject is None or actor is None or not await self._may_read(actor, subject):
            return Answer(refused(command, Refusal("not-its-coordinator", "of"), reader=wanted.authority))
        return Answer(done(command, reader=wanted.authority, authority=subject.card(), trail=trail_of(history)))

    async def _may_read(self, actor: Authority, subject: Authority) -> bool:
        if actor.id in {subject.id, subject.coordinator}:
            return True
        validating = await self._store.authority(subject.coordinator or "")
        return validating is not None and above(actor, validating)


def _within(parts: Iterable[P]) -> list[P]:
    """Return the first parts that fit into an answer."""
    fitting, left = list[P](), MOST_BYTES
    for part in parts:
        left -= len(part.model_dump_json())
        if left < 0:
            break
        fitting.append(part)
    return fitting
