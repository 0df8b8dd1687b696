"""What casework takes and gives: the commands on a case, and the case as one reader sees it."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.types import AuthorityId, CaseId, Code, FreeText, Label, Message, Part, User, Value

CaseState = Literal["awaiting-acceptance", "accepted", "replied", "closed"]
Happening = Literal["sent", "accepted", "replied", "closed"]
Verdict = Literal["good", "fair", "poor"]
Values = Annotated[dict[Code, Value], Field(max_length=200)]
SeenVersion = Annotated[int, Field(ge=1, le=1_000_000_000)] | None
"""The case's version that the user saw; when it is no longer the current one, the command is refused."""


class Rating(Part):
    """How the sender found the reply (scoreboard, negative ratings)."""

    timeliness: Verdict
    effort: Verdict


class SendRequest(Message):
    """Put questions of an area to an authority of another state. The case's number comes with the outcome."""

    TYPE: ClassVar[str] = "casework.send_request.v1"
    authority: AuthorityId
    recipient: AuthorityId
    area: Code
    questions: Annotated[tuple[Code, ...], Field(min_length=1, max_length=200)]
    particulars: Values
    comment: FreeText | None = None
    wished_date: date
    user: User


class AcceptRequest(Message):
    """Accept a request, and so be bound to answer every question by the wished date or the one proposed here."""

    TYPE: ClassVar[str] = "casework.accept_request.v1"
    authority: AuthorityId
    case: CaseId
    propose_date: date | None = None
    version: SeenVersion = None
    user: User


class Reply(Message):
    """Answer all questions."""

    TYPE: ClassVar[str] = "casework.reply.v1"
    authority: AuthorityId
    case: CaseId
    answers: Values
    comment: FreeText | None = None
    version: SeenVersion = None
    user: User


class CloseCase(Message):
    """Accept the reply, rate it, and close the case."""

    TYPE: ClassVar[str] = "casework.close_case.v1"
    authority: AuthorityId
    case: CaseId
    rating: Rating | None = None
    version: SeenVersion = None
    user: User


COMMANDS: tuple[type[Message], ...] = (SendRequest, AcceptRequest, Reply, CloseCase)


class Party(Part):
    """One side of a case."""

    authority: AuthorityId
    name: str
    country: Label


class AreaLabel(Label):
    """The area of a case, in the version with which the case began and keeps for ever."""

    version: int


class Item(Part):
    """A particular or a question, with what was filled in; `value_text` is the value as its reader reads it."""

    code: Code
    text: str | None = None
    value: Value | None = None
    value_text: str | None = None


class Event(Part):
    """What happened to a case, when, by whom."""

    code: Happening
    text: str | None = None
    at: datetime
    by: AuthorityId


class CaseView(Part):
    """The whole case as one reader may see it. A reader drops what is not newer than (`epoch`, `version`).

    `particulars` is absent until the recipient has accepted, if the reader is the recipient (Regulation (EU)
    1024/2012, Art. 9: need to know); so are the comment and everything else that may hold personal data.
    """

    id: CaseId
    epoch: int = 1
    version: int
    state: Label
    turn: AuthorityId | None = None
    area: AreaLabel
    sender: Party
    recipient: Party
    wished_date: date
    agreed_date: date | None = None
    acceptance_due: datetime
    questions: tuple[Item, ...]
    particulars: tuple[Item, ...] | None = None
    comment: FreeText | None = None
    reply_comment: FreeText | None = None
    rating: Rating | None = None
    event: Event
