"""Lint names what is wrong with a text, and the three areas have nothing that must be corrected but gaps."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from client.cli import app
from client.legislation import Area, Message, load
from client.lint import Finding, foreign_letters, lint, read_terms, uses

LEGISLATION = Path(__file__).parents[2] / "legislation"
AREAS = ("posting-of-workers", "professional-qualifications", "services")


def area(english: str, text: str, language: str = "de") -> Area:
    """An area of one text, in English and in another language."""
    return Area("x", 1, {}, (Message("title", english, ""),), {"en": {"title": english}, language: {"title": text}})


def kinds(found: list[Finding], language: str) -> list[str]:
    """What was found in a language."""
    return [one.kind for one in found if one.language == language]


CASES = [
    ("all right", "Posting of workers", "Entsendung", "de", []),
    ("English left", "Posting of workers", "Posting of workers", "de", ["same-as-source"]),
    ("a short text that is the same", "Diploma", "Diploma", "nl", []),
    ("a placeholder lost", "Since {date}", "Seit", "de", ["placeholders"]),
    ("a placeholder changed", "Since {date}", "Seit {datum}", "de", ["placeholders"]),
    ("a placeholder kept", "Since {date}", "Seit {date}", "de", []),
    ("a Cyrillic letter among Latin", "Address", "\u0410dresse", "de", ["script"]),
    ("a Latin letter among Cyrillic", "Address", "\u0410\u0434pec", "bg", ["script"]),
    ("a Latin word in Bulgarian", "IMI", "\u0432 IMI", "bg", []),
    ("a Greek word in Latin", "Address", "\u039f\u0394\u039f\u03a3", "mt", ["script"]),
    ("an ordinal", "Article 10", "Artigo 10.\u00ba", "pt", []),
    ("a key term left out", "The competent authority", "Das Amt", "de", ["term"]),
    ("a key term inflected", "Of the competent authority", "der zust\u00e4ndigen Beh\u00f6rden", "de", []),
]
TERMS = {"de": {"competent authority": "zust\u00e4ndige Beh\u00f6rde"}}


@pytest.mark.parametrize(("english", "text", "language", "found"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_wrong_with_a_text_is_named(english: str, text: str, language: str, found: list[str]) -> None:
    """And nothing is, where nothing is wrong."""
    assert kinds(lint(area(english, text, language), TERMS), language) == found


def test_a_language_without_a_text_is_named() -> None:
    """Each of the 24 others that has none."""
    assert {one.kind for one in lint(area("A", "B")) if one.language != "de"} == {"missing"}


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz\u00e4\u00e9\u0142\u0127 0123.,?", max_size=80))
def test_latin_letters_are_at_home_in_latin(text: str) -> None:
    """Accents and strokes too."""
    assert foreign_letters(text, "mt") == []


@given(st.text(alphabet="abcdefgh", min_size=1, max_size=30))
def test_a_text_uses_the_term_that_it_is(term: str) -> None:
    """However short the term."""
    assert uses(term, term)


@pytest.mark.parametrize("code", AREAS)
def test_no_text_that_is_there_must_be_corrected(code: str) -> None:
    """Placeholders and scripts are right in every language."""
    found = lint(load(LEGISLATION / code), read_terms(LEGISLATION / "terms"))
    assert [one for one in found if one.error and one.kind != "missing"] == []


def test_a_finding_names_the_file_and_the_line(tmp_path: Path) -> None:
    """Of the translation, where there is one; and the file that is to be made, where there is none."""
    folder = tmp_path / "services"
    shutil.copytree(LEGISLATION / "services", folder)
    german = folder / "locale" / "de.po"
    lines = german.read_text().split("\n")
    at = lines.index('msgctxt "title"') + 2
    lines[at] = 'msgstr "D\u0456enste"'
    german.write_text("\n".join(lines))
    (folder / "locale" / "fr.po").unlink()
    places = {one.language: one.place for one in lint(load(folder)) if one.code == "title"}
    assert places == {"de": f"{german}:{at}", "fr": str(folder / "locale" / "fr.po")}
    run = CliRunner().invoke(app, ["legislation", "lint", str(folder)])
    assert run.exit_code == 1
    assert f"{german}:{at}: title: script: " in run.stdout


def test_no_area_is_published_when_another_cannot_be_read(tmp_path: Path) -> None:
    """Before anybody is connected to, the file and what is wrong with it are named."""
    folders = [str(LEGISLATION / "services"), str(tmp_path)]
    run = CliRunner().invoke(app, ["legislation", "publish", *folders, "--url", "amqp://nobody@127.0.0.1:1/none"])
    assert run.exit_code == 1
    assert f"{tmp_path}/area.yaml: cannot be read" in run.stdout


def test_coverage_can_be_read_by_programs() -> None:
    """A share for each language and area."""
    run = CliRunner().invoke(app, ["legislation", "coverage", "--json", str(LEGISLATION / "services")])
    assert json.loads(run.stdout)["de"] == {"services": 1.0}


def test_lint_fails_while_something_is_missing(tmp_path: Path) -> None:
    """And names a folder that is no area."""
    run = CliRunner().invoke(app, ["legislation", "lint", str(tmp_path)])
    assert run.exit_code == 1
    assert "area.yaml" in run.stdout
