"""The areas load, are whole in every language, and a mistake in a file is named with its place."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from client.legislation import Area, LegislationError, load, load_source, main, missing, template
from contracts.languages import LANGUAGES
from contracts.translation import AreaRules

LEGISLATION = Path(__file__).parents[2] / "legislation"
AREAS = ("posting-of-workers", "professional-qualifications", "services")

AREA = """\
code: fishing
version: 1
title: Fishing
legal_basis: 32005L0036
deadlines:
  acceptance: {days: 7}
  answer: {working_days: 14}
workflow: {approval: false, refusal: false, own_state_cases: false}
"""
QUESTIONS = """\
particulars:
  - {code: boat, text: Name of the boat, type: text, required: true, personal: false}
sets:
  - code: general
    text: General
    groups:
      - code: licence
        text: Licence
        questions:
          - code: licensed
            text: Is there a licence?
            type: yes-no-unknown
            required: true
            personal: false
            options: {yes: There is., no: There is none., unknown: We do not know.}
          - code: since
            text: Since when?
            type: date
            required: true
            personal: false
            condition: {question: licensed, option: yes}
"""
HEAD = 'msgid ""\nmsgstr ""\n'
TITLE = 'msgctxt "title"\nmsgid "Fishing"\nmsgstr "Fischerei"\n'


class Mistake(NamedTuple):
    file: str
    old: str
    new: str
    line: int
    reason: str


YAML_MISTAKES = {
    "unknown key": Mistake("area.yaml", "version: 1", "edition: 1", 1, "version: Field required"),
    "wrong type": Mistake("area.yaml", "version: 1", "version: one", 2, "version: Input should be a valid integer"),
    "another folder's code": Mistake("area.yaml", "code: fishing", "code: hunting", 1, "the folder fishing"),
    "no period": Mistake("area.yaml", "{days: 7}", "{weeks: 1}", 6, "deadlines.acceptance"),
    "a key twice": Mistake("area.yaml", "version: 1", "code: fishing", 2, "code stands here twice"),
    "no YAML": Mistake("questions.yaml", "sets:", "sets", 4, "could not find expected ':'"),
    "unknown answer type": Mistake("questions.yaml", "type: date", "type: day", 18, "questions.1.type"),
    "a code with a space": Mistake("questions.yaml", "code: since", "code: since when", 16, "questions.1.code"),
    "a question twice": Mistake(
        "questions.yaml",
        "code: since",
        "code: licensed",
        16,
        "question licensed stands here twice",
    ),
    "a condition on nothing": Mistake(
        "questions.yaml",
        "question: licensed",
        "question: boat",
        21,
        "boat is not an earlier",
    ),
    "an unknown answer": Mistake(
        "questions.yaml",
        "option: yes",
        "option: maybe",
        21,
        "maybe is not an option of licensed",
    ),
    "a code of no list": Mistake("questions.yaml", "type: date", "type: code-list", 16, "list belongs to code-list"),
    "an unknown list": Mistake("questions.yaml", "type: date", "type: code-list\n            list: x", 19, "list"),
    "required for nothing": Mistake("questions.yaml", "required: true", "required: maybe", 2, "particulars.0.required"),
    "too many years": Mistake("area.yaml", "{days: 7}", "{months: 121}", 6, "deadlines.acceptance"),
    "a choice of nothing": Mistake("questions.yaml", "type: date", "type: single", 16, "these need them"),
    "choices for a date": Mistake("questions.yaml", "type: yes-no-unknown", "type: date", 10, "options belong to"),
    "half a yes-no-unknown": Mistake("questions.yaml", ", unknown: We do not know.", "", 10, "are yes, no, unknown"),
}
PO_MISTAKES = {
    "an unknown code": (TITLE.replace('"title"', '"name"'), 2, "name is not a message of this area"),
    "a stale text": (TITLE.replace("Fishing", "Angling"), 2, "title is stale"),
    "no code": (TITLE.removeprefix('msgctxt "title"\n'), 1, "no msgctxt"),
    "no gettext": (TITLE + "Fischen\n", 4, "Fischen"),
    "a code twice": (TITLE + TITLE, 4, "twice"),
    "another charset": (HEAD + '"Content-Type: text/plain; charset=ISO-8859-1\\n"\n' + TITLE, 3, "not UTF-8"),
    "another language": (HEAD + '"Language: da\\n"\n' + TITLE, 3, "the language is da, the file de"),
    "too many plural forms": (HEAD + '"Plural-Forms: nplurals=3; plural=(n != 1);\\n"\n' + TITLE, 3, "plural forms"),
    "a form that there is not": (HEAD + '"Plural-Forms: nplurals=2; plural=n;\\n"\n' + TITLE, 3, "plural forms"),
    "no formula": (HEAD + '"Plural-Forms: nplurals=2; plural=n ! 1;\\n"\n' + TITLE, 3, "plural forms"),
    "a plural": (
        TITLE.replace('msgstr "', 'msgid_plural "Fishings"\nmsgstr[0] "x"\nmsgstr[1] "'),
        2,
        "title has plural forms",
    ),
}


@pytest.fixture
def fishing(tmp_path: Path) -> Path:
    folder = tmp_path / "fishing"
    (folder / "locale").mkdir(parents=True)
    (folder / "area.yaml").write_text(AREA)
    (folder / "questions.yaml").write_text(QUESTIONS)
    return folder


def _translated(folder: Path, language: str, po: str) -> Area:
    (folder / "locale" / f"{language}.po").write_text(po)
    return load(folder)


@pytest.mark.parametrize("code", AREAS)
def test_an_area_loads_with_the_rules_that_the_exchange_takes(code: str) -> None:
    """What is read from the folder is what may be published: JSON that fits the contract."""
    area = load(LEGISLATION / code)
    assert area.code == code
    assert AreaRules.model_validate_json(json.dumps(area.rules)).questions


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", AREAS)
def test_an_area_is_whole_in_every_language(code: str, language: str) -> None:
    """No reader of any language meets a text that is not translated."""
    assert missing(load(LEGISLATION / code)).get(language, []) == []


@pytest.mark.parametrize("code", AREAS)
def test_the_template_is_of_the_current_english(code: str) -> None:
    """Translators work from area.pot, so it never lags behind the YAML."""
    assert (LEGISLATION / code / "area.pot").read_text(encoding="utf-8") == template(load_source(LEGISLATION / code))


def test_schemas_are_of_the_current_format(tmp_path: Path) -> None:
    """An editor that follows the schemas accepts what `load` accepts."""
    assert main(["template", str(tmp_path)]) == 0
    for name in ("area.schema.json", "questions.schema.json"):
        assert (LEGISLATION / name).read_text() == (tmp_path / name).read_text()


def test_rules_carry_no_words_and_know_the_place_of_each_question(fishing: Path) -> None:
    """Casework gets codes alone; set, group and condition stand at the question."""
    assert load(fishing).rules["questions"][1] == {
        "code": "since",
        "type": "date",
        "required": True,
        "personal": False,
        "options": [],
        "condition": {"question": "licensed", "option": "yes"},
        "set": "general",
        "group": "licence",
    }


def test_deadlines_are_in_calendar_or_in_working_days(fishing: Path) -> None:
    """The unit that the area states is the unit that is published."""
    deadlines = load(fishing).rules["deadlines"]
    assert deadlines["acceptance"] == {"days": 7}
    assert deadlines["answer"] == {"working_days": 14}


def test_everything_that_an_area_may_set_arrives(fishing: Path) -> None:
    """Months, idleness, reminders, retention and participants are published as they stand in the file."""
    file = fishing / "area.yaml"
    more = """\
  idle: {months: 2}
  remind: [3]
