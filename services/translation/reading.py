"""One reader's words: labels, refusals, questions, answers, states, dates and numbers in its languages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from babel import Locale
from babel.dates import format_date, format_interval
from babel.numbers import format_currency, format_decimal, get_currency_precision

from contracts.languages import LAST_RESORT
from contracts.translation import ItemRule
from services.translation.area import AreaTexts, term_of

Sentences = Mapping[str, Mapping[str, str]]
Terms = Mapping[str, Mapping[str, str]]

_LOCALES = {"pt": "pt_PT", "en": "en_IE"}
_TERRITORIES = {"EL": "GR"}
_SEPARATORS: Final = {"el": " · "}
"""A Greek semicolon is a question mark."""


class Lack(NamedTuple):
    """A text that the reader's first language lacks, and in which one it is read; an area's or the exchange's."""

    code: str
    language: str
    of_area: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """How one reader reads one message. `languages` in its order, English last; `lacking` fills as texts are read."""

    languages: tuple[str, ...]
    sentences: Sentences
    terms: Terms = field(default_factory=dict)
    """What terms of the vocabulary are called, by language."""
    lacking: dict[Lack, None] = field(default_factory=dict)

    def sentence(self, code: str) -> str:
        """Return a label or a refusal; the code itself when it has no words in any of the languages."""
        return self._first(self.sentences, code, of_area=False) or code

    def text(self, area: AreaTexts, code: str) -> str | None:
        """Return a text of an area in the first language that has it."""
        return self._first(area.texts, code, of_area=True)

    def country(self, code: str) -> str:
        """Return the name of a state."""
        return country(self.languages[0], code)

    def value(self, area: AreaTexts, item_code: str, value: Any) -> str:
        """Return a value as this reader reads it: the text of an option, a date or number in its form."""
        item = area.items.get(item_code)
        if item is None:
            return str(value)
        if isinstance(value, list):
            return _SEPARATORS.get(self.languages[0], "; ").join(self._option(area, item_code, one) for one in value)
        return self._single(area, item_code, item, value)

    def _single(self, area: AreaTexts, item_code: str, item: ItemRule, value: Any) -> str:
        if show := _SHOWN.get(item.type):
            return show(self.languages[0], value)
        if item.type == "code-list":
            return self._listed(item, value)
        return self._option(area, item_code, value)

    def _listed(self, item: ItemRule, code: str) -> str:
        """An activity is read with its code before it; what the vocabulary has no words for is read as a code."""
        if item.list == "languages":
            return language(self.languages[0], code)
        labels = self.terms.get(term_of(item.list or "", code), {})
        words = next((labels[one] for one in self.languages if one in labels), None)
        if words is None:
            return code
        return f"{code} {words}" if item.list == "nace" else words

    def _option(self, area: AreaTexts, item_code: str, option: str) -> str:
        return self.text(area, f"{item_code}.{option}") or option

    def _first(self, texts: Mapping[str, Mapping[str, str]], code: str, *, of_area: bool) -> str | None:
        own, *others = self.languages
        if found := texts.get(own, {}).get(code):
            return found
        for other in others:
            if found := texts.get(other, {}).get(code):
                self.lacking[Lack(code, other, of_area)] = None
                return found
        return None


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


@cache
def language(reader: str, code: str) -> str:
    """Return a language's name, by CLDR."""
    return str(locale(reader).languages.get(code, code))


def _date(reader: str, value: Any) -> str:
    return str(format_date(date.fromisoformat(value), "long", locale(reader)))


def _number(reader: str, value: Any) -> str:
    return str(format_decimal(value, locale=locale(reader), decimal_quantization=False))


def _amount(reader: str, value: Any) -> str:
    """With the currency's own number of decimals, or more where more were stated."""
    sum_, where = Decimal(value["amount"]), locale(reader)
    exact = -int(sum_.as_tuple().exponent) > get_currency_precision(value["currency"])
    return str(format_currency(sum_, value["currency"], locale=where, decimal_quantization=not exact))


def _period(reader: str, value: Any) -> str:
    begin, end = date.fromisoformat(value["begin"]), date.fromisoformat(value["end"])
    return str(format_interval(begin, end, "yMMMd", locale=locale(reader)))


_SHOWN: Final[Mapping[str, Callable[[str, Any], str]]] = {
    "date": _date,
    "number": _number,
    "amount": _amount,
    "period": _period,
    "country": country,
    "text": lambda _, value: str(value["text"]),
}
