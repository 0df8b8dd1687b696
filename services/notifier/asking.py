"""The notifier's lanes: an authority says how it wishes to be written to, and asks what was sent."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from contracts.notifier import ListEmails, SetPreferences, ShowPreferences
from contracts.refusal import Refusal
from services.chassis.delivery import Later
from services.chassis.desk import Answer, done, refused
from services.chassis.intake import Command
from services.notifier.readers import Reader
from services.notifier.records import BadCursor
from services.notifier.store import Store

_RESTS_ON_COPIES: Final = {"unknown-authority", "not-your-authority", "authority-not-active", "not-its-coordinator"}
"""Refusals that the registry's next event may overtake: not given in the first two seconds."""
_SETTLING_S, _LOOK_AGAIN_S = 2.0, 0.25


def _now() -> datetime:
    return datetime.now(UTC)


class Clerk:
    """The handler of the notifier's lanes."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = _now) -> None:
        """Look everything up in `store`."""
        self._store = store
        self._clock = clock

    async def __call__(self, commands: Sequence[Command]) -> Sequence[Answer | Later]:
        """Carry out or refuse each."""
        return await asyncio.gather(*(self._decide(command) for command in commands))

    async def _decide(self, command: Command) -> Answer | Later:
        if isinstance(command.body, SetPreferences):
            return await self._prefer(command, command.body)
        wrong = Refusal("expired", "expiration") if command.expired else await self._barred(command)
        if wrong:
            return _refused(command, wrong)
        if isinstance(command.body, ShowPreferences):
            said = await self._store.readers.preferences(command.body.authority)
            return Answer(done(command, reader=command.body.authority, preferences=said))
        assert isinstance(command.body, ListEmails)
        return await self._list(command, command.body)

    async def _prefer(self, command: Command, body: SetPreferences) -> Answer | Later:
        """Once, whatever came of it; the same again whenever it comes again."""
        readers = self._store.readers
        before = await readers.preferred(body.authority, command.key)
        wrong = None if before else await readers.refused(command.key, command.digest)
        if not before and not wrong:
            wrong = Refusal("expired", "expiration") if command.expired else await self._barred(command)
            if wrong and _may_pass(command, wrong):
                return Later(_LOOK_AGAIN_S)
            if wrong:
                await readers.refuse(command.key, command.digest, wrong, self._clock())
        if wrong:
            return Answer(refused(command, wrong, reader=body.authority))
        if not await readers.prefer(body.authority, body.preferences, command.key, command.digest):
            return Answer(refused(command, Refusal("message-id-reused", "message_id"), reader=body.authority))
        return Answer(done(command, reader=body.authority, preferences=body.preferences))

    async def _list(self, command: Command, asked: ListEmails) -> Answer | Later:
        of = asked.of or asked.authority
        if of != asked.authority and not await self._store.readers.stands_above(asked.authority, of):
            return _refused(command, Refusal("not-its-coordinator", "of"))
        try:
            emails, following = await self._store.emails.page(of, asked.limit, asked.after)
        except BadCursor:
            return _refused(command, Refusal("bad-cursor", "after"))
        rest = {"next": following} if following else {}
        return Answer(done(command, reader=asked.authority, emails=emails, **rest))

    async def _barred(self, command: Command) -> Refusal | None:
        if await self._store.readers.is_cut_off(command.system):
            return Refusal("system-suspended")
        known: Reader | None = await self._store.readers.reader(str(getattr(command.body, "authority", "")))
        if known is None:
            return Refusal("unknown-authority", "authority")
        if known.system != command.system:
            return Refusal("not-your-authority", "authority")
        return None if known.active else Refusal("authority-not-active", "authority")


def _may_pass(command: Command, wrong: Refusal) -> bool:
    return wrong.code in _RESTS_ON_COPIES and command.age < _SETTLING_S


def _refused(command: Command, wrong: Refusal) -> Answer | Later:
    if _may_pass(command, wrong):
        return Later(_LOOK_AGAIN_S)
    return Answer(refused(command, wrong, reader=getattr(command.body, "authority", None)))
