"""Write `docs/deadlines.md`: how periods are counted, with examples worked for every state.

`python -m tools.worked_dates` writes it; with `--check` it exits with 1 when what is there is something else.
"""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from contracts.languages import STATES
from contracts.translation import Period
from services.chassis.public_holidays import PublicHolidays

PAGE: Final = Path(__file__).parent.parent / "docs" / "deadlines.md"
_MARK: Final = "<!-- written by tools/worked_dates.py: what follows is not edited by hand -->\n"


class Example(NamedTuple):
    """A period that an event on a day starts, by words, and where its answering authority is."""

    begin: date
    period: Period
    title: str


EXAMPLES: Final = (
    Example(date(2026, 3, 20), Period(days=14), "14 days from 20 March 2026: Western Good Friday, 3 April"),
    Example(date(2026, 3, 30), Period(working_days=10), "10 working days from 30 March 2026: over both Easters"),
    Example(date(2025, 12, 18), Period(days=7), "7 days from 18 December 2025: Christmas Day"),
    Example(date(2025, 12, 18), Period(days=14), "14 days from 18 December 2025: New Year's Day 2026"),
)
REGIONS: Final = (
    ("DE", "DE212", date(2025, 12, 23), Period(days=14), "Munich: Epiphany is a holiday in Bavaria"),
    ("DE", "DE300", date(2025, 12, 23), Period(days=14), "Berlin: it is none there"),
    ("ES", "ES511", date(2026, 3, 20), Period(days=14), "Barcelona: Easter Monday is a holiday in Catalonia"),
    ("ES", "ES300", date(2026, 3, 20), Period(days=14), "Madrid: it is none there"),
    ("ES", "ES300", date(2026, 3, 19), Period(days=14), "Madrid: Maundy Thursday is one instead"),
    ("FR", "FRF11", date(2026, 3, 20), Period(days=14), "Strasbourg: Good Friday is a holiday in Alsace"),
    ("FR", "FR101", date(2026, 3, 20), Period(days=14), "Paris: it is none there"),
    ("PT", "PT300", date(2025, 12, 19), Period(days=7), "Funchal: 26 December is a holiday in Madeira"),
    ("AT", "AT130", date(2025, 12, 23), Period(days=14), "Vienna: Epiphany"),
    ("HU", None, date(2026, 1, 31), Period(months=1), "February has no 31st, and its last day is a Saturday"),
    ("HU", None, date(2026, 3, 10), Period(months=1), "the day of the same number"),
    ("IE", None, date(2026, 5, 29), Period(days=2), "ends on a Sunday, and must hold two working days"),
    ("IE", None, date(2026, 5, 29), Period(days=1), "one day need not hold two working days"),
)


def generated() -> str:
    """Return the page: its hand-written beginning, then the examples."""
    beginning = PAGE.read_text().split(_MARK)[0]
    return beginning + _MARK + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    known = PublicHolidays().calendar([(state, None) for state in STATES], range(2025, 2028))
    for example in EXAMPLES:
        yield from ("", f"### {example.title}", "", "| State | Ends on | Reason and source |", "|---|---|---|")
        for state in STATES:
            day, reason = known.last_day(example.begin, example.period, state)
            yield f"| {state} | {day:%a %Y-%m-%d} | {reason} |"
    yield from ("", "### Regions, months and short periods", "")
    yield from ("| Authority | From | Period | Ends on | Reason and source | Shows |", "|---|---|---|---|---|---|")
    for state, region, begin, period, shows in REGIONS:
        known = PublicHolidays().calendar([(state, region)], range(2025, 2028))
        day, reason = known.last_day(begin, period, state, region)
        yield f"| {region or state} | {begin} | {_words(period)} | {day:%a %Y-%m-%d} | {reason} | {shows} |"


def _words(period: Period) -> str:
    ((unit, count),) = period.model_dump(exclude_none=True).items()
    return f"{count} {unit.replace('_', ' ').removesuffix('s' if count == 1 else '')}"


def main() -> None:
    """Write the page, or check it."""
    wanted = generated()
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_text() == wanted else f"{PAGE.name} is stale: python -m tools.worked_dates")
    PAGE.write_text(wanted)


if __name__ == "__main__":
    main()
