"""What a system finds in its inbox. Inside the exchange the same messages travel as views, without their texts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.case import (
    CaseHead,
    CaseTrail,
    CaseView,
    File,
    Recount,
    Republished,
    Retention,
    Score,
    Traced,
    Verified,
)
from contracts.directory import Asked, AuthorityHappening, Card, Found, FullCard, SystemHappening, TrailEntry
from contracts.languages import Language
from contracts.notifier import Preferences, SentEmail
from contracts.translation import Form, Labels
from contracts.types import AuthorityId, Code, FreeText, Message, Part, SystemId, Traceparent


class Worded(Message):
    """A message that translation fills words into.

    `in_other_language` has, by the language in which they are read instead, the codes of the texts that the reader's
    first language lacks: `question.since`, `state.replied`. Without it there are none.
    """

    in_other_language: dict[Language, tuple[str, ...]] | None = None


class Refused(Part):
    """Why a command was refused: a stable code, a sentence for people, and the field that is wrong."""

    code: str
    text: str | None = None
    field: str | None = None


class Outcome(Worded):
    """What came of a command. Its correlation id is the command's message id; a repetition has the same id."""

    TYPE: ClassVar[str] = "inbox.outcome.v1"
    kind: Literal["outcome"] = "outcome"
    command: str | None = None
    command_type: str | None = None
    status: Literal["done", "refused"]
    refused: Refused | None = None
    case: CaseView | None = None
    authority: Card | None = None
    alike: tuple[Card, ...] | None = None
    """Authorities of the same place and much the same name: perhaps it is registered already."""
    found: tuple[Found, ...] | None = None
    next: str | None = None
    """The cursor of the next page; without it there is none."""
    suggested: tuple[Card, ...] | None = None
    full: FullCard | None = None
    trail: tuple[TrailEntry, ...] | None = None
    system: SystemId | None = None
    cases: tuple[CaseHead, ...] | None = None
    proof: CaseTrail | None = None
    file: File | None = None
    form: Form | None = None
    labels: Labels | None = None
    scores: tuple[Score, ...] | None = None
    verified: Verified | None = None
    retention: Retention | None = None
    recount: Recount | None = None
    republished: Republished | None = None
    traced: Traced | None = None
    preferences: Preferences | None = None
    emails: tuple[SentEmail, ...] | None = None


class CaseUpdate(Worded):
    """Somebody else did something to a case, or its time came: the case as the reader may now see it."""

    TYPE: ClassVar[str] = "inbox.case.v1"
    kind: Literal["case"] = "case"
    reader: AuthorityId
    case: CaseView


class AuthorityUpdate(Worded):
    """Something happened to an authority that the reader acts for or has to decide on."""

    TYPE: ClassVar[str] = "inbox.authority.v1"
    kind: Literal["authority"] = "authority"
    event: AuthorityHappening
    text: str | None = None
    authority: Card
    area: Code | None = None
    reason: FreeText | None = None
    asked: Asked | None = None
    alike: tuple[Card, ...] | None = None


class SystemUpdate(Worded):
    """What happened to the reader's system, or to one that the reader had connected, and is now in force."""

    TYPE: ClassVar[str] = "inbox.system.v1"
    kind: Literal["system"] = "system"
    event: SystemHappening = "connected"
    text: str | None = None
    system: SystemId
    reason: FreeText | None = None


class Milestone(Message):
    """So many authorities have joined; `authority` was the one that made up the number."""

    TYPE: ClassVar[str] = "inbox.milestone.v1"
    kind: Literal["milestone"] = "milestone"
    activations: int
    authority: Card


Shown = Annotated[Outcome | CaseUpdate | AuthorityUpdate | SystemUpdate | Milestone, Field(discriminator="kind")]
INBOX: tuple[type[Message], ...] = (Outcome, CaseUpdate, AuthorityUpdate, SystemUpdate, Milestone)


class View(Part):
    """One message for one inbox. `reader` says whose languages count; without it the system's own do."""

    to: SystemId
    reader: AuthorityId | None = None
    message_id: str
    correlation_id: str | None = None
    traceparent: Traceparent | None = None
    """The span that made it: many views travel in one message, each in a trace of its own."""
    message: Shown


class Views(Message):
    """All that one change has to tell, a view for each reader, without texts. Translation fills them in."""

    TYPE: ClassVar[str] = "exchange.views.v1"
    views: Annotated[tuple[View, ...], Field(min_length=1)]
