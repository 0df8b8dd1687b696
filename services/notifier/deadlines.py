"""Which mails the dates of a case call for, and when. Pure: the clock is handed in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from contracts.dates import Dates, Deadline, DeadlineKind

Kind = DeadlineKind
Stage = Literal["reminder", "overdue"]

_FIRST_PAUSE: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Step:
    """One mail to one authority, however many addresses it has. `at` is when it is to go out."""

    kind: Kind
    stage: Stage
    authority: str
    due: datetime
    at: datetime

    @property
    def key(self) -> str:
        """What it is, whenever it was planned: the same deadline's step has the same key in every plan of the case."""
        return f"{self.kind}/{self.stage}/{self.authority}/{self.due.isoformat()}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All mails that a version of a case calls for; none when every deadline is met or void."""

    case: str
    version: int
    steps: tuple[Step, ...]


def plan_of(dates: Dates, now: datetime, remind_before: timedelta) -> Plan:
    """Return the plan for these dates: for each deadline a reminder before it, and a mail when it has passed."""
    steps = {step.key: step for deadline in dates.deadlines for step in _steps(deadline, now, remind_before)}
    return Plan(dates.case, dates.version, tuple(steps.values()))


def _steps(deadline: Deadline, now: datetime, remind_before: timedelta) -> Iterator[Step]:
    due = in_milliseconds(deadline.due)
    if due > now:
        yield Step(deadline.kind, "reminder", deadline.authority, due, max(due - remind_before, now))
    yield Step(deadline.kind, "overdue", deadline.authority, due, due)


def is_pointless(step: Step, now: datetime) -> bool:
    """Say whether what has become due in the meantime says more than this step would."""
    return step.stage == "reminder" and now >= step.due


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
