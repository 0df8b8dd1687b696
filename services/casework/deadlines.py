"""By when. Pure: the clock and the calendar are handed in."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from contracts.dates import Deadline
from contracts.languages import ZONES
from contracts.translation import AreaRules, Period
from services.casework.calendar import Calendar, places_of
from services.casework.case import Case, Side

A_DAY: Final = timedelta(days=1)
_LAST_MOMENT: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_REGION_ZONES: Final = {
    "ES7": "Atlantic/Canary",
    "FRY1": "America/Guadeloupe",
    "FRY2": "America/Martinique",
    "FRY3": "America/Cayenne",
    "FRY4": "Indian/Reunion",
    "FRY5": "Indian/Mayotte",
    "PT2": "Atlantic/Azores",
    "PT3": "Atlantic/Madeira",
}
"""Regions whose clocks differ from their capital's (NUTS 2021; IANA time zone database, zone1970.tab and backward)."""


def acceptance_due(
    rules: AreaRules, recipient: Side, sent_at: datetime, day: timedelta, calendar: Calendar
) -> datetime:
    """Return by when a request sent at `sent_at` is to be accepted: at the end of the period's last day, over there.

    `day` is how long a day is. Where a demonstration makes it shorter, no calendar counts: so many of them later.
    """
    period = rules.deadlines.acceptance
    if day != A_DAY:
        return sent_at + day * _length(period)
    begin = day_at(sent_at, recipient.country, recipient.region)
    last, _ = calendar.last_day(begin, period, recipient.country, recipient.region)
    return end_of_day(last, recipient.country, recipient.region)


def _length(period: Period) -> int:
    return period.days or period.working_days or 30 * (period.months or 0)


def zone_of(state: str, region: str | None = None) -> ZoneInfo:
    """Return the time zone of an authority: its region's, where that has its own, else its state's capital's."""
    zones = (_REGION_ZONES[place] for place in places_of(state, region) if place in _REGION_ZONES)
    return ZoneInfo(next(zones, ZONES[state]))


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


def deadlines_of(case: Case) -> tuple[Deadline, ...]:
    """Return what is still to be done, by whom, until when. What has been done is no longer among them."""
    recipient = case.recipient.authority
    if case.state == "awaiting-acceptance":
        return (Deadline(kind="acceptance", authority=recipient, due=case.acceptance_due),)
    if case.state == "accepted" and case.answer_due:
        return (Deadline(kind="answer", authority=recipient, due=case.answer_due),)
    return ()
