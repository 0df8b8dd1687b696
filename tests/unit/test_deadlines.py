"""By when: worked examples for all states, each with its reason, and the ends of days on the clocks of each place."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from contracts.calendar import Calendar, years_around
from contracts.languages import STATES
from contracts.refusal import Refusal
from contracts.translation import Deadlines, Period
from services.casework.case import Side
from services.casework.deadlines import A_DAY, acceptance_due, end_of_day
from services.casework.history import case_from
from services.casework.knowledge import Area
from services.chassis.public_holidays import PublicHolidays
from tests.unit.samples import (
    AREA,
    CASE,
    KNOWN,
    NOW,
    RECIPIENT,
    SENDER,
    accept,
    authority,
    proceed,
    request,
    rules,
    send,
)
from tools import worked_dates

HOLIDAYS = PublicHolidays()
GOOD_FRIDAY = "Good Friday 3 April and Easter Monday 6 April are holidays"
NO_MONDAY = "Good Friday 3 April is a holiday, Easter Monday is none"
NO_FRIDAY = "Good Friday 3 April is no holiday"
ORTHODOX = "orthodox Easter: Good Friday is on 10 April"

EASTER = {
    **dict.fromkeys(("CZ", "DE", "DK", "FI", "HU", "IS", "LI", "LV", "NL", "NO", "SE", "SK"), ("04-07", GOOD_FRIDAY)),
    **dict.fromkeys(("EE", "ES", "MT", "PT"), ("04-06", NO_MONDAY)),
    **dict.fromkeys(("AT", "BE", "FR", "HR", "IE", "IT", "LT", "LU", "PL", "SI"), ("04-03", NO_FRIDAY)),
    **dict.fromkeys(("BG", "CY", "EL", "RO"), ("04-03", ORTHODOX)),
}
"""14 days from Friday, 20 March 2026 (Regulation 1182/71, Art. 3(4)). Worked by hand; the source is
the library's lists, as `docs/deadlines.md` names them. In the Netherlands Good Friday is not an official holiday for
all: an official list may say 3 April there."""

OVER_BOTH = {
    **dict.fromkeys(("AT", "BE", "FR", "HR", "IE", "IT", "LT", "LU", "PL", "SI"), ("04-14", "Easter Monday")),
    **dict.fromkeys(("EE", "ES", "PT"), ("04-14", "Good Friday")),
    **dict.fromkeys(("CZ", "DE", "FI", "HU", "LI", "LV", "NL", "SE", "SK"), ("04-15", "Good Friday, Easter Monday")),
    **dict.fromkeys(("BG", "EL", "RO"), ("04-15", "orthodox Good Friday, Easter Monday")),
    "MT": ("04-15", "Freedom Day 31 March, Good Friday"),
    **dict.fromkeys(("DK", "IS", "NO"), ("04-16", "Maundy Thursday, Good Friday, Easter Monday")),
    "CY": ("04-16", "National Day 1 April, orthodox Good Friday, Easter Monday"),
}
"""10 working days from Monday, 30 March 2026: 13 April, and a working day more for each holiday on the way."""

SAINT_STEPHEN = "25 and 26 December are holidays, then comes a weekend"
CHRISTMAS = {
    **dict.fromkeys(STATES, ("12-29", SAINT_STEPHEN)),
    **dict.fromkeys(("BE", "ES", "FR", "MT", "PT"), ("12-26", "25 December is a holiday, the 26th is none")),
}
"""7 days from Thursday, 18 December 2025."""

NEW_YEAR = {
    **dict.fromkeys(STATES, ("01-02", "New Year's Day")),
    "BG": ("01-05", "2 January 2026: declared free by the government, then a weekend"),
    "HU": ("01-05", "2 January 2026: a day off for Saturday, 10 January, worked instead"),
    "LI": ("01-05", "2 January: Berchtold's Day, then a weekend"),
    "LV": ("01-05", "2 January 2026: a day off for Saturday, 17 January, worked instead"),
    "RO": ("01-05", "1 and 2 January are New Year, then a weekend"),
    "SI": ("01-05", "1 and 2 January are New Year, then a weekend"),
}
"""14 days from Thursday, 18 December 2025: 1 January 2026."""

TABLES = [
    (date(2026, 3, 20), Period(days=14), 2026, EASTER),
    (date(2026, 3, 30), Period(working_days=10), 2026, OVER_BOTH),
    (date(2025, 12, 18), Period(days=7), 2025, CHRISTMAS),
    (date(2025, 12, 18), Period(days=14), 2026, NEW_YEAR),
]
WORKED = [
    (begin, period, state, date.fromisoformat(f"{year}-{ends}"), why)
    for begin, period, year, table in TABLES
    for state, (ends, why) in sorted(table.items())
]


def calendar_of(state: str, region: str | None = None) -> Calendar:
    """The lists of a state, or of a region of it."""
    return HOLIDAYS.calendar([(state, region)], range(2025, 2030))


@pytest.mark.parametrize(
    ("begin", "period", "state", "ends", "why"), WORKED, ids=[f"{w[2]} {w[0]} until {w[3]}: {w[4]}" for w in WORKED]
)
def test_worked_examples(begin: date, period: Period, state: str, ends: date, why: str) -> None:
    """Each state over both Easters of 2026 and the turn of the year ends on the day worked by hand."""
    day, reason = calendar_of(state).last_day(begin, period, state)
    assert day == ends, (why, str(reason))
    assert all(source.startswith("holidays ") for source in reason.sources)


def test_every_state_has_its_worked_examples() -> None:
    """All 30, in each of the four tables."""
    assert [sorted(table) for *_, table in TABLES] == [sorted(STATES)] * 4


def test_the_page_of_worked_examples_is_what_the_calendar_says() -> None:
    """`python -m tools.worked_dates` would write nothing else."""
    assert worked_dates.PAGE.read_text() == worked_dates.generated()


REGIONS = [
    ("DE", "DE212", "2025-12-23", "2026-01-07", "Epiphany in Bavaria (FTG Art. 1)"),
    ("DE", "DE300", "2025-12-23", "2026-01-06", "none in Berlin"),
    ("ES", "ES511", "2026-03-20", "2026-04-07", "Easter Monday in Catalonia"),
    ("ES", "ES300", "2026-03-20", "2026-04-06", "none in Madrid"),
    ("FR", "FRF11", "2026-03-20", "2026-04-07", "Good Friday in Alsace (Code du travail, L3134-13)"),
    ("FR", "FR101", "2026-03-20", "2026-04-03", "none in Paris"),
    ("AT", "AT130", "2025-12-23", "2026-01-07", "Epiphany in all of Austria"),
    ("DE", "FRF11", "2025-12-23", "2026-01-06", "a region of another state is none"),
]


@pytest.mark.parametrize(("state", "region", "begin", "ends", "why"), REGIONS, ids=[f"{r[1]}: {r[4]}" for r in REGIONS])
def test_an_authoritys_region_counts(state: str, region: str, begin: str, ends: str, why: str) -> None:
    """Fourteen days, where it is known and has holidays of its own."""
    found = calendar_of(state, region).last_day(date.fromisoformat(begin), Period(days=14), state, region)
    assert found.day == date.fromisoformat(ends), (why, str(found.reason))


def due(sent_at: str, state: str, period: Period, region: str | None = None, day: timedelta = A_DAY) -> datetime:
    """By when a recipient there has to accept."""
    side = Side("x", "x", state, region)
    return acceptance_due(period, side, datetime.fromisoformat(sent_at), day, calendar_of(state, region))


DUE = [
    ("2026-03-20T10:00Z", "DE", None, "2026-04-07T21:59:59Z", "the end of the day in Berlin, in summer"),
    ("2026-03-20T10:00Z", "IE", None, "2026-04-03T22:59:59Z", "the end of the day in Dublin"),
    ("2026-03-20T23:30Z", "IE", None, "2026-04-03T22:59:59Z", "it is still the 20th in Dublin"),
    ("2026-03-20T23:30Z", "AT", None, "2026-04-07T21:59:59Z", "it is the 21st in Vienna: 4 April, so Tuesday"),
    ("2026-03-20T22:30Z", "EL", None, "2026-04-06T20:59:59Z", "it is the 21st in Athens: 4 April, so Monday"),
    ("2025-12-31T23:30Z", "AT", None, "2026-01-15T22:59:59Z", "it is the new year in Vienna"),
    ("2026-03-20T10:00Z", "FR", "FRY4", "2026-04-03T19:59:59Z", "the end of the day on La Réunion"),
    ("2026-03-21T02:00Z", "FR", "FRY2", "2026-04-04T03:59:59Z", "it is still the 20th on Martinique"),
    ("2026-03-20T10:00Z", "ES", "ES705", "2026-04-06T22:59:59Z", "the end of the day on the Canary Islands"),
]


@pytest.mark.parametrize(("sent_at", "state", "region", "ends", "why"), DUE, ids=[d[4] for d in DUE])
def test_an_acceptance_is_due_at_the_end_of_the_periods_last_day_over_there(
    sent_at: str, state: str, region: str | None, ends: str, why: str
) -> None:
    """14 days, counted from the recipient's own day, by its holidays, until its midnight."""
    assert due(sent_at, state, Period(days=14), region) == datetime.fromisoformat(ends), why


