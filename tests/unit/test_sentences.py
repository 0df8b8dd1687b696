"""What the exchange itself says is there in all its languages, and says there what it says in English."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from contracts.case import CaseState, Happening
from contracts.directory import AuthorityHappening, MatchKind, SystemHappening
from contracts.languages import LANGUAGES, LAST_RESORT
from contracts.sentences import LABELS, REFUSALS, SENTENCES
from services.chassis.catalogue import StaleText, read, read_all

ROOT = Path(__file__).parents[2]
LOCALE = ROOT / "contracts" / "locale"
TRANSLATED = [language for language in LANGUAGES if language != LAST_RESORT]
PLACEHOLDER = re.compile(r"\{[^}]*\}|%\([a-z_]+\)[a-z]|%[a-z]")
TEXTS = read_all(LOCALE, SENTENCES)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_refusal_and_label_exists_in_every_language(language: str) -> None:
    """Finished: neither empty nor marked as uncertain; and made from the present English text."""
    assert set(TEXTS[language]) == set(SENTENCES)


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_has_the_placeholders_of_its_original(language: str) -> None:
    """No more, no fewer, none misspelt."""
    for code, english in SENTENCES.items():
        assert Counter(PLACEHOLDER.findall(TEXTS[language][code])) == Counter(PLACEHOLDER.findall(english)), code


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_holds_each_code_once_and_nothing_else(language: str) -> None:
    """No text that nothing says any more, and the header names the language."""
    with (LOCALE / f"{language}.po").open("rb") as file:
        catalog = read_po(file)
    codes = [message.context for message in catalog if message.id]
    assert sorted(filter(None, codes)) == sorted(SENTENCES)
    assert not catalog.obsolete
    assert str(catalog.locale) == language


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_is_whole_sentences_and_not_the_english_ones(language: str) -> None:
    """A refusal ends as a sentence does, and no two refusals read the same."""
    texts = TEXTS[language]
    assert [code for code in REFUSALS if texts[f"refusal.{code}"] == REFUSALS[code]] == []
    assert [code for code in REFUSALS if not texts[f"refusal.{code}"].rstrip().endswith(".")] == []
    assert len({texts[f"refusal.{code}"] for code in REFUSALS}) == len(REFUSALS)


def test_the_template_for_translators_is_the_present_one() -> None:
    """`make docs` writes it."""
    with (LOCALE / "exchange.pot").open("rb") as file:
        assert {message.context: message.id for message in read_po(file) if message.id} == SENTENCES


def test_there_is_a_catalogue_for_every_language_and_no_other() -> None:
    """English stands in the code."""
    assert sorted(path.stem for path in LOCALE.glob("*.po")) == TRANSLATED


def test_whatever_may_happen_has_a_label() -> None:
    """Every state of a case, whatever happens to cases, authorities and systems, every kind of match, every note."""
    wanted = {
        *(f"state.{state}" for state in CaseState.__args__),  # type: ignore[attr-defined] # a Literal's values
        *(f"event.{event}" for event in Happening.__args__),  # type: ignore[attr-defined] # as above
        *(f"authority.{what}" for what in AuthorityHappening.__args__),  # type: ignore[attr-defined] # as above
        *(f"system.{what}" for what in SystemHappening.__args__),  # type: ignore[attr-defined] # as above
        *(f"match.{kind}" for kind in MatchKind.__args__),  # type: ignore[attr-defined] # as above
        "note.machine-translation",
    }
    assert set(LABELS) == wanted


def codes_in(path: Path) -> set[str]:
    """The codes with which this file refuses something."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    refusals = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Refusal"]
    first = [call.args[0] for call in refusals]
    said = [part for one in first for part in ((one.body, one.orelse) if isinstance(one, ast.IfExp) else (one,))]
    return {str(one.value) for one in said if isinstance(one, ast.Constant)}


def test_every_code_with_which_a_service_refuses_has_a_sentence() -> None:
    """And `field` tells the rest."""
    used = {code for path in (ROOT / "services").rglob("*.py") for code in codes_in(path)}
    assert used
    assert used <= set(REFUSALS)


PO = """\
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

{flags}msgctxt "{code}"
msgid "{english}"
msgstr "{text}"
"""
FILES = [
    ("finished", {}, {"a": "Eins"}),
    ("empty", {"text": ""}, {}),
    ("uncertain", {"flags": "#, fuzzy\n"}, {}),
]


def written(folder: Path, **changes: str) -> Path:
    """A catalogue of one message."""
    path = folder / "de.po"
    path.write_text(PO.format(**{"flags": "", "code": "a", "english": "One", "text": "Eins", **changes}))
    return path


@pytest.mark.parametrize(("changes", "texts"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_only_finished_translations_are_read(tmp_path: Path, changes: dict[str, str], texts: dict[str, str]) -> None:
    """For the others the reader's next language is taken."""
    assert read(written(tmp_path, **changes), {"a": "One"}) == texts


@pytest.mark.parametrize(
    "changes", [{"english": "Won"}, {"code": "b"}], ids=["another English text", "an unknown code"]
)
def test_a_translation_of_a_text_that_has_changed_is_not_read(tmp_path: Path, changes: dict[str, str]) -> None:
    """It might say the opposite of what is said now."""
    with pytest.raises(StaleText):
        read(written(tmp_path, **changes), {"a": "One"})
