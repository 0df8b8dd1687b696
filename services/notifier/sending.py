"""The loop that sends what is due. Any number of replicas may run it on one database."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from services.chassis.faults import passes
from services.chassis.logs import where
from services.chassis.public_holidays import PublicHolidays
from services.notifier import metrics
from services.notifier.gathering import Gathering
from services.notifier.mail import Writer
from services.notifier.posting import Clock, Courier, Post
from services.notifier.smtp import Away
from services.notifier.steps import Steps
from services.notifier.store import Store
from services.notifier.summaries import Summaries

log = structlog.get_logger()

FINISH_WITHIN: Final = 10.0
"""Seconds that a shutdown waits for the mails in hand."""
_LONGEST_PAUSE: Final = 30.0
"""Seconds between two looks at a server that is away."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, how much to do in a turn and how much of it side by side, how long to gather and to try."""

    poll_every: timedelta
    mails_per_turn: int
    side_by_side: int
    gather_for: timedelta
    give_up_after: timedelta


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


class Sending:
    """Claims what is due, sends it, remembers that, and only then ends the claim.

    Each mail is sent once (see `posting.Post`). A server that is away costs nothing but time.
    """

    def __init__(
        self,
        store: Store,
        writer: Writer,
        holidays: PublicHolidays,
        couriers: Callable[[], AbstractAsyncContextManager[Courier]],
        pace: Pace,
        *,
        clock: Clock = now,
        waits: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """`couriers` opens connections for a turn; `clock` gives the time, UTC. Nothing is sent while it `waits`."""
        self._couriers = couriers
        self._pace = pace
        self._waits = waits
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        stopping, summaries = self._stopping.is_set, Summaries(store.readers, holidays)
        self.post = Post(store, writer, pace.give_up_after, clock)
        self._steps = Steps(store, self.post, summaries, pace.gather_for, clock=clock, stopping=stopping)
        self._gathering = Gathering(store, self.post, summaries, pace.gather_for, clock=clock, stopping=stopping)

    async def begin(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._run(), name="sending")

    async def end(self) -> None:
        """Finish the mails in hand, within seconds, and end."""
        self._stopping.set()
        if self._task:
            _, unfinished = await asyncio.wait([self._task], timeout=FINISH_WITHIN)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def runs(self) -> bool:
        """Say whether the loop runs. It does while the SMTP server is away."""
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        shortest = pause = self._pace.poll_every.total_seconds()
        while not self._stopping.is_set():
            try:
                more = False if self._waits and await self._waits() else await self.turn()
                pause = shortest
                metrics.SMTP_AWAY.set(0)
            except Exception as error:  # noqa: BLE001 - whatever it was, what is due stays due
                more = False
                pause = min(max(pause, 0.5) * 2, _LONGEST_PAUSE)
                _tell(error, pause)
            if not more:
                await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def turn(self) -> bool:
        """Carry out what is due, up to the number of a turn; say whether there may be more. Raises `Away`."""
        async with self._couriers() as courier:
            attending = (self._attend(courier) for _ in range(self._pace.side_by_side))
            # Each to its end, whatever becomes of the others: none is cut off between a mail and its record.
            results = await asyncio.gather(*attending, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return any(results)

    async def _attend(self, courier: Courier) -> bool:
        for _ in range(max(1, self._pace.mails_per_turn // self._pace.side_by_side)):
            stepped = await self._steps.one(courier)
            told = await self._gathering.one(courier)
            if not (stepped or told):
                return False
        return True


def _tell(error: Exception, pause: float) -> None:
    if isinstance(error, Away):
        metrics.SMTP_AWAY.set(1)
        log.warning("smtp server away", fault=str(error), next_attempt_s=pause)
    elif passes(error):
        log.warning("a server is away", fault=type(error).__name__, next_attempt_s=pause)
    else:
        log.error("sending", where=where(error), next_attempt_s=pause)
