"""The time that an authority's clock shows, and what that time is called."""

from datetime import datetime
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import get_timezone_name

from contracts.languages import ZONES


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
