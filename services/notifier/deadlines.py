"""Which mails the dates of a case call for, and when. Pure: the clock is handed in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Self, cast

from contracts.dates import Dates, Deadline, DeadlineKind

Kind = DeadlineKind
Stage = Literal["reminder", "overdue", "escalated"]

WEEK: Final = timedelta(days=7)
WEEKS: Final = 8
"""For so many weeks an authority, and who coordinates it, is told of what is overdue."""
LATE: Final = timedelta(minutes=5)
"""What goes out later than that is late: it is told with whatever else is, and raises an alert."""
ANY_STATE: Final = "*"
_FIRST_PAUSE: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Step:
    """One mail to one authority, however many addresses it has. `at` is when it is to go out.

    `number` tells apart the mails of one stage: days before a deadline, weeks after it. What is not `urgent` may wait
    for the summary of the day.
    """

    kind: Kind
    stage: Stage
    authority: str
    due: datetime
    at: datetime
    number: int = 0
    urgent: bool = True

    @property
    def key(self) -> str:
        """What it is, whenever it was planned: the same deadline's step has the same key in every plan of the case."""
        return f"{self.kind}/{self.stage}/{self.authority}/{self.due.isoformat()}/{self.number}"

    @classmethod
    def at_key(cls, key: str) -> Self:
        """Return the step that has this key, as far as the key tells of it."""
        kind, stage, authority, due, number = key.split("/")
        moment = datetime.fromisoformat(due)
        return cls(cast("Kind", kind), cast("Stage", stage), authority, moment, moment, int(number))


@dataclass(frozen=True, slots=True)
class Plan:
    """All mails that a version of a case calls for; none when every deadline is met or void.

    `awaited` is what is awaited of whom, overdue or not: `acceptance/HU-…`; by when, and who is told so:
    `acceptance@2026-…/HU-…`; and in which state the case is: `in/referred`.
    """

    case: str
    version: int
    steps: tuple[Step, ...]
    awaited: tuple[str, ...] = ()
    area: str = ""
    epoch: int = 1
    """Counts before the version."""


def plan_of(dates: Dates, now: datetime) -> Plan:
    """Return the plan for these dates: for each deadline reminders before it, and mails when it has passed.

    Once it has, the authority is told at once and then weekly, and from the first week on who coordinates it, too.
    """
    found = (step for deadline in dates.deadlines for step in _steps(deadline, now))
    # By what their keys are made of: to write the keys themselves would take longer than all the rest.
    steps = {(step.kind, step.stage, step.authority, step.due, step.number): step for step in found}
    return Plan(dates.case, dates.version, tuple(steps.values()), tuple(_awaited(dates)), dates.area, dates.epoch)


def _awaited(dates: Dates) -> dict[str, None]:
    """In their order, each once."""
    whom = [f"{deadline.kind}/{deadline.authority}" for deadline in dates.deadlines]
    when = [
        until(deadline.kind, in_milliseconds(deadline.due), reader)
        for deadline in dates.deadlines
        for reader in (deadline.authority, *deadline.coordinators)
    ]
    return dict.fromkeys((*whom, *when, f"in/{dates.state or ANY_STATE}"))


def until(kind: Kind, due: datetime, reader: str) -> str:
    """Return how it is noted that something is awaited until then, and that this reader is told of it."""
    return f"{kind}@{due.isoformat()}/{reader}"


def _steps(deadline: Deadline, now: datetime) -> Iterator[Step]:
    due = in_milliseconds(deadline.due)
    if due > now:
        yield from _reminders(deadline, due, now)
    for week in range(WEEKS + 1):
        at = due + week * WEEK
        yield Step(deadline.kind, "overdue", deadline.authority, due, at, week)
        for coordinator in deadline.coordinators if week else ():
            yield Step(deadline.kind, "escalated", coordinator, due, at, week)


def _reminders(deadline: Deadline, due: datetime, now: datetime) -> Iterator[Step]:
    """Those that are still to come; where all would have been in the past, the last of them at once."""
    days = sorted(set(deadline.remind), reverse=True)
    ahead = [number for number in days if due - timedelta(days=number) >= now] or days[-1:]
    for number in ahead:
        at = max(due - timedelta(days=number), now)
        yield Step(deadline.kind, "reminder", deadline.authority, due, at, number, urgent=number == days[-1])


def is_pointless(step: Step, now: datetime) -> bool:
    """Say whether what has become due in the meantime says more than this step would."""
    if step.stage == "reminder":
        return now >= step.due
    return step.number < WEEKS and now >= step.at + WEEK


def next_try(now: datetime, tries: int) -> datetime:
    """Return when to try again after `tries` failed ones: each time twice as long, up to half an hour.

    RFC 5321, 4.5.4.1, wants that half-hour between tries for the most part, and sooner ones at the beginning.
    """
    doublings = min(tries, 10)  # beyond that it is the longest anyway, and a timedelta would overflow some day
    pause: timedelta = _FIRST_PAUSE * 2**doublings
    return now + min(pause, _LONGEST_PAUSE)


def in_milliseconds(moment: datetime) -> datetime:
    """Return the moment as MongoDB keeps it: UTC, in whole milliseconds."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
