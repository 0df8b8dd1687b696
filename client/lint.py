"""What is wrong with the words of an area, language by language. Says where; corrects nothing.

A text may be missing, be the English one, lack a placeholder, have a letter of a script that its language does not
use, or leave out a key term of the directives. Everything else that can be wrong with an area is refused when it is
read, with the line: sub-questions that could never arise, unknown codes, stale texts, another charset, plural forms.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from client.legislation import SOURCE_LANGUAGE, Area, missing
from client.translation_file import catalogue

Kind = Literal["missing", "same-as-source", "placeholders", "script", "term"]
SCRIPTS: Final[Mapping[str, str]] = {"bg": "CYRILLIC", "el": "GREEK"}
"""Every other language of the exchange is written in Latin letters."""
ERRORS: Final = frozenset({"missing", "placeholders", "script"})
"""What keeps an area from being clean; the rest is for a reader's eye: inflection can hide a term."""

_PLACEHOLDER: Final = re.compile(r"\{[a-z0-9_]*\}|%(?:\([a-z0-9_]+\))?[sd]")
_WORD: Final = re.compile(r"[^\W\d_ªº]+")
"""Ordinal signs (10.º) are letters to Unicode, and of no script."""
_LENITION: Final = re.compile("(?<=[bcdfgmpst])h")
"""Irish softens the beginning of a word by an h: `gnóthas` is `ghnóthais` elsewhere."""
_LONG: Final = 3
"""Shorter texts than so many words may well be the same in two languages: names, abbreviations, `Yes`."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with one text in one language."""

    area: str
    language: str
    code: str
    kind: Kind
    detail: str
    file: str = ""
    line: int | None = None
    """Where its translation stands in the file; nowhere when the file has none, or there is no file."""

    @property
    def place(self) -> str:
        """The file, and the line where there is one."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def error(self) -> bool:
        """Whether it must be corrected; otherwise it is worth a look."""
        return self.kind in ERRORS


def lint(area: Area, terms: Mapping[str, Mapping[str, str]] | None = None) -> list[Finding]:
    """Return what is wrong with an area's texts. `terms` has by language: English term → term."""
    gaps = [
        _finding(area, language, code, "missing", "has no text")
        for language, codes in missing(area).items()
        for code in codes
    ]
    return gaps + [
        _finding(area, language, code, kind, detail)
        for language, texts in area.texts.items()
        for code, text in texts.items()
        for kind, detail in _wrong(area.texts[SOURCE_LANGUAGE][code], text, language, (terms or {}).get(language, {}))
    ]


def read_terms(folder: Path) -> dict[str, dict[str, str]]:
    """Return by language the key terms: English → its own. Raises LegislationError for a file that is not gettext."""
    return {file.stem: _terms(file) for file in sorted(folder.glob("*.po"))}


def _terms(file: Path) -> dict[str, str]:
    messages = catalogue(file, file.stem)
    return {str(one.id): str(one.string) for one in messages if one.id and one.string and not one.fuzzy}


def _finding(area: Area, language: str, code: str, kind: Kind, detail: str) -> Finding:
    file = area.folder / "locale" / f"{language}.po"
    return Finding(area.code, language, code, kind, detail, str(file), area.lines.get(language, {}).get(code))


def _wrong(english: str, text: str, language: str, terms: Mapping[str, str]) -> Iterator[tuple[Kind, str]]:
    if language == SOURCE_LANGUAGE:
        return
    if sorted(_PLACEHOLDER.findall(english)) != sorted(_PLACEHOLDER.findall(text)):
        yield "placeholders", "its placeholders are not those of the English text"
    if text == english and len(_WORD.findall(text)) >= _LONG:
        yield "same-as-source", "is the English text"
    if letters := foreign_letters(text, language):
        yield "script", f"letters of another script: {' '.join(letters)}"
    for term, own in terms.items():
        if _has(english, term) and not uses(text, own, language):
            yield "term", f"{term}: nothing of {own!r}"


def foreign_letters(text: str, language: str) -> list[str]:
    """Return the letters that look right and are not: those of another script inside a word of this language's.

    A whole word in Latin letters may stand in Greek or Bulgarian (IMI, EUR); in Latin, no other letter may.
    """
    script = SCRIPTS.get(language, "LATIN")
    odd = [word for word in _WORD.findall(text) if _is_odd({_script(one) for one in word}, script)]
    return [f"{one} ({unicodedata.name(one, '?')})" for word in odd for one in word if _script(one) != script]


def _is_odd(scripts: set[str], expected: str) -> bool:
    return not scripts <= {expected} and scripts != {"LATIN"}


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split()[0]


def _has(english: str, term: str) -> bool:
    return re.search(rf"\b{re.escape(term)}\b", english, re.IGNORECASE) is not None


def uses(text: str, term: str, language: str = "") -> bool:
    """Say whether a text has the words of a term, whatever their endings: each begins as one of the text does.

    Of forms with a stroke between them one is enough.
    """
    there = [_plain(word, language) for word in _WORD.findall(text)]
    forms = ([_stem(_plain(word, language)) for word in _WORD.findall(form)] for form in term.split("/"))
    return any(all(any(stem in word for word in there) for stem in stems) for stems in forms)


def _stem(word: str) -> str:
    """Half of a long word, so that neither an ending nor a changed vowel before it counts."""
    return word[: max(3, (len(word) + 1) // 2)]


def _plain(word: str, language: str) -> str:
    plain = "".join(one for one in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(one))
    return _LENITION.sub("", plain) if language == "ga" else plain
