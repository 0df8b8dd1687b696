"""Which clock an authority goes by."""

from typing import Final
from zoneinfo import ZoneInfo

from contracts.calendar import places_of
from contracts.languages import ZONES

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


def zone_of(state: str, region: str | None = None) -> ZoneInfo:
    """Return the time zone of an authority: its region's, where that has its own, else its state's capital's."""
    zones = (_REGION_ZONES[place] for place in places_of(state, region) if place in _REGION_ZONES)
    return ZoneInfo(next(zones, ZONES[state]))