@pytest.mark.parametrize(
    ("period", "seconds"), [(Period(days=7), 7), (Period(working_days=5), 5), (Period(months=1), 30)]
)
def test_where_a_demonstration_shortens_the_day_no_calendar_counts(period: Period, seconds: int) -> None:
    """So many short days later."""
    sent_at = datetime(2026, 4, 2, 12, tzinfo=UTC)
    assert due(sent_at.isoformat(), "DE", period, day=timedelta(seconds=1)) == sent_at + timedelta(seconds=seconds)


def test_the_last_day_of_all_ends_everywhere() -> None:
    """Also west of Greenwich, where it ends in a year that there is not."""
    for region in ("PT200", "FRY10", None):
        assert end_of_day(date.max, "PT" if region == "PT200" else "FR", region) >= datetime(9999, 12, 31, tzinfo=UTC)


def test_an_agreed_date_stays_where_the_parties_put_it() -> None:
    """Good Friday, and in the recipient's region: the end of that day there, not of the next working day."""
    recipient = authority("ES-00000004", side=Side("ES-00000004", "x", "ES", "ES705"))
    first = send(request(recipient="ES-00000004"), KNOWN[SENDER], recipient, AREA, NOW)
    assert not isinstance(first, Refusal)
    case = case_from(CASE, [first])
    assert case
    entry = proceed(case, accept("ES-00000004", propose_date=date(2026, 4, 3)), AREA.rules, NOW)
    assert not isinstance(entry, Refusal)
    assert entry["answer_due"] == datetime(2026, 4, 3, 22, 59, 59, tzinfo=UTC)


def test_a_history_from_before_regions_were_kept_is_still_read() -> None:
    """Its sides have none."""
    first = send(request(), KNOWN[SENDER], KNOWN[RECIPIENT], AREA, NOW)
    assert not isinstance(first, Refusal)
    sides = {side: {k: v for k, v in first[side].items() if k != "region"} for side in ("sender", "recipient")}
    case = case_from(CASE, [{**first, **sides}])
    assert case
    assert case.recipient
    assert case.recipient.region is None


@pytest.mark.parametrize("period", [Period(days=3650), Period(working_days=3650), Period(months=120), Period(days=1)])
def test_the_desk_hands_in_all_the_lists_that_the_longest_period_needs(period: Period) -> None:
    """At either end of a year, in every state."""
    area = Area("diplomas", 1, rules(deadlines=Deadlines(acceptance=period, answer=period)))
    for at in (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)):
        for state in ("RO", "FR"):
            recipient = authority(f"{state}-00000004")
            now = replace(NOW, at=at, calendar=HOLIDAYS.calendar([(state, None)], sorted(years_around(at, [period]))))
            entry = send(request(wished_date=date.max), KNOWN[SENDER], recipient, area, now)
            assert not isinstance(entry, Refusal)
            assert entry["acceptance_due"] > at
