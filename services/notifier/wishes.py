"""When something goes out: at once, or with the summary of the day. Pure: clock and calendar are handed in."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from contracts.calendar import Calendar
from contracts.clocks import zone_of
from contracts.notifier import Preferences, Wish
from services.notifier.letters import Due
from services.notifier.notices import Told

LATEST: Final = timedelta(days=30)
"""No state has so many days in a row that are no working days."""
_A_DAY: Final = timedelta(days=1)


def goes_at_once(one: Told | Due, area: str | None, preferences: Preferences) -> bool:
    """Say whether something goes at once: it is urgent, or its reader wishes so."""
    kind: str = one.step.stage if isinstance(one, Due) else one.kind
    urgent = one.step.urgent if isinstance(one, Due) else one.case is None
    wish: Wish = preferences.areas.get(area or "", preferences.general)
    return urgent or not wish.gathered or kind in wish.at_once


def next_summary(now: datetime, hour: int, state: str, region: str | None, calendar: Calendar) -> datetime:
    """Return when the next summary goes out, after `now`: at the reader's hour, on a working day where it is.

    Raises `LookupError` without the lists of public holidays of its place.
    """
    zone = zone_of(state, region)
    for day in _days_from(now.astimezone(zone).date()):
        at = datetime.combine(day, time(hour), zone).astimezone(UTC)
        if at > now and calendar.free_day(day, state, region) is None:
            return at
    raise LookupError(f"no working day in {state} within {LATEST.days} days")


def _days_from(first: date) -> Iterator[date]:
    for number in range(LATEST.days):
        yield first + number * _A_DAY
