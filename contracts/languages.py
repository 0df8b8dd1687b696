"""The languages and states that take part: the EU 27, Iceland, Liechtenstein and Norway (EEA Agreement, Annex II)."""

from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

LANGUAGES: Final = (
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu",
    "is", "it", "lt", "lv", "mt", "nb", "nl", "pl", "pt", "ro", "sk", "sl", "sv",
)  # fmt: skip
"""Every language that a reader may ask for: the 24 official ones of the EU, Icelandic and Norwegian Bokmål."""

LAST_RESORT: Final = "en"
"""Read when a text is missing in all languages of its reader."""

STATES: Final = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU", "IE",
    "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
"""Codes as EU institutions write them (Interinstitutional Style Guide 7.1.1): Greece is EL, not GR."""


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
"""The time zone of each state's capital (IANA time zone database, zone1970.tab and backward)."""


def _a_language(code: str) -> str:
    if code not in LANGUAGES:
        raise ValueError(f"not one of the exchange's languages: {', '.join(LANGUAGES)}")
    return code


def _a_state(code: str) -> str:
    if code not in STATES:
        raise ValueError(f"not one of the states that take part: {', '.join(STATES)}")
    return code


Language = Annotated[str, AfterValidator(_a_language), WithJsonSchema({"type": "string", "enum": list(LANGUAGES)})]
State = Annotated[str, AfterValidator(_a_state), WithJsonSchema({"type": "string", "enum": list(STATES)})]
