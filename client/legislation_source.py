"""The YAML files of a legislative area: what they may hold, and where in a file a mistake is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from annotated_types import Ge, Le, Len
from pydantic import BaseModel, ConfigDict, PositiveInt, StringConstraints, ValidationError, model_validator

from client.yaml_lines import Document, Step, parse
from contracts.translation import ItemType, ListName, Required, Workflow

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Text = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$")]
Celex = Annotated[str, StringConstraints(pattern=r"^3\d{4}[LRD]\d{4}$")]

CHOICES = ("yes-no-unknown", "single", "multiple")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CalendarDays(_Part):
    """A period in calendar days."""

    days: Annotated[PositiveInt, Le(3650)]


class WorkingDays(_Part):
    """A period in working days of the answering state."""

    working_days: Annotated[PositiveInt, Le(3650)]


class Months(_Part):
    """A period in months, from date to date."""

    months: Annotated[PositiveInt, Le(120)]


Length = CalendarDays | WorkingDays | Months


class Deadlines(_Part):
    """Within which period a request is to be accepted, and then answered (counted by Regulation 1182/71).

    `idle`: for how long a case may stand still; `remind`: how many days before an answer is due.
    """

    acceptance: Length
    answer: Length
    idle: Length | None = None
    remind: Annotated[list[Annotated[int, Ge(0), Le(365)]], Len(0, 5)] | None = None


class Retention(_Part):
    """When a closed case is blocked, and when what is personal in it is deleted."""

    blocked: Length | None = None
    deleted: Length | None = None


class Participants(_Part):
    """Who may take part: authorities with one of these competences; without any named, all with access."""

    competences: Annotated[list[Code], Len(max_length=200)] = []


class AreaFile(_Part):
    """area.yaml: an area's identity and its rules; `legal_basis` is a CELEX number."""

    code: Code
    version: Annotated[PositiveInt, Le(1_000_000)]
    title: Text
    legal_basis: Celex
    deadlines: Deadlines
    workflow: Workflow
    retention: Retention = Retention()
    participants: Participants = Participants()


class Item(_Part):
    """Anything that has a code and an English text."""

    code: Code
    text: Text


class Field(Item):
    """Something to fill in; `options` is code → English text, for the choice types alone."""

    type: ItemType
    required: Required
    personal: bool
    options: dict[Code, Text] = {}
    list: ListName | None = None

    @model_validator(mode="after")
    def _options_fit_type(self) -> Self:
        if bool(self.options) != (self.type in CHOICES):
            raise ValueError(f"{self.code}: options belong to {', '.join(CHOICES)}, and these need them")
        if (self.list is not None) != (self.type == "code-list"):
            raise ValueError(f"{self.code}: list belongs to code-list, which needs it")
        if self.type == "yes-no-unknown" and tuple(self.options) != ("yes", "no", "unknown"):
            raise ValueError(f"{self.code}: the options of yes-no-unknown are yes, no, unknown, in this order")
        return self


class Condition(_Part):
    """The answer to an earlier question that makes a sub-question appear."""

    question: Code
    option: Code


class Question(Field):
    """A question that the authority asked answers."""

    condition: Condition | None = None


class Group(Item):
    """Questions under one heading."""

    questions: Annotated[list[Question], Len(min_length=1)]


class QuestionSet(Item):
    """The questions for one purpose, in groups."""

    groups: Annotated[list[Group], Len(min_length=1)]


class QuestionsFile(_Part):
    """questions.yaml: what the asking authority fills in, and what the authority asked answers."""

    particulars: list[Field]
    sets: Annotated[list[QuestionSet], Len(min_length=1)]


@dataclass(frozen=True)
class Entry:
    """One coded item of questions.yaml: its kind, its path in the file, and the set and group around it."""

    kind: Literal["particular", "set", "group", "question"]
    path: tuple[Step, ...]
    item: Item
    places: tuple[Item, ...] = ()

    @property
    def options(self) -> dict[str, str]:
        """Option code → English text; empty for a set, a group and what is not a choice."""
        return self.item.options if isinstance(self.item, Field) else {}


_File = TypeVar("_File", AreaFile, QuestionsFile)


def read_area(file: Path) -> AreaFile:
    """Read area.yaml, which states the name of its folder as its code. Raises LegislationError."""
    document = parse(file)
    area = _model(document, AreaFile)
    if area.code != file.parent.name:
        raise document.error(("code",), f"the code is {area.code}, the folder {file.parent.name}")
    return area


def read_questions(file: Path) -> QuestionsFile:
    """Read questions.yaml: unique codes, conditions on earlier answers. Raises LegislationError."""
    document = parse(file)
    questions = _model(document, QuestionsFile)
    _check_codes(document, list(walk(questions)))
    _check_conditions(document, list(walk(questions)))
    return questions


def walk(questions: QuestionsFile) -> Iterator[Entry]:
    """Yield everything that has a code, in the order of the file."""
    for p, particular in enumerate(questions.particulars):
        yield Entry("particular", ("particulars", p), particular)
    for s, question_set in enumerate(questions.sets):
        yield Entry("set", ("sets", s), question_set)
        for g, group in enumerate(question_set.groups):
            yield from _walk_group(("sets", s, "groups", g), question_set, group)


def _walk_group(path: tuple[Step, ...], question_set: QuestionSet, group: Group) -> Iterator[Entry]:
    yield Entry("group", path, group, (question_set,))
    for q, question in enumerate(group.questions):
        yield Entry("question", (*path, "questions", q), question, (question_set, group))


def _model(document: Document, model: type[_File]) -> _File:
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise document.error(first["loc"], f"{where}: {first['msg']}") from error


def _check_codes(document: Document, entries: list[Entry]) -> None:
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        name = (entry.kind, entry.item.code)
        if name in seen:
            raise document.error((*entry.path, "code"), f"{entry.kind} {entry.item.code} stands here twice")
        seen.add(name)


def _check_conditions(document: Document, entries: list[Entry]) -> None:
    """A sub-question follows its question in the same set: whoever is asked has then been asked both."""
    earlier: dict[tuple[str, str], Question] = {}
    for entry in entries:
        if not isinstance(entry.item, Question):
            continue
        if reason := _wrong_condition(entry, earlier):
            raise document.error((*entry.path, "condition"), f"{entry.item.code}: {reason}")
        earlier[entry.places[0].code, entry.item.code] = entry.item


def _wrong_condition(entry: Entry, earlier: dict[tuple[str, str], Question]) -> str | None:
    condition = entry.item.condition if isinstance(entry.item, Question) else None
    if condition is None:
        return None
    parent = earlier.get((entry.places[0].code, condition.question))
    if parent is None:
        return f"{condition.question} is not an earlier question of the same set"
    if condition.option not in parent.options:
        return f"{condition.option} is not an option of {condition.question}"
    return None