retention:
  blocked: {months: 3}
  deleted: {days: 400}
participants: {competences: [angling]}
"""
    file.write_text(file.read_text().replace("workflow", more + "workflow"))
    rules = AreaRules.model_validate(load(fishing).rules)
    assert (rules.deadlines.idle.months, rules.deadlines.remind) == (2, (3,))
    assert (rules.retention.blocked.months, rules.retention.deleted.days) == (3, 400)
    assert rules.participants.competences == ("angling",)


def test_what_is_required_is_said_in_words_or_by_yes_and_no(fishing: Path) -> None:
    """`no` and `sending` are false and true, as they were; `saving` stands by itself."""
    file = fishing / "questions.yaml"
    found = []
    for word in ("no", "false", "saving", "sending", "true"):
        file.write_text(QUESTIONS.replace("required: true", f"required: {word}", 1))
        found.append(AreaRules.model_validate(load(fishing).rules).particulars[0].required)
    assert found == [False, False, "saving", True, True]


def test_english_texts_are_found_by_message_code(fishing: Path) -> None:
    """English comes from the YAML itself, in the file's order, and `yes` is a word there."""
    assert load(fishing).texts["en"] == {
        "title": "Fishing",
        "particular.boat": "Name of the boat",
        "set.general": "General",
        "group.licence": "Licence",
        "question.licensed": "Is there a licence?",
        "question.licensed.yes": "There is.",
        "question.licensed.no": "There is none.",
        "question.licensed.unknown": "We do not know.",
        "question.since": "Since when?",
    }


