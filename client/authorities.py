"""Authorities from a CSV file: read, checked as a whole, and turned into commands. The columns are in docs/bulk.md."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from contracts.identity import derived_uuid
from contracts.languages import LANGUAGES
from contracts.registry import Details, Register
from contracts.types import User

REQUIRED: Final = ("reference", "country", "city", "languages", "contacts")
OF_REJECTED: Final = ("line", "reason")
"""What a file of rejected lines has besides; ignored when it is imported, corrected, in its turn."""
COLUMNS: Final = (
    *REQUIRED,
    "name",
    *(f"name_{language}" for language in LANGUAGES),
    "short_name",
    "region",
    "address",
    "areas",
    "keywords",
    "system",
    "attempt",
)
MANY: Final = ";"
"""Stands between the values of a field that has several; `|` between the competences of an area."""
MOST_ATTEMPTS: Final = 999
IMPORTER: Final = User(id="bulk import", role="data-administrator")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file that is all right."""

    line: int
    reference: str
    details: Details
    system: str | None
    attempt: int
    """A refusal is remembered with its command's id: what is sent again, corrected, needs another one."""
    source: Mapping[str, str]

    def command(self, coordinator: str) -> Register:
        """Return the command that registers it."""
        return Register(authority=coordinator, details=self.details, system=self.system, user=IMPORTER)

    def message_id(self, coordinator: str) -> str:
        """Return the command's id: the same whenever the file is imported again, so that nothing is done twice."""
        attempt = (str(self.attempt),) if self.attempt > 1 else ()
        return derived_uuid("import", coordinator, self.reference, *attempt)


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that cannot be sent, and why."""

    line: int
    reason: str
    source: Mapping[str, str]


class NotTheColumns(ValueError):
    """The file lacks a column, has one twice, or one that nobody knows."""


def read(path: Path) -> tuple[list[Row], list[Fault]]:
    """Return the lines that are all right, and the others. Raises `NotTheColumns`, or OSError."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.DictReader(file)
        _check_columns(lines.fieldnames or ())
        rows, faults, seen = list[Row](), list[Fault](), dict[str, int]()
        for source in lines:
            made = _row(lines.line_num, source)
            if isinstance(made, Row) and made.reference in seen:
                made = Fault(made.line, f"reference: stands in line {seen[made.reference]} too", source)
            if isinstance(made, Row):
                seen[made.reference] = made.line
                rows.append(made)
            else:
                faults.append(made)
    return rows, faults


def _check_columns(there: Iterable[str]) -> None:
    columns = Counter(there)
    missing = [column for column in REQUIRED if column not in columns]
    unknown = sorted(columns.keys() - {*COLUMNS, *OF_REJECTED})
    repeated = [column for column, count in columns.items() if count > 1]
    faults = [
        *(f"no column {name}" for name in missing),
        *(f"what is {name}?" for name in unknown),
        *(f"{name} stands twice" for name in repeated),
    ]
    if faults:
        raise NotTheColumns("; ".join(faults))


def _row(line: int, source: Mapping[str, Any]) -> Row | Fault:
    filled = {key: value.strip() for key, value in source.items() if isinstance(value, str) and value.strip()}
    if None in source or not filled.get("reference"):
        return Fault(line, "too many fields" if None in source else "reference: missing", filled)
    attempt = _attempt(filled)
    if attempt is None:
        return Fault(line, f"attempt: no number from 1 to {MOST_ATTEMPTS}", filled)
    try:
        details = Details.model_validate(_fields(filled))
        Register(authority="XX-00000000", details=details, system=filled.get("system"), user=IMPORTER)
    except ValidationError as error:
        return Fault(line, "; ".join(_words(error)), filled)
    return Row(line, filled["reference"], details, filled.get("system"), attempt, filled)


def _attempt(filled: Mapping[str, str]) -> int | None:
    text = filled.get("attempt", "1")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
    return number if 1 <= number <= MOST_ATTEMPTS else None


def _fields(filled: Mapping[str, str]) -> dict[str, Any]:
    languages = _several(filled.get("languages", ""))
    names = {language: filled[f"name_{language}"] for language in LANGUAGES if f"name_{language}" in filled}
    if "name" in filled and languages:
        names.setdefault(languages[0], filled["name"])
    simple = {key: filled[key] for key in ("country", "region", "city", "short_name") if key in filled}
    keywords = _several(filled.get("keywords", ""))
    return {
        **simple,
        "names": names,
        "languages": languages,
        "contacts": _several(filled.get("contacts", "")),
        "address": _several(filled.get("address", "")),
        "areas": {area: {**scope, "keywords": keywords} for area, scope in _areas(filled.get("areas", ""))},
    }


def _areas(text: str) -> Iterator[tuple[str, dict[str, list[str]]]]:
    for one in _several(text):
        area, _, competences = one.partition("=")
        yield area.strip(), {"competences": [code.strip() for code in competences.split("|") if code.strip()]}


def _several(text: str) -> list[str]:
    return [one.strip() for one in text.split(MANY) if one.strip()]


def _words(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        yield f"{'.'.join(str(step) for step in one['loc'])}: {one['msg']}"
