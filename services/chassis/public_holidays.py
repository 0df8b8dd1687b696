"""Where calendars come from: the library `holidays`, and official lists that a deployment puts before it.

Every year the Commission publishes in the Official Journal which days each state designates as public holidays
(Regulation 1182/71, Art. 2(1)): such a list is what an override is meant for.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, StringConstraints

from contracts.calendar import MOST_HOLIDAYS_A_YEAR, Calendar, YearList, places_of
from contracts.languages import STATES

_OWN_CODES: Final = {"EL": "GR"}
_CATEGORIES: Final = {"LI": ("public", "bank")}
"""Liechtenstein's Good Friday, Berchtold's Day and Christmas Eve are bank holidays to the library."""
_LARGEST_FILE: Final = 4 * 1024 * 1024
SUBDIVISIONS: Final[Mapping[str, str]] = {
    "AT11": "1", "AT12": "3", "AT13": "9", "AT21": "2", "AT22": "6", "AT31": "4", "AT32": "5", "AT33": "7", "AT34": "8",
    "DE1": "BW", "DE2": "BY", "DE271": "Augsburg", "DE3": "BE", "DE4": "BB", "DE5": "HB", "DE6": "HH", "DE7": "HE",
    "DE8": "MV", "DE9": "NI", "DEA": "NW", "DEB": "RP", "DEC": "SL", "DED": "SN", "DEE": "ST", "DEF": "SH", "DEG": "TH",
    "ES11": "GA", "ES12": "AS", "ES13": "CB", "ES21": "PV", "ES22": "NC", "ES23": "RI", "ES24": "AR", "ES3": "MD",
    "ES41": "CL", "ES42": "CM", "ES43": "EX", "ES51": "CT", "ES52": "VC", "ES53": "IB", "ES61": "AN", "ES62": "MC",
    "ES63": "CE", "ES64": "ML", "ES7": "CN",
    "FRF1": "6AE", "FRF33": "57", "FRY1": "971", "FRY2": "972", "FRY3": "973", "FRY4": "974", "FRY5": "976",
    "PT2": "20", "PT3": "30",
}  # fmt: skip
"""NUTS 2021 codes (Regulation (EC) 1059/2003, Annex I) of regions with holidays of their own, to ISO 3166-2.

Elsewhere, and where holidays are a municipality's, the state's list counts unless an official one is given.
"""


def _a_place(code: str) -> str:
    if code[:2] not in STATES:
        raise ValueError("no code of a state that takes part")
    return code


def _few_enough(days: dict[date, str]) -> dict[date, str]:
    if max(Counter(day.year for day in days).values(), default=0) > MOST_HOLIDAYS_A_YEAR:
        raise ValueError(f"more than {MOST_HOLIDAYS_A_YEAR} days in a year")
    return days


_Place = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[0-9A-Z]{0,3}$"), AfterValidator(_a_place)]
_Words = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]


class OfficialList(BaseModel):
    """The public holidays of a state or region, as an official source lists them, for whole years."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: _Words
    days: Annotated[dict[date, _Words], Field(min_length=1, max_length=5000), AfterValidator(_few_enough)]

    def year(self, year: int) -> YearList | None:
        """Return the list of one year, or nothing if this source says nothing of that year."""
        days = {day: name for day, name in self.days.items() if day.year == year}
        return YearList(days, self.source) if days else None


class OfficialLists(RootModel[dict[_Place, OfficialList]]):
    """The override file: by state or NUTS code."""


class PublicHolidays:
    """Makes calendars. A list is made when it is first asked for, and kept."""

    def __init__(self, official: Mapping[str, OfficialList] | None = None) -> None:
        """Put `official` lists before the library's."""
        self._official = official or {}
        self._made: dict[tuple[str, int], YearList | None] = {}

    @classmethod
    def load(cls, file: Path | None) -> Self:
        """Read the override file, if there is one. Raises `ValueError` or `OSError` if it cannot be relied upon."""
        if file is None:
            return cls()
        if file.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"{file}: too large for lists of public holidays")
        return cls(OfficialLists.model_validate_json(file.read_bytes()).root)

    def calendar(self, authorities: Iterable[tuple[str, str | None]], years: Iterable[int]) -> Calendar:
        """Return the lists that count for authorities of these states and regions in these years."""
        places = {place for state, region in authorities for place in places_of(state, region)}
        wanted = [(place, year) for year in years for place in places]
        return Calendar({key: found for key in wanted if (found := self._list(*key))})

    def _list(self, place: str, year: int) -> YearList | None:
        if (place, year) not in self._made:
            self._made[place, year] = self._official_list(place, year) or self._library_list(place, year)
        return self._made[place, year]

    def _official_list(self, place: str, year: int) -> YearList | None:
        official = self._official.get(place)
        return official.year(year) if official else None

    def _library_list(self, place: str, year: int) -> YearList | None:
        """Nothing for a region without holidays of its own, or where the official list of what it lies in counts."""
        state = place[:2]
        if place != state and (
            place not in SUBDIVISIONS or any(self._official_list(wider, year) for wider in places_of(state, place)[1:])
        ):
            return None
        return _from_library(state, SUBDIVISIONS.get(place), year)


def _from_library(state: str, subdivision: str | None, year: int) -> YearList:
    import holidays  # noqa: PLC0415 - three megabytes that a service which calculates no dates need not have

    code = _OWN_CODES.get(state, state)
    # Without a language the names would follow the machine's.
    language = getattr(holidays, code).default_language
    found = holidays.country_holidays(
        code, subdiv=subdivision, years=year, categories=_CATEGORIES.get(state), language=language
    )
    where = f"{code}-{subdivision}" if subdivision else code
    days = {day: name for day, name in sorted(found.items()) if day.year == year}
    return YearList(days, f"holidays {version('holidays')}: {where}")
