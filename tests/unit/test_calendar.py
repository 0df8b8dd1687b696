"""Regulation 1182/71, whatever the holidays; and where the holidays come from."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.calendar import Calendar, YearList, places_of, years_of
from contracts.languages import STATES
from contracts.translation import Period
from services.chassis.public_holidays import SUBDIVISIONS, OfficialList, PublicHolidays

DAY = timedelta(days=1)
FIRST, LAST = date(2024, 1, 1), date(2030, 12, 31)
LIBRARY = PublicHolidays()

periods = st.one_of(
    st.builds(Period, days=st.integers(1, 400)),
    st.builds(Period, working_days=st.integers(1, 250)),
    st.builds(Period, months=st.integers(1, 14)),
)
begins = st.dates(FIRST, LAST)
places = st.sampled_from([*((state, None) for state in STATES), *((place[:2], place) for place in SUBDIVISIONS)])
sets_of_holidays = st.frozensets(st.dates(FIRST, FIRST + 60 * DAY), max_size=40)


def made_up(days: frozenset[date]) -> Calendar:
    """A calendar of Germany with these holidays and no others."""
    years = range(FIRST.year, LAST.year + 4)
    return Calendar(
        {("DE", year): YearList({day: "x" for day in days if day.year == year}, "made up") for year in years}
    )


def working_days(calendar: Calendar, begin: date, last: date, place: tuple[str, str | None]) -> int:
    """How many working days there are after `begin`, up to and with `last`."""
    days = (begin + n * DAY for n in range(1, (last - begin).days + 1))
    return sum(calendar.free_day(day, *place) is None for day in days)


@given(begins, periods, places)
def test_a_period_ends_on_a_working_day_not_before_its_time_and_says_by_whose_lists(
    begin: date, period: Period, place: tuple[str, str | None]
) -> None:
    """The years said to be needed suffice, in every state and region."""
    calendar = LIBRARY.calendar([place], years_of(begin, period))
    day, reason = calendar.last_day(begin, period, *place)
    assert calendar.free_day(day, *place) is None
    assert day - begin >= timedelta(days=period.days or period.working_days or 28 * (period.months or 0))
    assert all(source.startswith("holidays ") and f": {'GR' if place[0] == 'EL' else place[0]}" in source
               for source in reason.sources)  # fmt: skip
    assert reason.sources
    assert str(reason)


@given(begins, st.one_of(periods, st.just(Period(days=1))), places)
def test_two_days_or_more_hold_two_working_days_and_working_days_are_exactly_so_many(
    begin: date, period: Period, place: tuple[str, str | None]
) -> None:
    """Art. 3(5) and 3(3)."""
    calendar = LIBRARY.calendar([place], years_of(begin, period))
    day, _ = calendar.last_day(begin, period, *place)
    held = working_days(calendar, begin, day, place)
    if period.working_days:
        assert held == period.working_days
    else:
        assert held >= (1 if period.days == 1 else 2)


@given(begins, periods, places)
def test_no_period_ends_later_than_the_rules_make_it(
    begin: date, period: Period, place: tuple[str, str | None]
) -> None:
    """Where the end was moved there is no working day that would have done: the day before is too early."""
    calendar = LIBRARY.calendar([place], years_of(begin, period))
    day, reason = calendar.last_day(begin, period, *place)
    if not {"Art. 3(4)", "Art. 3(5)"} & set(reason.rules):
        return
    passed = [free for free, _ in reason.passed_over]
    assert passed, "what moved it is named"
    if "Art. 3(5)" in reason.rules:
        assert working_days(calendar, begin, day, place) == 2
    else:
        assert passed[-1] == day - DAY
        assert passed == [passed[0] + n * DAY for n in range(len(passed))], "free days without a gap"


@given(begins, st.integers(1, 300), st.tuples(st.integers(0, 10), st.integers(0, 10)), places, st.booleans())
def test_who_begins_later_or_has_longer_never_ends_earlier(
    begin: date, count: int, more: tuple[int, int], place: tuple[str, str | None], working: bool
) -> None:
    """For days as for working days."""
    unit, (later, longer) = "working_days" if working else "days", more
    short, long = (Period.model_validate({unit: n}) for n in (count, count + longer))
    calendar = LIBRARY.calendar([place], range(begin.year, begin.year + 8))
    ends = calendar.last_day(begin, short, *place).day
    assert calendar.last_day(begin, long, *place).day >= ends
    assert calendar.last_day(begin + later * DAY, short, *place).day >= ends


@given(st.dates(FIRST, FIRST + 40 * DAY), periods, sets_of_holidays, st.dates(FIRST, FIRST + 60 * DAY))
def test_one_more_holiday_never_makes_a_period_shorter(
    begin: date, period: Period, holidays: frozenset[date], another: date
) -> None:
    """Whatever the holidays, also ten in a row."""
    less, more = made_up(holidays), made_up(holidays | {another})
    assert more.last_day(begin, period, "DE").day >= less.last_day(begin, period, "DE").day


MONTHS = [
    (date(2026, 1, 31), 1, date(2026, 2, 28), "no 31 February: the month's last"),
    (date(2024, 1, 31), 1, date(2024, 2, 29), "a leap year's"),
    (date(2026, 1, 30), 1, date(2026, 2, 28), "no 30 February"),
    (date(2026, 2, 28), 1, date(2026, 3, 28), "the same number, not again the month's last"),
    (date(2026, 11, 30), 3, date(2027, 2, 28), "over the turn of the year"),
    (date(2026, 12, 15), 12, date(2027, 12, 15), "a year"),
]


@pytest.mark.parametrize(("begin", "months", "nominal", "why"), MONTHS, ids=[m[3] for m in MONTHS])
def test_months_end_on_the_same_number_else_on_the_months_last(
    begin: date, months: int, nominal: date, why: str
) -> None:
    """Art. 3(2)(c); where that is a weekend, on the Monday (Art. 3(4))."""
    found = made_up(frozenset()).last_day(begin, Period(months=months), "DE").day
    assert found == nominal + {5: 2 * DAY, 6: DAY}.get(nominal.weekday(), 0 * DAY)


def test_a_date_is_never_guessed() -> None:
    """Without a list for the year and state there is no date at all."""
    with pytest.raises(LookupError, match="no list of public holidays for HU in 2026"):
        Calendar().last_day(date(2026, 3, 20), Period(days=14), "HU")


def test_the_nearest_list_counts_and_another_states_region_is_none() -> None:
    """A region's own, else that of what it lies in, else the state's."""
    assert places_of("DE", "DE271") == ("DE271", "DE27", "DE2", "DE")
    assert places_of("DE", "FRF1") == places_of("DE", None) == ("DE",)
    calendar = LIBRARY.calendar([("DE", "DE271"), ("DE", "DE212"), ("DE", "DE300")], [2025])
    feast, epiphany = date(2025, 8, 8), date(2025, 1, 6)
    assert calendar.free_day(feast, "DE", "DE271") == "Augsburger Hohes Friedensfest"
    assert calendar.free_day(feast, "DE", "DE212") is None
    assert calendar.free_day(epiphany, "DE", "DE212") == "Heilige Drei Könige"
    assert calendar.free_day(epiphany, "DE", "DE300") is None


def test_liechtensteins_bank_holidays_are_holidays() -> None:
    """Berchtold's Day and Christmas Eve (`holidays`, categories public and bank)."""
    calendar = LIBRARY.calendar([("LI", None)], [2026])
    assert calendar.free_day(date(2026, 1, 2), "LI") == "Berchtoldstag"
    assert calendar.free_day(date(2026, 12, 24), "LI") == "Heiligabend"


