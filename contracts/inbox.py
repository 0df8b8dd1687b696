"""What a system finds in its inbox. Inside the exchange the same messages travel as views, without their texts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.casework import CaseView
from contracts.registry import Card
from contracts.types import AuthorityId, Message, Part, SystemId


class Refused(Part):
    """Why a command was refused: a stable code, a sentence for people, and the field that is wrong."""

    code: str
    text: str | None = None
    field: str | None = None


class Outcome(Message):
    """What came of a command. Its correlation id is the command's message id; a repetition has the same id."""

    TYPE: ClassVar[str] = "inbox.outcome.v1"
    kind: Literal["outcome"] = "outcome"
    command: str | None = None
    command_type: str | None = None
    status: Literal["done", "refused"]
    refused: Refused | None = None
    case: CaseView | None = None
    authority: Card | None = None
    found: tuple[Card, ...] | None = None
    system: SystemId | None = None


class CaseUpdate(Message):
    """The other side did something: the case as the reader may now see it."""

    TYPE: ClassVar[str] = "inbox.case.v1"
    kind: Literal["case"] = "case"
    reader: AuthorityId
    case: CaseView


class AuthorityUpdate(Message):
    """Something happened to an authority that the reader applied for or has to decide on."""

    TYPE: ClassVar[str] = "inbox.authority.v1"
    kind: Literal["authority"] = "authority"
    text: str | None = None
    authority: Card


class SystemUpdate(Message):
    """A system that the reader connected can now log in."""

    TYPE: ClassVar[str] = "inbox.system.v1"
    kind: Literal["system"] = "system"
    text: str | None = None
    system: SystemId


Shown = Annotated[Outcome | CaseUpdate | AuthorityUpdate | SystemUpdate, Field(discriminator="kind")]
INBOX: tuple[type[Message], ...] = (Outcome, CaseUpdate, AuthorityUpdate, SystemUpdate)


class View(Part):
    """One message for one inbox. `reader` says whose languages count; without it the system's own do."""

    to: SystemId
    reader: AuthorityId | None = None
    message_id: str
    correlation_id: str | None = None
    message: Shown


class Views(Message):
    """All that one change has to tell, a view for each reader, without texts. Translation fills them in."""

    TYPE: ClassVar[str] = "exchange.views.v1"
    views: Annotated[tuple[View, ...], Field(min_length=1)]
