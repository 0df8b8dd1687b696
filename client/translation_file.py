"""Read `locale/<language>.po` of an area: whole, or refused with the line and the reason."""

import gettext
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as PoMessage
from babel.messages.plurals import get_plural
from babel.messages.pofile import PoFileError, read_po

from client.yaml_lines import LegislationError, decoded

_UTF_8: Final = frozenset({"utf-8", "utf8"})
_COUNTED: Final = range(1000)
"""Numbers for which a formula of plurals is tried."""
_THREE_FORMS_TOO: Final = frozenset({"es", "fr", "it", "pt"})
"""Newer tools count the millions of these languages as a form of their own."""


@dataclass(frozen=True)
class TranslationFile:
    """What a file says: code → text, without the empty and the fuzzy; and the line of every code that stands in it."""

    texts: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def read(file: Path, english: Mapping[str, str]) -> TranslationFile:
    """Read the translations of the texts `english` (by code). Raises LegislationError."""
    catalog = catalogue(file, file.stem)
    translation = TranslationFile()
    for message in catalog:
        if not message.id:
            continue
        code = _code(file, message, english)
        if code in translation.lines:
            raise LegislationError(file, message.lineno, f"{code} stands here twice")
        translation.lines[code] = message.lineno or 1
        if str(message.string).strip() and not message.fuzzy:
            translation.texts[code] = str(message.string)
    return translation


def catalogue(file: Path, language: str) -> Catalog:
    """Return a file's messages, of which none is in the plural. Raises LegislationError for what is not gettext."""
    text = decoded(file)
    lines = _Lines(text)
    try:
        catalog = read_po(lines, locale=language, charset="utf-8", abort_invalid=True)
    except PoFileError as error:
        raise LegislationError(file, error.lineno + 1, f"is not gettext: {error.line.strip() or error}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # what Babel says to what it did not expect
        raise LegislationError(file, lines.number, f"is not gettext: {type(error).__name__}") from error
    if wrong := _wrong_header(catalog, language):
        name, reason = wrong
        raise LegislationError(file, _line_of(name, text), reason)
    if doubled := _doubled(text):
        raise LegislationError(file, doubled, "this message stands here twice")
    return catalog


class _Lines:
    """The lines of a text; knows which one was read last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.number = 1

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self._text.split("\n"), 1):
            self.number = number
            yield line


def _wrong_header(catalog: Catalog, language: str) -> tuple[str, str] | None:
    """Return which header is wrong, and why."""
    if catalog.charset.lower() not in _UTF_8:
        return "Content-Type", f"the charset is {catalog.charset}, not UTF-8"
    if catalog.locale is None or catalog.locale.language != language:
        return "Language", f"the language is {catalog.locale_identifier}, the file {language}"
    forms, formula = catalog.num_plurals, catalog.plural_expr
    fitting = {get_plural(language).num_plurals, *([3] if language in _THREE_FORMS_TOO else [])}
    if forms not in fitting or not _counts(formula, forms):
        return "Plural-Forms", f"the plural forms are not those of {language}"
    return None


def _counts(formula: str, forms: int) -> bool:
    """Say whether a formula gives one of so many forms for every number."""
    try:
        count = gettext.c2py(formula)
        return all(0 <= count(number) < forms for number in _COUNTED)
    except (ValueError, ArithmeticError, RecursionError):
        return False


def _line_of(header: str, text: str) -> int:
    return next((number for number, line in enumerate(text.split("\n"), 1) if f'"{header}:' in line), 1)


def _doubled(text: str) -> int | None:
    """Return the line of a code that has stood there before: Babel would take the last, and say nothing."""
    seen: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        if found := re.match(r'\s*msgctxt\s+"(.*)"\s*$', line):
            if found[1] in seen:
                return number
            seen.add(found[1])
    return None


def _code(file: Path, message: PoMessage, english: Mapping[str, str]) -> str:
    """Return the code of a message that translates the present text. Raises LegislationError for any other."""
    code = message.context
    if code is None:
        raise LegislationError(file, message.lineno, "the message has no msgctxt, which is its code")
    if code not in english:
        raise LegislationError(file, message.lineno, f"{code} is not a message of this area")
    if not isinstance(message.id, str) or not isinstance(message.string, str):
        raise LegislationError(file, message.lineno, f"{code} has plural forms, and its English text has none")
    if message.id != english[code]:
        raise LegislationError(file, message.lineno, f"{code} is stale: the English text has changed")
    return code
