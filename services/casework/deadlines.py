"""By when. Pure: the clock is handed in."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.casework import Deadline
from contracts.languages import ZONES
from contracts.translation import AreaRules
from services.casework.case import Case

_SATURDAY = 5


def acceptance_due(rules: AreaRules, sent_at: datetime, day: timedelta) -> datetime:
    """Return by when a request sent at `sent_at` is to be accepted. `day` is how long a day is.

    Working days skip Saturdays and Sundays (Regulation 1182/71, Art. 2(2)); public holidays are not skipped yet.
    """
    period = rules.deadlines.acceptance
    days = period.days if period.days is not None else _calendar_days(sent_at.date(), period.working_days or 0)
    return sent_at + day * days


def _calendar_days(begin: date, working_days: int) -> int:
    """Return after how many days so many working days are over; the first day does not count (Art. 3(1))."""
    count = 0
    while working_days:
        count += 1
        working_days -= (begin + timedelta(days=count)).weekday() < _SATURDAY
    return count


def end_of_day(day: date, state: str) -> datetime:
    """Return the last second of a calendar day in the answering state's time zone (Regulation 1182/71, Art. 3)."""
    return datetime.combine(day, time(23, 59, 59), ZoneInfo(ZONES[state])).astimezone(UTC)


def deadlines_of(case: Case) -> tuple[Deadline, ...]:
    """Return what is still to be done, by whom, until when. What has been done is no longer among them."""
    recipient = case.recipient.authority
    if case.state == "awaiting-acceptance":
        return (Deadline(kind="acceptance", authority=recipient, due=case.acceptance_due),)
    if case.state == "accepted" and case.answer_due:
        return (Deadline(kind="answer", authority=recipient, due=case.answer_due),)
    return ()
