"""Terms of the vocabulary of competences: from a CSV file, or from the options of a question of a legislative area."""

import csv
from collections.abc import Iterator, Sequence
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
_LOADER: Final = User(id="vocabulary import", role="data-administrator")


class BadTerms(ValueError):
    """The file holds something that is no term; says in which line."""


def read(path: Path) -> list[Term]:
    """Return the terms of a CSV file: a column `code`, and a column for each language. Raises `BadTerms`, OSError."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.DictReader(file)
        columns = set(lines.fieldnames or ())
        if "code" not in columns or columns - {"code", *LANGUAGES}:
            raise BadTerms(f"{path}: the columns are code and the languages {', '.join(LANGUAGES)}")
        return [_term(path, lines.line_num, line) for line in lines]


def _term(path: Path, number: int, line: dict[str, str]) -> Term:
    labels = {language: label for language in LANGUAGES if (label := (line.get(language) or "").strip())}
    try:
        return Term(code=line["code"], labels=labels)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise BadTerms(f"{path}, line {number}: {first['loc'][0]}: {first['msg']}") from error


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
    for part in _parts(terms):
        command = PutTerms(vocabulary=vocabulary, terms=part, user=_LOADER)
        await system.do(command, derived_uuid("terms", command.model_dump_json()))


def _parts(terms: Sequence[Term]) -> Iterator[tuple[Term, ...]]:
    for first in range(0, len(terms), AT_ONCE):
        yield tuple(terms[first : first + AT_ONCE])
