"""The time that an authority's clock shows, and what that time is called."""

from datetime import datetime
from functools import cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import get_timezone_name

ZONES: Final = {
    "AT": "Europe/Vienna",
    "BE": "Europe/Brussels",
    "BG": "Europe/Sofia",
    "CY": "Asia/Nicosia",
    "CZ": "Europe/Prague",
    "DE": "Europe/Berlin",
    "DK": "Europe/Copenhagen",
    "EE": "Europe/Tallinn",
    "EL": "Europe/Athens",
    "ES": "Europe/Madrid",
    "FI": "Europe/Helsinki",
    "FR": "Europe/Paris",
    "HR": "Europe/Zagreb",
    "HU": "Europe/Budapest",
    "IE": "Europe/Dublin",
    "IS": "Atlantic/Reykjavik",
    "IT": "Europe/Rome",
    "LI": "Europe/Vaduz",
    "LT": "Europe/Vilnius",
    "LU": "Europe/Luxembourg",
    "LV": "Europe/Riga",
    "MT": "Europe/Malta",
    "NL": "Europe/Amsterdam",
    "NO": "Europe/Oslo",
    "PL": "Europe/Warsaw",
    "PT": "Europe/Lisbon",
    "RO": "Europe/Bucharest",
    "SE": "Europe/Stockholm",
    "SI": "Europe/Ljubljana",
    "SK": "Europe/Bratislava",
}
"""The zone of each state's capital (IANA time zone database, zone1970.tab and backward)."""


@cache
def zone_of(state: str) -> ZoneInfo:
    """Return the time zone of a state."""
    return ZoneInfo(ZONES[state])


def name_of_zone(moment: datetime, locale: Locale) -> str:
    """Return what the time of `moment`, which has a zone, is called: `Central European Summer Time`.

    The season is told by the clock, not by `dst()`: to the IANA database Ireland's standard time is that of summer,
    and Babel would call it Greenwich Mean Time.
    """
    winter = moment.replace(month=1, day=1, hour=12).utcoffset()
    season: Literal["standard", "daylight"] = "standard" if moment.utcoffset() == winter else "daylight"
    return get_timezone_name(moment, width="long", locale=locale, zone_variant=season)
