"""The loops that send what is due, one for each connection. Any number of replicas may run them on one database."""

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

    Each mail is sent once (see `posting.Post`). A server that is away costs nothing but time, and a mail over which it
    hangs holds up no other connection.
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
        """`couriers` opens a connection for a turn; `clock` gives the time, UTC. Nothing is sent while it `waits`."""
        self._couriers = couriers
        self._pace = pace
        self._waits = waits
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._away = set[int]()
        stopping, summaries = self._stopping.is_set, Summaries(store.readers, holidays)
        self.post = Post(store, writer, pace.give_up_after, clock)
        self._steps = Steps(store, self.post, summaries, pace.gather_for, clock=clock, stopping=stopping)
        self._gathering = Gathering(store, self.post, summaries, pace.gather_for, clock=clock, stopping=stopping)

    async def begin(self) -> None:
        """Begin, in the background."""
        numbers = range(self._pace.side_by_side)
        self._tasks = [asyncio.create_task(self._run(number), name=f"sending {number}") for number in numbers]

    async def end(self) -> None:
        """Finish the mails in hand, within seconds, and end."""
        self._stopping.set()
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=FINISH_WITHIN)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def runs(self) -> bool:
        """Say whether all loops run. They do while the SMTP server is away."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def _run(self, number: int) -> None:
        shortest = pause = self._pace.poll_every.total_seconds()
        while not self._stopping.is_set():
            try:
                more = False if self._waits and await self._waits() else await self._attend()
                pause = shortest
                self._away.discard(number)
            except Exception as error:  # noqa: BLE001 - whatever it was, what is due stays due
                more = False
                pause = min(max(pause, 0.5) * 2, _LONGEST_PAUSE)
                if isinstance(error, Away):
                    self._away.add(number)
                _tell(error, pause)
            metrics.SMTP_AWAY.set(len(self._away) > 0)
            if not more:
                await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def turn(self) -> bool:
        """Have each loop carry out what is due once, up to its share; say whether there may be more. Raises `Away`."""
        attending = (self._attend() for _ in range(self._pace.side_by_side))
        # Each to its end, whatever becomes of the others: none is cut off between a mail and its record.
        results = await asyncio.gather(*attending, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return any(results)

    async def _attend(self) -> bool:
        async with self._couriers() as courier:
            for _ in range(max(1, self._pace.mails_per_turn // self._pace.side_by_side)):
                stepped = await self._steps.one(courier)
                told = await self._gathering.one(courier)
                if not (stepped or told):
                    return False
        return True


def _tell(error: Exception, pause: float) -> None:
    if isinstance(error, Away):
        log.warning("smtp server away", fault=str(error), next_attempt_s=pause)
    elif passes(error):
        log.warning("a server is away", fault=type(error).__name__, next_attempt_s=pause)
    else:
        log.error("sending", where=where(error), next_attempt_s=pause)