def test_a_template_tells_translators_where_a_text_stands(fishing: Path) -> None:
    """An answer names its question, and a sub-question the answer that makes it appear."""
    pot = template(load(fishing))
    assert '#. Answer to the question "Is there a licence?"\nmsgctxt "question.licensed.yes"' in pot
    assert 'is answered "There is."' in pot


@pytest.mark.parametrize(
    ("po", "text"),
    [
        pytest.param(TITLE, "Fischerei", id="translated"),
        pytest.param(TITLE.replace("Fischerei", ""), None, id="empty"),
        pytest.param("#, fuzzy\n" + TITLE, None, id="fuzzy"),
    ],
)
def test_only_a_finished_translation_counts(fishing: Path, po: str, text: str | None) -> None:
    """An empty or a fuzzy msgstr is missing, and is never shown."""
    area = _translated(fishing, "de", po)
    assert area.texts["de"].get("title") == text
    assert ("title" in missing(area)["de"]) == (text is None)


@pytest.mark.parametrize("mistake", YAML_MISTAKES.values(), ids=YAML_MISTAKES)
def test_a_mistake_in_yaml_is_named_with_its_place(fishing: Path, mistake: Mistake) -> None:
    """A lawyer who edits a file reads which file, which line, and what is wrong."""
    file = fishing / mistake.file
    file.write_text(file.read_text().replace(mistake.old, mistake.new, 1))
    with pytest.raises(LegislationError) as caught:
        load(fishing)
    assert (caught.value.file, caught.value.line) == (file, mistake.line)
    assert mistake.reason in caught.value.reason


@pytest.mark.parametrize(("po", "line", "reason"), PO_MISTAKES.values(), ids=PO_MISTAKES)
def test_a_mistake_in_a_translation_is_named_with_its_place(fishing: Path, po: str, line: int, reason: str) -> None:
    """A text of another area, or of an English that has since changed, is not taken for a translation."""
    with pytest.raises(LegislationError) as caught:
        _translated(fishing, "de", po)
    assert (caught.value.file, caught.value.line) == (fishing / "locale" / "de.po", line)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "forms",
    ["nplurals=2; plural=(n != 1)", "nplurals=2; plural=(n > 1)"],
)
def test_plural_forms_that_fit_the_language_are_taken(fishing: Path, forms: str) -> None:
    """As editors write them, whether or not any text is in the plural."""
    assert _translated(fishing, "de", f'{HEAD}"Plural-Forms: {forms};\\n"\n\n{TITLE}').texts["de"]


@pytest.mark.parametrize("name", ["area.yaml", "questions.yaml", "locale/de.po"])
def test_a_byte_that_is_no_text_is_named_by_its_line(fishing: Path, name: str) -> None:
    """An editor with another character set is found out."""
    file = fishing / name
    file.write_bytes(b"# one\n# two \xe4\n")
    with pytest.raises(LegislationError, match="is not UTF-8") as caught:
        load(fishing)
    assert (caught.value.file, caught.value.line) == (file, 2)


@pytest.mark.parametrize("language", ["en", "xx"])
def test_a_file_of_no_target_language_is_refused(fishing: Path, language: str) -> None:
    """English is in the YAML alone, and a misspelt file name does not pass silently."""
    with pytest.raises(LegislationError, match="not a language to translate into"):
        _translated(fishing, language, TITLE)


def test_an_absent_file_is_named(fishing: Path) -> None:
    """A folder without its questions is no area."""
    (fishing / "questions.yaml").unlink()
    with pytest.raises(LegislationError, match=r"questions\.yaml"):
        load(fishing)


def test_check_fails_and_names_what_is_missing(fishing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends with 1 while a text is missing, and says which and in which language."""
    _translated(fishing, "de", TITLE)
    assert main(["check", str(fishing.parent)]) == 1
    assert "fishing de: 8 missing: particular.boat" in capsys.readouterr().out
