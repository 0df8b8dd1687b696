"""All that waits for an authority goes into one mail: what has happened, what is late, the summary of the day."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from services.chassis.faults import outlast, passes
from services.chassis.logs import where
from services.notifier.deadlines import is_pointless, next_try, until
from services.notifier.earlier import told_earlier
from services.notifier.letters import Due, Letter, Notices, Undeliverable
from services.notifier.notices import Told, still_needed
from services.notifier.posting import Clock, Courier, Done, Errand, Later, NotOurs, Post, Verdict
from services.notifier.smtp import Away
from services.notifier.store import Store
from services.notifier.summaries import Summaries, Summary
from services.notifier.waiting import Turn, Waits

log = structlog.get_logger()

Holds = Callable[[], Awaitable[bool]]

_HOLD_ON: Final = timedelta(days=14)
"""For so long a mail that cannot be written is tried again: somebody may put the mistake right."""


class Gathering:
    """Attends to what waits."""

    def __init__(
        self,
        store: Store,
        post: Post,
        summaries: Summaries,
        gather_for: timedelta,
        *,
        clock: Clock,
        stopping: Callable[[], bool],
    ) -> None:
        """Send by `post`. What has happened waits so long for more."""
        self._store = store
        self._waiting = store.waiting
        self._post = post
        self._summaries = summaries
        self._gather_for = gather_for
        self._clock = clock
        self._stopping = stopping

    async def one(self, courier: Courier) -> bool:
        """Attend to the authority that has waited longest; say whether there was one. Raises `Away`."""
        turn = None if self._stopping() else await self._waiting.take(self._clock())
        if turn is None:
            return False
        until: datetime | None = None
        try:
            until = await self._attend(turn, courier)
        finally:
            await outlast(lambda: self._waiting.leave(turn, until))
        return True

    async def _attend(self, turn: Turn, courier: Courier) -> datetime | None:
        """Send one mail; return until when the authority is let alone, if it is.

        Where none of its domains has a place that is found out first, for next to nothing: a mail tells of up to a
        hundred things, each of which would have to be looked up and put off, again and again.
        """
        summary = await self._summaries.of(turn.authority)
        free_at = await self._post.free_at(summary.reader) if summary.reader else None
        if free_at and free_at > self._clock():
            return free_at
        together = await self._together(turn, summary)
        if not together:
            return None
        batch = await self._waiting.bind(together)
        if batch is None:
            return None  # another's turn overtook this one; what is bound goes with the next
        try:
            verdict = await self._tell(turn, batch, together, courier)
        except Away:
            raise
        except Exception as error:
            if passes(error):
                raise
            log.error("mail not written", where=where(error))  # noqa: TRY400 - never the words of an error
            too_late = self._clock() - together[0].at > _HOLD_ON
            verdict = Done() if too_late else Later(next_try(self._clock(), together[0].tries))
        return await self._conclude(together, verdict)

    async def _conclude(self, together: Sequence[Waits], verdict: Verdict) -> datetime | None:
        match verdict:
            case Done():
                await outlast(lambda: self._waiting.told(together, self._clock()))
            case Later(moment, tried=False):
                return moment
            case Later(moment):
                await outlast(lambda: self._waiting.later(together, moment))
            case NotOurs():
                pass  # whoever has the next turn finds it as it is
        return None

    async def _together(self, turn: Turn, summary: Summary) -> list[Waits]:
        """Return what goes into one mail now. What can wait for the summary is put off until then."""
        waiting = await self._waiting.of(turn, self._clock(), self._clock() + self._gather_for)
        if not waiting or waiting[0].batch:
            return waiting
        now, put_off = self._clock(), dict[datetime, list[Waits]]()
        for one in waiting:
            if isinstance(one.piece, Told) and not one.daily:
                at = summary.waits_until(one.piece, one.piece.area, one.at)
                if at and at > now:
                    put_off.setdefault(at, []).append(one)
        for at, some in put_off.items():
            await self._waiting.put_off(some, at)
        gone = {one.id for some in put_off.values() for one in some}
        rest = [one for one in waiting if one.id not in gone]
        alone = [one for one in rest if isinstance(one.piece, Undeliverable)]
        return alone[:1] or rest

    async def _tell(self, turn: Turn, batch: str, together: Sequence[Waits], courier: Courier) -> Verdict:
        needed = await self._still_needed(together)
        if not needed:
            return Done()

        async def holds() -> bool:
            return not self._stopping() and await self._waiting.holds(turn)

        letter = _letter(batch, together, needed)
        if isinstance(letter, Notices):
            letter = replace(letter, before=await told_earlier(self._store, turn.authority, letter.told))
        return await self._post.deliver(_errand(turn.authority, letter, together, needed, holds), courier)

    async def _still_needed(self, together: Sequence[Waits]) -> list[Waits]:
        told = [one.piece for one in together if isinstance(one.piece, Told)]
        cases = {one.piece.case for one in together if isinstance(one.piece, Told | Due) and one.piece.case}
        awaited, now = await self._store.deadlines.awaited(cases), self._clock()
        news = {one.id for one in still_needed(told, awaited)}

        def is_needed(one: Waits) -> bool:
            if isinstance(one.piece, Due):
                step = one.piece.step
                stands = (one.piece.case, until(step.kind, step.due, step.authority)) in awaited
                return stands and not is_pointless(step, now)
            return isinstance(one.piece, Undeliverable) or one.piece.id in news

        return [one for one in together if is_needed(one)]


def _errand(authority: str, letter: Letter, together: Sequence[Waits], needed: Sequence[Waits], holds: Holds) -> Errand:
    """Return what is to be delivered. Its time depends on what was bound together, not on what is left."""
    first = together[0]
    pieces = [one.piece for one in needed]
    cases = dict.fromkeys(one.case for one in pieces if not isinstance(one, Undeliverable) and one.case)
    kind, stage = _kind(letter)
    return Errand(
        letter,
        authority,
        kind,
        stage,
        min(one.at for one in together),
        first.tries,
        holds,
        cases=tuple(cases),
        told=tuple(one.key if isinstance(one, Due) else one.id for one in pieces),
        traces=tuple(dict.fromkeys(one.traceparent for one in pieces if isinstance(one, Told) and one.traceparent)),
    )


def _letter(batch: str, together: Sequence[Waits], needed: Sequence[Waits]) -> Letter:
    """Return what tells it. Its kind depends on what was bound together, not on what is left."""
    if len(together) == 1 and not together[0].daily and not isinstance(together[0].piece, Told):
        return together[0].piece
    told = [one.piece for one in needed if isinstance(one.piece, Told)]
    due = [one.piece for one in needed if isinstance(one.piece, Due)]
    return Notices(told, due, daily=any(one.daily for one in together), batch=batch)


def _kind(letter: Letter) -> tuple[str, str]:
    """Return how the mail is called where it is remembered and counted: its kind, and its stage."""
    match letter:
        case Due(_, _, step):
            return step.kind, step.stage
        case Undeliverable():
            return "undeliverable", "undeliverable"
    if letter.daily:
        return "summary", "notice"
    alone = len(letter.told) == 1 and not letter.due
    return (letter.told[0].kind if alone else "notices"), "notice"