@pytest.mark.parametrize("state", STATES)
def test_every_states_list_names_its_source_and_has_its_holidays_in_every_year(state: str) -> None:
    """At least seven of them, New Year's Day among them, in the state's own language wherever the machine is."""
    calendar = LIBRARY.calendar([(state, None)], range(2025, 2045))
    for year in range(2025, 2045):
        found = calendar.list_of(state, None, year)
        assert calendar.free_day(date(year, 1, 1), state)
        assert len(found.days) >= 7
        assert found.source.startswith("holidays ")
    expected = {"IE": "New Year's Day", "DE": "Neujahr", "EL": "Πρωτοχρονιά", "FR": "Jour de l'an"}.get(state)
    assert expected in (None, calendar.list_of(state, None, 2026).days[date(2026, 1, 1)])


@pytest.mark.parametrize("place", SUBDIVISIONS)
def test_every_region_has_its_states_holidays_but_those_it_chose_others_for(place: str) -> None:
    """In Spain communities may replace some; elsewhere a region only adds."""
    calendar = LIBRARY.calendar([(place[:2], place)], [2026])
    of_state = calendar.list_of(place[:2], None, 2026).days.keys()
    own = calendar.list_of(place[:2], place, 2026)
    missing = of_state - own.days.keys()
    assert len(missing) <= (1 if place.startswith("ES") else 0)
    assert own.source.endswith(f"-{SUBDIVISIONS[place]}")


