"""Dates in, plans out."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Protocol

from contracts.dates import AllDates, Dates
from contracts.directory import AuthorityState, Replayed
from contracts.types import read
from services.chassis import tracing
from services.chassis.delivery import Delivery, Handled
from services.notifier import metrics
from services.notifier.deadlines import Plan, in_milliseconds, plan_of
from services.notifier.notices import Told, registration_told, told_by
from services.notifier.store import Store


class Plans(Protocol):
    """Where plans are kept: the store, as far as this handler needs it."""

    async def plan(self, plans: Sequence[Plan]) -> None:
        """Replace the plans of cases, one plan for each. What is not newer than what is there changes nothing."""

    async def notice(self, notices: Sequence[Told], send_at: datetime) -> None:
        """Keep what is to be told. What was kept before, told or not, stays as it is."""


def _now() -> datetime:
    return datetime.now(UTC)


class Planner:
    """The handler of the queue of dates."""

    def __init__(self, plans: Plans, gather_for: timedelta, clock: Callable[[], datetime] = _now) -> None:
        """Wait so long for more to tell the same authority."""
        self._plans = plans
        self._gather_for = gather_for
        self._clock = clock

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Handled]:
        """Plan for a group: for each case by the newest of its dates; what has happened is told whatever followed."""
        now, newest, told = in_milliseconds(self._clock()), dict[str, Dates](), list[Told]()
        for dates in chain.from_iterable(map(_dates, deliveries)):
            hop = tracing.begin("plan", dates.traceparent, {"imi.case": dates.case})
            told += told_by(dates, hop.traceparent)
            if dates.case not in newest or _order(newest[dates.case]) < _order(dates):
                newest[dates.case] = dates
            hop.end()
        plans = [plan_of(dates, now) for dates in newest.values()]
        await self._plans.plan(plans)
        if told:
            await self._plans.notice(told, now + self._gather_for)
        planned = Counter[tuple[str, str]]((step.kind, step.stage) for plan in plans for step in plan.steps)
        planned += Counter((one.kind, "notice") for one in told)
        for (kind, stage), number in planned.items():
            metrics.PLANNED.labels(kind, stage).inc(number)
        return [Handled() for _ in deliveries]


class Registrations:
    """The handler of what the registry tells of authorities."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = _now) -> None:
        """Keep copies, and what is to be told, in `store`."""
        self._store = store
        self._clock = clock

    async def changed(self, event: AuthorityState) -> None:
        """Take over how an authority is written to; then have it told what has become of its registration."""
        await self._store.readers.authority_changed(event)
        await self._tell([event])

    async def replayed(self, event: Replayed) -> None:
        """As many at once; those that joined together, or that a copy lacked."""
        await self._store.readers.replayed(event)
        await self._tell(event.authorities)

    async def _tell(self, states: Sequence[AuthorityState]) -> None:
        now = in_milliseconds(self._clock())
        found = [one for state in states if (one := registration_told(state, now))]
        told = [replace(one, traceparent=tracing.current.get()) for one in found]
        await self._store.notice(told, now)
        for one in told:
            metrics.PLANNED.labels(one.kind, "notice").inc()


def _order(dates: Dates) -> tuple[int, int]:
    return dates.epoch, dates.version


def _dates(delivery: Delivery) -> tuple[Dates, ...]:
    kind, body = delivery.message.header.properties.message_type, delivery.message.body
    if kind == AllDates.TYPE:
        return read(AllDates, body).dates
    if kind != Dates.TYPE:
        raise ValueError(f"not {Dates.TYPE}")
    return (read(Dates, body),)
