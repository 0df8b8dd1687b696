"""One reader's words: labels, refusals, questions, answers, states, dates and numbers in its languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal

from contracts.languages import LAST_RESORT
from contracts.translation import ItemRule
from services.translation.area import AreaTexts

Sentences = Mapping[str, Mapping[str, str]]

_LOCALES = {"pt": "pt_PT", "en": "en_IE"}
_TERRITORIES = {"EL": "GR"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How one reader reads. `languages` in its order, English last."""

    languages: tuple[str, ...]
    sentences: Sentences

    def sentence(self, code: str) -> str:
        """Return a label or a refusal; the code itself when it has no words in any of the languages."""
        return next((text for one in self.languages if (text := self.sentences.get(one, {}).get(code))), code)

    def country(self, code: str) -> str:
        """Return the name of a state."""
        return country(self.languages[0], code)

    def value(self, area: AreaTexts, item_code: str, value: Any) -> str:
        """Return a value as this reader reads it: the text of an option, a date or number in its form."""
        item = area.items.get(item_code)
        if item is None:
            return str(value)
        if isinstance(value, list):
            return "; ".join(self._option(area, item_code, one) for one in value)
        return self._single(area, item_code, item, value)

    def _single(self, area: AreaTexts, item_code: str, item: ItemRule, value: Any) -> str:
        if item.type == "date":
            return format_date(date.fromisoformat(value), "long", locale(self.languages[0]))
        if item.type == "number":
            return format_decimal(value, locale=locale(self.languages[0]), decimal_quantization=False)
        if item.type == "country":
            return self.country(value)
        if item.type == "text":
            return str(value["text"])
        return self._option(area, item_code, value)

    def _option(self, area: AreaTexts, item_code: str, option: str) -> str:
        return area.find(self.languages, f"{item_code}.{option}") or option


def in_order(languages: tuple[str, ...]) -> tuple[str, ...]:
    """Return the languages to try: the reader's, then English."""
    return tuple(dict.fromkeys((*languages, LAST_RESORT)))


@cache
def locale(language: str) -> Locale:
    """Return the CLDR locale in which an EU reader of this language reads dates and numbers."""
    return Locale.parse(_LOCALES.get(language, language))


@cache
def country(language: str, code: str) -> str:
    """Return a state's name, by CLDR."""
    return str(locale(language).territories.get(_TERRITORIES.get(code, code), code))
