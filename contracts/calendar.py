"""Which days are working days, and on which day a period ends: Regulation (EEC, Euratom) 1182/71. Pure: no clock.

The lists of public holidays are data, each with its source: whoever makes a `Calendar` hands them in.
"""

import calendar
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from contracts.translation import Period

_A_DAY: Final = timedelta(days=1)
_WEEKEND: Final = {5: "Saturday", 6: "Sunday"}
_LEAST_WORKING_DAYS: Final = 2
_FEWEST_A_YEAR: Final = 150
MOST_HOLIDAYS_A_YEAR: Final = 100
"""A list that has more is no list of public holidays: so every year keeps at least 150 working days."""


@dataclass(frozen=True, slots=True)
class YearList:
    """The public holidays of one place in one year, with their names, and who says so."""

    days: Mapping[date, str]
    source: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a period ends on its day: the rules applied, the days that were passed over, whose lists were read."""

    rules: tuple[str, ...]
    passed_over: tuple[tuple[date, str], ...]
    sources: tuple[str, ...]

    def __str__(self) -> str:
        """One line, for people."""
        days = ", ".join(f"{day.isoformat()} {name}" for day, name in self.passed_over)
        return f"{'; '.join(self.rules)}: {days or 'a working day'} [{'; '.join(self.sources)}]"


class LastDay(NamedTuple):
    """The last day of a period, and why it is that one."""

    day: date
    reason: Reason


@dataclass(frozen=True, slots=True)
class Calendar:
    """Lists of public holidays by place and year. A place is a state, or a region of it by its NUTS code.

    A region's list is whole: it has the state's days too. The nearest list counts: for DE21C that of DE21C, else
    DE21, DE2, DE.
    """

    lists: Mapping[tuple[str, int], YearList] = field(default_factory=dict)

    def list_of(self, state: str, region: str | None, year: int) -> YearList:
        """Return the list that counts there. Raises `LookupError` if there is none: a date is never guessed."""
        for place in places_of(state, region):
            if found := self.lists.get((place, year)):
                return found
        raise LookupError(f"no list of public holidays for {state} in {year}")

    def free_day(self, day: date, state: str, region: str | None = None) -> str | None:
        """Return what makes a day no working day: Saturday, Sunday, or a holiday's name (Art. 2)."""
        return _WEEKEND.get(day.weekday()) or self.list_of(state, region, day.year).days.get(day)

    def last_day(self, begin: date, period: Period, state: str, region: str | None = None) -> LastDay:
        """Return on which day a period ends that an event on the day `begin` started, and why.

        The day of the event is not counted (Art. 3(1)). A period that is not in working days and ends on a day that
        is none ends on the following working day (Art. 3(4)); one of two days or more has two working days at least
        (Art. 3(5)).
        """
        if period.working_days is not None:
            return self._in_working_days(begin, period.working_days, state, region)
        nominal, rule = _nominal(begin, period)
        day = self._nth_working_day(nominal - _A_DAY, 1, state, region)
        rules, first = [rule], nominal
        if day != nominal:
            rules.append("Art. 3(4)")
        if period.days != 1:
            second = self._nth_working_day(begin, _LEAST_WORKING_DAYS, state, region)
            if second > day:
                rules.append("Art. 3(5)")
                day, first = second, begin + _A_DAY
        passed = tuple(self._free_days(first, day, state, region))
        return LastDay(day, Reason(tuple(rules), passed, self._sources(begin, day, state, region)))

    def _in_working_days(self, begin: date, count: int, state: str, region: str | None) -> LastDay:
        day = self._nth_working_day(begin, count, state, region)
        passed = tuple(self._free_days(begin + _A_DAY, day, state, region))
        named = tuple((free, name) for free, name in passed if name not in _WEEKEND.values())
        rule = "working days, Art. 3(3)"
        return LastDay(day, Reason((rule,), named, self._sources(begin, day, state, region)))

    def _nth_working_day(self, after: date, count: int, state: str, region: str | None) -> date:
        day = after
        while count:
            day += _A_DAY
            count -= self.free_day(day, state, region) is None
        return day

    def _free_days(self, first: date, before: date, state: str, region: str | None) -> Iterator[tuple[date, str]]:
        while first < before:
            if name := self.free_day(first, state, region):
                yield first, name
            first += _A_DAY

    def _sources(self, begin: date, end: date, state: str, region: str | None) -> tuple[str, ...]:
        years = range((begin + _A_DAY).year, end.year + 1)
        return tuple(dict.fromkeys(self.list_of(state, region, year).source for year in years))


def places_of(state: str, region: str | None) -> tuple[str, ...]:
    """Return the places whose list may count for an authority, the nearest first. Another state's region is none."""
    inside = region if region and region.startswith(state) else state
    return tuple(inside[:length] for length in range(len(inside), len(state) - 1, -1))


def years_of(begin: date, period: Period) -> range:
    """Return the years of which a calendar must have lists for the period's last day to be found."""
    months = (period.months or 0) + (period.days or 0) // 28
    years = months // 12 + (period.working_days or 0) // _FEWEST_A_YEAR
    # A period that starts or ends at the turn of a year may reach into the next.
    return range(begin.year, begin.year + years + 3)


def years_around(at: datetime, periods: Iterable[Period]) -> set[int]:
    """Return the years whose lists may count for a period that starts at a moment, whatever day it is there."""
    days = (at.date() - _A_DAY, at.date() + _A_DAY)
    return {year for period in periods for day in days for year in years_of(day, period)}


def _nominal(begin: date, period: Period) -> tuple[date, str]:
    if period.days is not None:
        return begin + timedelta(days=period.days), "Art. 3(2)(b)"
    return months_later(begin, period.months or 0), "Art. 3(2)(c)"


def months_later(begin: date, months: int) -> date:
    """Return the day of the same number, else the month's last (Art. 3(2)(c))."""
    years, month = divmod(begin.month - 1 + months, 12)
    year = begin.year + years
    return date(year, month + 1, min(begin.day, calendar.monthrange(year, month + 1)[1]))
