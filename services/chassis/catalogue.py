"""Read gettext catalogues: one message per code (msgctxt), its English text as msgid."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from contracts.languages import LANGUAGES, LAST_RESORT


class StaleText(ValueError):
    """A translation was made from an English text that has changed since."""


def template(english: Mapping[str, str], title: str) -> Catalog:
    """Return the catalogue that translators start from: `english` by code, in its order."""
    catalog = Catalog(project=title, fuzzy=False)
    for code, text in english.items():
        catalog.add(text, context=code)
    return catalog


def write_template(path: Path, english: Mapping[str, str], title: str) -> None:
    """Write the `.pot` without its header: nothing in it changes unless a text does."""
    with path.open("wb") as file:
        write_po(file, template(english, title), width=110, omit_header=True)


def read(path: Path, english: Mapping[str, str]) -> dict[str, str]:
    """Return the finished translations of one `.po` by code. Missing, empty and fuzzy ones are left out.

    Raises `StaleText` for a code that is unknown or whose English text is no longer the present one.
    """
    with path.open("rb") as file:
        catalog = read_po(file)
    return dict(_finished(path, catalog, english))


def read_all(folder: Path, english: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the texts by language, English among them, for every language that has a file in `folder`."""
    texts = {LAST_RESORT: dict(english)}
    for language in LANGUAGES:
        path = folder / f"{language}.po"
        if path.exists():
            texts[language] = read(path, english)
    return texts


def _finished(path: Path, catalog: Catalog, english: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for message in catalog:
        if not message.id:
            continue
        code = message.context or ""
        if english.get(code) != message.id:
            raise StaleText(f"{path}: {code}: not the present English text")
        if message.string and not message.fuzzy:
            yield code, str(message.string)
