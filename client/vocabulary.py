"""Terms of the vocabulary of competences: from a CSV file, or from the options of a question of a legislative area."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from client.legislation import Area
from client.system import System
from contracts.identity import derived_uuid
from contracts.languages import LANGUAGES
from contracts.registry import PutTerms, Term
from contracts.translation import AreaRules
from contracts.types import User

AT_ONCE: Final = 100
_LARGEST: Final = 200 * 1024
"""Bytes of terms in a command; the exchange takes 256 KiB."""
_SHOWN: Final = 20
_LOADER: Final = User(id="vocabulary import", role="data-administrator")


class BadTerms(ValueError):
    """The file holds something that is no term; says in which lines."""


def read(path: Path) -> list[Term]:
    """Return the terms of a CSV file: a column `code`, and a column for each language. Raises `BadTerms`, OSError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.DictReader(file)
            columns = lines.fieldnames or ()
            if "code" not in columns or set(columns) - {"code", *LANGUAGES} or len(set(columns)) < len(columns):
                raise BadTerms(f"{path}: the columns are code and the languages {', '.join(LANGUAGES)}")
            return _terms(path, lines)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadTerms(f"{path}: {error}") from error


def _terms(path: Path, lines: "csv.DictReader[str]") -> list[Term]:
    """All terms, or all that is wrong with them."""
    terms, wrong = dict[str, Term](), list[str]()
    for line in lines:
        try:
            term = _term(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            wrong.append(f"line {lines.line_num}: {where}: {first['msg']}")
            continue
        if term.code in terms:
            wrong.append(f"line {lines.line_num}: code: {term.code} stands twice")
        terms[term.code] = term
    if wrong:
        raise BadTerms(
            f"{path}, {'; '.join(wrong[:_SHOWN])}{f'; and {len(wrong) - _SHOWN} more' * (len(wrong) > _SHOWN)}"
        )
    return list(terms.values())


def _term(line: Mapping[str, str | None]) -> Term:
    labels = {language: label for language in LANGUAGES if (label := (line.get(language) or "").strip())}
    return Term(code=(line["code"] or "").strip(), labels=labels)


def name_of(path: Path) -> str:
    """Return what the terms of a file are called together: its name, as a code."""
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower())[:60].strip("-") or "terms"


def options_of(area: Area, item: str) -> list[Term]:
    """Return the options of a particular or a question of an area, with their texts. Raises `BadTerms`."""
    rules = AreaRules.model_validate(area.rules)
    kinds = (("particular", rules.particulars), ("question", rules.questions))
    found = [(kind, one.options) for kind, items in kinds for one in items if one.code == item and one.options]
    if not found:
        raise BadTerms(f"{area.code} has nothing called {item} with options")
    kind, options = found[0]
    return [
        Term(code=option, labels={lang: texts[code] for lang, texts in area.texts.items() if code in texts})
        for option in options
        for code in [f"{kind}.{item}.{option}"]
    ]


async def load(system: System, vocabulary: str, terms: Sequence[Term]) -> None:
    """Load terms as the operator. Repeating it changes nothing. Raises `Refused`."""
    for command in commands_of(vocabulary, terms):
        await system.do(command, derived_uuid("terms", command.model_dump_json()))


def commands_of(vocabulary: str, terms: Sequence[Term]) -> list[PutTerms]:
    """Return the commands that load the terms, none larger than the exchange takes."""
    return [PutTerms(vocabulary=vocabulary, terms=part, user=_LOADER) for part in _parts(terms)]


def _parts(terms: Sequence[Term]) -> Iterator[tuple[Term, ...]]:
    """As many terms together as a command may have and the exchange takes in one message."""
    part, size = list[Term](), 0
    for term in terms:
        length = len(term.model_dump_json().encode()) + 1
        if part and (len(part) == AT_ONCE or size + length > _LARGEST):
            yield tuple(part)
            part, size = [], 0
        part.append(term)
        size += length
    if part:
        yield tuple(part)
