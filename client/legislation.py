"""Read a legislative area: its rules, its English source texts and their translations.

An area is data, no code. ``legislation/<code>/`` holds ``area.yaml`` and ``questions.yaml`` with the English
texts, ``area.pot`` made from them for translators, and ``locale/<language>.po``.

    python -m client.legislation template   write each area's area.pot, and the JSON Schemas of the YAML files
    python -m client.legislation check      print what is not translated; exit 1 if anything is not
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from client.legislation_source import (
    AreaFile,
    Entry,
    Field,
    Item,
    Question,
    QuestionsFile,
    read_area,
    read_questions,
    walk,
)
from client.translation_file import TranslationFile, read
from client.yaml_lines import LegislationError
from contracts.languages import LANGUAGES
from contracts.translation import AreaRules

__all__ = ["Area", "LegislationError", "Message", "load", "load_source", "missing", "template"]

SOURCE_LANGUAGE = "en"

_POT_HEADER = """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


@dataclass(frozen=True)
class Message:
    """A translatable text: its code, the English text, and what a translator needs to know of its place."""

    code: str
    english: str
    comment: str


@dataclass(frozen=True)
class Area:
    """A legislative area as its folder states it.

    `rules` is the JSON of contracts.translation.AreaRules; `texts` is language → message code → text, `lines` the
    same → line of the language's file.
    """

    code: str
    version: int
    rules: dict[str, Any]
    messages: tuple[Message, ...]
    texts: dict[str, dict[str, str]]
    lines: dict[str, dict[str, int]] = field(default_factory=dict)
    folder: Path = Path()


def load(folder: Path) -> Area:
    """Read an area with its translations; an untranslated or fuzzy text is left out of `texts`.

    Raises LegislationError for a mistake in the YAML, and for a translation of an unknown or a changed text.
    """
    area = load_source(folder)
    files = {file.stem: _translation(file, area) for file in sorted((folder / "locale").glob("*.po"))}
    texts = {language: file.texts for language, file in files.items()}
    lines = {language: file.lines for language, file in files.items()}
    return replace(area, texts=area.texts | texts, lines=lines)


def load_source(folder: Path) -> Area:
    """Read an area in English alone, whatever the state of its translations. Raises LegislationError."""
    head, questions = read_area(folder / "area.yaml"), read_questions(folder / "questions.yaml")
    messages = (_title(head), *_messages(questions))
    english = {message.code: message.english for message in messages}
    return Area(head.code, head.version, _rules(head, questions), messages, {SOURCE_LANGUAGE: english}, folder=folder)


def missing(area: Area) -> dict[str, list[str]]:
    """Return language → message codes without a text, in file order; a complete language is left out."""
    codes = {language: _untranslated(area, language) for language in LANGUAGES}
    return {language: absent for language, absent in codes.items() if absent}


def template(area: Area) -> str:
    """Return the gettext template (.pot) of an area: the same bytes for the same source, in file order."""
    catalog = Catalog(charset="utf-8")
    for message in area.messages:
        catalog.add(message.english, context=message.code, auto_comments=[message.comment])
    out = BytesIO()
    write_po(out, catalog, omit_header=True)
    return _POT_HEADER + out.getvalue().decode()


def _untranslated(area: Area, language: str) -> list[str]:
    texts = area.texts.get(language, {})
    return [message.code for message in area.messages if message.code not in texts]


def _rules(head: AreaFile, questions: QuestionsFile) -> dict[str, Any]:
    rules = {
        **head.model_dump(
            include={"legal_basis", "workflow", "deadlines", "retention", "participants"}, exclude_none=True
        ),
        "particulars": [_field(particular) for particular in questions.particulars],
        "questions": [_question(question, places) for question, places in _questions(questions)],
    }
    return AreaRules.model_validate(rules).model_dump(mode="json", exclude_none=True)


def _questions(questions: QuestionsFile) -> Iterator[tuple[Question, tuple[Item, ...]]]:
    return ((entry.item, entry.places) for entry in walk(questions) if isinstance(entry.item, Question))


def _field(field: Field) -> dict[str, Any]:
    return {
        **field.model_dump(include={"code", "type", "required", "personal", "list"}),
        "options": list(field.options),
    }


def _question(question: Question, places: tuple[Item, ...]) -> dict[str, Any]:
    condition = question.condition.model_dump() if question.condition else None
    return {**_field(question), "condition": condition, "set": places[0].code, "group": places[1].code}


def _title(head: AreaFile) -> Message:
    return Message("title", head.title, "Title of the legislative area, as shown in lists.")


def _messages(questions: QuestionsFile) -> Iterator[Message]:
    by_code = {question.code: question for question, _ in _questions(questions)}
    for entry in walk(questions):
        yield Message(f"{entry.kind}.{entry.item.code}", entry.item.text, _comment(entry, by_code))
        for option, text in entry.options.items():
            yield Message(f"{entry.kind}.{entry.item.code}.{option}", text, _option_comment(entry))


def _comment(entry: Entry, by_code: dict[str, Question]) -> str:
    place = ", ".join(f'{kind} "{item.text}"' for kind, item in zip(("set", "group"), entry.places, strict=False))
    match entry.item:
        case Question() as question:
            return f"Question in the {place}; type of answer: {question.type}.{_shown_when(question, by_code)}"
        case Field() as particular:
            return f"Field that the asking authority fills in; type: {particular.type}."
    return f"Title of a group of questions in the {place}." if place else "Title of a question set."


def _shown_when(question: Question, by_code: dict[str, Question]) -> str:
    if question.condition is None:
        return ""
    parent = by_code[question.condition.question]
    return f' Asked only when "{parent.text}" is answered "{parent.options[question.condition.option]}"'


def _option_comment(entry: Entry) -> str:
    kind = "Answer to the question" if entry.kind == "question" else "Choice in the field"
    return f'{kind} "{entry.item.text}"'


def _translation(file: Path, area: Area) -> TranslationFile:
    """Read one .po file, of a language into which is translated."""
    if file.stem not in LANGUAGES or file.stem == SOURCE_LANGUAGE:
        raise LegislationError(file, None, f"{file.stem} is not a language to translate into")
    return read(file, area.texts[SOURCE_LANGUAGE])


def _write_templates(root: Path, folders: Sequence[Path]) -> int:
    for name, model in (("area", AreaFile), ("questions", QuestionsFile)):
        (root / f"{name}.schema.json").write_text(json.dumps(model.model_json_schema(), indent=2) + "\n")
    for folder in folders:
        (folder / "area.pot").write_text(template(load_source(folder)), encoding="utf-8")
    return 0


def _check(_: Path, folders: Sequence[Path]) -> int:
    gaps = [(folder.name, gap) for folder in folders for gap in missing(load(folder)).items()]
    for area, (language, codes) in gaps:
        print(f"{area} {language}: {len(codes)} missing: {' '.join(codes)}")  # noqa: T201 - a program for a terminal
    return 1 if gaps else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `template` or `check` over all areas of a folder; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m client.legislation", description="Legislative areas as files.")
    parser.add_argument("command", choices=("template", "check"))
    parser.add_argument("root", nargs="?", type=Path, default=Path("legislation"), help="the folder of the areas")
    chosen = parser.parse_args(arguments)
    folders = sorted(file.parent for file in chosen.root.glob("*/area.yaml"))
    run = {"template": _write_templates, "check": _check}[chosen.command]
    try:
        return run(chosen.root, folders)
    except LegislationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program for a terminal
        return 1


if __name__ == "__main__":
    sys.exit(main())
