"""What casework tells of time: by when who has to do what, and what has just happened. Never personal data."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.types import AuthorityId, CaseId, Code, Message, Part, Traceparent

DeadlineKind = Literal["approval", "acceptance", "answer", "clarification", "referral", "idle"]
"""`idle` is no duty: the case will have stood still for so long that its coordinators are involved (Art. 14(7))."""

NoticeKind = Literal[
    "arrived",
    "accepted",
    "replied",
    "clarification-asked",
    "clarified",
    "referred",
    "decided",
    "forwarded",
    "withdrawn",
    "refused",
    "returned",
    "approval-asked",
    "closed",
    "message",
    "idle",
]


class Deadline(Part):
    """By when which authority has to do what. `remind` is how many days before it is reminded, the earliest first."""

    kind: DeadlineKind
    authority: AuthorityId
    due: datetime
    coordinators: tuple[AuthorityId, ...] = ()
    """Who else is told once it has passed."""
    remind: Annotated[tuple[Annotated[int, Field(ge=0, le=365)], ...], Field(max_length=5)] = (2,)


class Notice(Part):
    """Who is to hear of what has just happened."""

    kind: NoticeKind
    authority: AuthorityId


class Dates(Message):
    """Event: all the dates that a case now has, and what led to them. A date that is missing is met or void.

    (`epoch`, `version`) orders the events of a case: what is not newer changes nothing.
    """

    TYPE: ClassVar[str] = "casework.dates.v1"
    case: CaseId
    epoch: int = 1
    version: int
    area: Code
    state: Code | None = None
    """Without it nobody can know whether what asks for a step is still needed: it is told."""
    at: datetime
    deadlines: tuple[Deadline, ...]
    notices: tuple[Notice, ...] = ()
    traceparent: Traceparent | None = None
    """The span that made them."""


class AllDates(Message):
    """Event: the dates of several cases, in the order in which they came about. To the broker, one message."""

    TYPE: ClassVar[str] = "casework.all_dates.v1"
    dates: Annotated[tuple[Dates, ...], Field(min_length=1)]


EVENTS: tuple[type[Message], ...] = (Dates, AllDates)
