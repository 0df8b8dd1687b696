"""What translation takes and gives: texts of an area, language by language, and the publication of a version."""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from contracts.languages import Language
from contracts.types import Code, Message, Part

MessageCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{1,200}$")]
"""Which text: `title`, `set.<code>`, `particular.<code>`, `question.<code>`, `question.<code>.<option>`."""

ItemType = Literal[
    "yes-no-unknown", "single", "multiple", "date", "number", "text", "country", "amount", "period", "code-list"
]
ListName = Literal["nace", "competences", "languages"]
"""The lists whose codes may be an answer: economic activities (NACE), the exchange's competences, its languages."""

_REQUIRED: Final[dict[Any, bool]] = {"no": False, "sending": True}


def _required(said: Any) -> Any:
    return _REQUIRED.get(said, said) if isinstance(said, str) else said


Required = Annotated[
    bool | Literal["saving"],
    BeforeValidator(_required),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["no", "saving", "sending"]}]}),
]
"""Whether something must be filled in: not at all, before it is sent, or even before it is saved.

`no` and `sending` are read as false and true, as they have always been written: whatever counts as true is required.
"""


class Condition(Part):
    """A sub-question is asked only when `question` was answered with `option`."""

    question: Code
    option: Code


class ItemRule(Part):
    """What may be filled in for a particular (by the sender) or a question (by the recipient)."""

    code: Code
    type: ItemType
    required: Required
    personal: bool
    options: tuple[Code, ...] = ()
    list: ListName | None = None
    condition: Condition | None = None
    set: Code | None = None
    group: Code | None = None


class Period(Part):
    """A length of time: exactly one of the three is given. Counted by Regulation (EEC, Euratom) 1182/71."""

    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    working_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    months: Annotated[int, Field(ge=1, le=120)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if [self.days, self.working_days, self.months].count(None) != 2:
            raise ValueError("either days, working_days or months")
        return self


class Deadlines(Part):
    """How long an acceptance and an answer may take, and for how long a case may stand still (Art. 14(7))."""

    acceptance: Period
    answer: Period
    idle: Period = Period(months=2)
    remind: Annotated[tuple[Annotated[int, Field(ge=0, le=365)], ...], Field(max_length=5)] = (7, 1)
    """How many days before an answer is due its authority is reminded, each time once."""


class Retention(Part):
    """When a closed case is blocked, and when what is personal in it is gone: Regulation (EU) 1024/2012, Art. 14."""

    blocked: Period = Period(months=6)
    deleted: Period = Period(months=36)


class Workflow(Part):
    """The switches that an area may set."""

    approval: bool = False
    refusal: bool = False
    own_state_cases: bool = False


class Participants(Part):
    """Who may take part: authorities with one of these competences, or without any named, all with access."""

    competences: Annotated[tuple[Code, ...], Field(max_length=200)] = ()


class AreaRules(Part):
    """What casework must know of an area: everything but the words."""

    legal_basis: str
    deadlines: Deadlines
    workflow: Workflow = Workflow()
    retention: Retention = Retention()
    participants: Participants = Participants()
    particulars: tuple[ItemRule, ...]
    questions: Annotated[tuple[ItemRule, ...], Field(min_length=1)]


class PutTexts(Message):
    """The operator lays down the texts of one area version in one language. Once published they never change."""

    TYPE: ClassVar[str] = "translation.put_texts.v1"
    area: Code
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    language: Language
    texts: Annotated[dict[MessageCode, Annotated[str, StringConstraints(min_length=1)]], Field(max_length=5000)]


class PublishArea(Message):
    """The operator publishes a version whose texts are laid down. New cases of the area begin with it."""

    TYPE: ClassVar[str] = "translation.publish_area.v1"
    area: Code
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    rules: AreaRules


Tag = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class ShowForm(Message):
    """Read what a form of an area needs: its questions and their words in one language, of one set or of all.

    Without `version` that of the version in force. With the `tag` of what one has, nothing comes when it still holds.
    """

    TYPE: ClassVar[str] = "translation.show_form.v1"
    area: Code
    version: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    language: Language
    set: Code | None = None
    tag: Tag | None = None


class Form(Part):
    """What a form needs. `in_english` names the texts that the language lacks; without `texts` the tag still holds."""

    area: Code
    version: int
    language: Language
    tag: Tag
    particulars: tuple[ItemRule, ...] | None = None
    questions: tuple[ItemRule, ...] | None = None
    texts: dict[MessageCode, str] | None = None
    in_english: tuple[MessageCode, ...] | None = None


class ShowLabels(Message):
    """Read what codes are called in one language: of the states, of the languages, or of a vocabulary.

    A vocabulary has the name under which the operator loaded it: of professions, activities, regions. `after` is the
    cursor of the page before. With the `tag` of what one has, nothing comes when it still holds.
    """

    TYPE: ClassVar[str] = "translation.show_labels.v1"
    of: Code
    language: Language
    after: Annotated[str, StringConstraints(max_length=64)] | None = None
    tag: Tag | None = None


class Labels(Part):
    """What codes are called. `in_english` names those that the language lacks; without `labels` the tag still holds."""

    of: Code
    language: Language
    tag: Tag
    labels: dict[str, str] | None = None
    in_english: tuple[str, ...] | None = None
    next: str | None = None
    """The cursor of the next page; without it there is none."""


CHANGES: tuple[type[Message], ...] = (PutTexts, PublishArea)
COMMANDS: tuple[type[Message], ...] = (*CHANGES, ShowForm, ShowLabels)


class AreaPublished(Message):
    """Event: a version of an area is in force, with these rules."""

    TYPE: ClassVar[str] = "translation.area.v1"
    area: Code
    version: int
    rules: AreaRules


EVENTS: tuple[type[Message], ...] = (AreaPublished,)
