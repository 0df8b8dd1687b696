"""The languages and states that take part: by default the EU 27, Iceland, Liechtenstein and Norway (EEA Agreement).

They stand in one file, `states.json` beside this module; a deployment names another in `IMI_STATES`, the same one for
every process and for those who use the command line.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from contracts.states import read_states

_STATES: Final = read_states(Path(os.environ.get("IMI_STATES") or Path(__file__).with_name("states.json")))

LAST_RESORT: Final = "en"
"""Read when a text is missing in all languages of its reader."""

LANGUAGES: Final = tuple(sorted({LAST_RESORT, *(language for state in _STATES for language in state.languages)}))
"""Every language that a reader may ask for: by default the 24 of the EU, Icelandic and Norwegian Bokmål."""

STATES: Final = tuple(state.code for state in _STATES)
"""Codes as EU institutions write them (Interinstitutional Style Guide 7.1.1): Greece is EL, not GR."""

ZONES: Final[Mapping[str, str]] = {state.code: state.zone for state in _STATES}
"""The time zone of each state's capital (IANA time zone database, zone1970.tab and backward)."""

OFFICIAL: Final[Mapping[str, tuple[str, ...]]] = {state.code: state.languages for state in _STATES}
"""The official languages of each state, in their order, as far as the exchange has them."""

REGIONS: Final[Mapping[str, str]] = {state.code: state.nuts for state in _STATES}
"""With what the NUTS codes of each state's regions begin (Regulation (EC) 1059/2003, Annex I)."""


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