GOOD_FRIDAY = date(2026, 4, 3)
OFFICIAL = {"NL": {"source": "the state's own list", "days": {"2026-01-01": "Nieuwjaarsdag", "2026-04-06": "Pasen"}}}


def overridden(folder: Path, content: object) -> PublicHolidays:
    """The library's lists behind these official ones."""
    file = folder / "calendar.json"
    file.write_text(json.dumps(content))
    return PublicHolidays.load(file)


def test_an_official_list_replaces_the_librarys_for_its_years_and_is_named(tmp_path: Path) -> None:
    """In the Netherlands Good Friday is then a working day in 2026; in 2027 the library still counts."""
    calendar = overridden(tmp_path, OFFICIAL).calendar([("NL", "NL32")], [2026, 2027])
    day, reason = calendar.last_day(date(2026, 3, 20), Period(days=14), "NL", "NL32")
    assert (day, reason.sources) == (GOOD_FRIDAY, ("the state's own list",))
    assert calendar.free_day(date(2027, 3, 26), "NL") == "Goede vrijdag"
    over_the_turn = calendar.last_day(date(2026, 12, 20), Period(days=14), "NL").reason
    assert over_the_turn.sources[0] == "the state's own list"
    assert over_the_turn.sources[1].startswith("holidays ")


def test_a_states_official_list_counts_in_its_regions_and_a_regions_before_it(tmp_path: Path) -> None:
    """The library's regional list does not bring back what the official one leaves out."""
    of_state = {"source": "state", "days": {"2026-01-01": "Neujahr"}}
    of_region = {"source": "region", "days": {"2026-07-01": "Fest"}}
    holidays = overridden(tmp_path, {"DE": of_state, "DE212": of_region})
    calendar = holidays.calendar([("DE", "DE212"), ("DE", "DE271"), ("DE", None)], [2026, 2027])
    assert calendar.list_of("DE", "DE271", 2026).source == "state"
    assert calendar.list_of("DE", "DE212", 2026).source == "region"
    assert calendar.list_of("DE", "DE271", 2027).source.endswith("DE-Augsburg")


@given(st.sampled_from(STATES), st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), min_size=1, max_size=60))
def test_whatever_an_official_list_says_it_wins(state: str, days: set[date]) -> None:
    """Days that it names are free, weekdays that it does not name are not."""
    official = {state: OfficialList(source="official", days=dict.fromkeys(days, "free"))}
    calendar = PublicHolidays(official).calendar([(state, None)], [2026])
    for number in range(365):
        day = date(2026, 1, 1) + number * DAY
        assert (calendar.free_day(day, state) is not None) == (day in days or day.weekday() >= 5)


WRONG = {
    "an unknown state": {"XX": OFFICIAL["NL"]},
    "Greece by its other code": {"GR": OFFICIAL["NL"]},
    "no source": {"NL": {"days": {"2026-01-01": "x"}}},
    "an empty source": {"NL": {"source": " ", "days": {"2026-01-01": "x"}}},
    "no days": {"NL": {"source": "x", "days": {}}},
    "no date": {"NL": {"source": "x", "days": {"1 January": "x"}}},
    "too many days": {"NL": {"source": "x", "days": {str(date(2026, 1, 1) + n * DAY): "x" for n in range(101)}}},
    "a typing error": {"NL": {"source": "x", "day": {}, "days": {"2026-01-01": "x"}}},
    "no mapping": ["NL"],
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_a_file_that_cannot_be_relied_upon_is_refused(tmp_path: Path, content: object) -> None:
    """When casework starts, and not when a date is wrong."""
    with pytest.raises(ValidationError):
        overridden(tmp_path, content)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A deployment that names one wants it."""
    with pytest.raises(FileNotFoundError):
        PublicHolidays.load(tmp_path / "none.json")
