"""A step of a case that has become due: its mail goes by itself, or it waits to be told with others."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from services.chassis.faults import outlast, passes
from services.chassis.logs import where
from services.notifier.deadlines import LATE, is_pointless, next_try
from services.notifier.letters import Due
from services.notifier.planning import Claim
from services.notifier.posting import Clock, Courier, Done, Errand, Later, NotOurs, Post, Verdict
from services.notifier.smtp import Away
from services.notifier.store import Store
from services.notifier.summaries import Summaries
from services.notifier.waiting import Waits

log = structlog.get_logger()


class Steps:
    """Attends to the steps of plans."""

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
        """What is late waits so long for others that are."""
        self._store = store
        self._post = post
        self._summaries = summaries
        self._gather_for = gather_for
        self._clock = clock
        self._stopping = stopping

    async def one(self, courier: Courier) -> bool:
        """Attend to the one that has been due longest; say whether there was one. Raises `Away`."""
        claim = None if self._stopping() else await self._store.deadlines.claim(self._clock())
        if claim is None:
            return False
        try:
            verdict = await self._carry_out(claim, courier)
        except Away:
            await self._conclude(claim, NotOurs())
            raise
        except Exception as error:
            if passes(error):
                raise  # the database is away: the lease runs out by itself
            log.error("mail not written", case=claim.case, where=where(error))  # noqa: TRY400 - never an error's words
            verdict = Later(next_try(self._clock(), claim.tries))
        await self._conclude(claim, verdict)
        return True

    async def _conclude(self, claim: Claim, verdict: Verdict) -> None:
        match verdict:
            case Done():
                await outlast(lambda: self._store.deadlines.settle(claim))
            case Later(until, tried):
                await outlast(lambda: self._store.deadlines.defer(claim, until, tried=tried))
            case NotOurs():
                await outlast(lambda: self._store.deadlines.release(claim))

    async def _carry_out(self, claim: Claim, courier: Courier) -> Verdict:
        now, due = self._clock(), Due(claim.case, claim.version, claim.step)
        if is_pointless(claim.step, now):
            return Done()
        if not claim.begun:
            authority = claim.step.authority
            summary = await self._summaries.of(authority)
            if at := summary.waits_until(due, claim.area, claim.step.at):
                return await self._wait(claim, Waits(authority, due, at, daily=True), at)
            if now - claim.step.at > LATE:  # after a standstill: with whatever else is late, in one mail
                return await self._wait(claim, Waits(authority, due, claim.step.at), now + self._gather_for)
        return await self._post.deliver(self._errand(claim, due), courier)

    async def _wait(self, claim: Claim, waits: Waits, send_at: datetime) -> Verdict:
        """Have a step wait to be told with others; not one whose claim has passed on: its mail may have gone."""
        if not await self._store.deadlines.holds(claim, to_send=False):
            return NotOurs()
        await self._store.waiting.add([waits], send_at)
        return Done()

    def _errand(self, claim: Claim, due: Due) -> Errand:
        async def holds() -> bool:
            return not self._stopping() and await self._store.deadlines.holds(claim)

        step = claim.step
        return Errand(
            due,
            step.authority,
            step.kind,
            step.stage,
            step.at,
            claim.tries,
            holds,
            cases=(claim.case,),
            due=step.due,
            told=(due.key,),
        )
