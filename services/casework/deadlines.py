"""By when. Pure: the clock and the calendar are handed in."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from contracts.calendar import Calendar, months_later
from contracts.clocks import zone_of
from contracts.dates import Deadline
from contracts.own import Passing
from contracts.translation import Period
from services.casework.case import Case, Side

A_DAY: Final = timedelta(days=1)
_LAST_MOMENT: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def acceptance_due(period: Period, recipient: Side, sent_at: datetime, day: timedelta, calendar: Calendar) -> datetime:
    """Return by when a request sent at `sent_at` is to be accepted: at the end of the period's last day, over there.

    `day` is how long a day is. Where a demonstration makes it shorter, no calendar counts: so many of them later.
    """
    if day != A_DAY:
        return sent_at + day * _length(period)
    begin = day_at(sent_at, recipient.country, recipient.region)
    last, _ = calendar.last_day(begin, period, recipient.country, recipient.region)
    return end_of_day(last, recipient.country, recipient.region)


def plainly_later(moment: datetime, period: Period, day: timedelta) -> datetime:
    """Return the moment so much later, whatever day it is: nobody has to act by then (standstill, retention)."""
    if day != A_DAY or not period.months:
        return moment + day * _length(period)
    last = months_later(moment.date(), period.months)
    return moment.replace(year=last.year, month=last.month, day=last.day)


def _length(period: Period) -> int:
    return period.days or period.working_days or 30 * (period.months or 0)


def day_at(moment: datetime, state: str, region: str | None = None) -> date:
    """Return the calendar day that an authority has at a moment."""
    return moment.astimezone(zone_of(state, region)).date()


def end_of_day(day: date, state: str, region: str | None = None) -> datetime:
    """Return the last second of a calendar day in the answering authority's time zone (Regulation 1182/71, Art. 3).

    A date on which the parties agreed is no period's end: it stays even where it is no working day (Art. 3(4) moves
    the end of periods alone).
    """
    try:
        return datetime.combine(day, time(23, 59, 59), zone_of(state, region)).astimezone(UTC)
    except OverflowError:  # the last day of all, west of Greenwich
        return _LAST_MOMENT


def pending(case: Case) -> dict[Passing, datetime]:
    """Return the dates at which the exchange itself will act on the case, by kind."""
    dates: dict[Passing, datetime | None] = {}
    if case.state == "awaiting-acceptance":
        dates["acceptance"] = case.acceptance_due
    if case.state == "accepted":
        dates["answer"] = case.answer_due
    if case.state == "clarification-requested":
        dates["clarification"] = case.clarification_due
    if case.open:
        dates["idle"] = case.idle_at
    elif not case.erased:
        dates["delete" if case.blocked else "block"] = case.delete_at if case.blocked else case.block_at
    return {kind: due for kind, due in dates.items() if due and kind not in case.overdue}


def next_of(case: Case) -> tuple[Passing, datetime] | None:
    """Return the first of them, and when."""
    return min(pending(case).items(), key=lambda one: one[1], default=None)


def deadlines_of(case: Case, remind: tuple[int, ...] = (2,)) -> tuple[Deadline, ...]:
    """Return what is still to be done, by whom, until when. What has been done is no longer among them.

    `remind` is how many days before an answer is due its authority is reminded.
    """
    recipient = case.recipient.authority if case.recipient else ""
    open_ones = (
        ("awaiting-acceptance", "acceptance", case.acceptance_due, (2,)),
        ("accepted", "answer", case.answer_due, remind),
        ("clarification-requested", "clarification", case.clarification_due, (2,)),
    )
    return tuple(
        Deadline(kind=kind, authority=recipient, due=due, remind=days, coordinators=case.behind)
        for state, kind, due, days in open_ones
        if case.state == state and due
    )
