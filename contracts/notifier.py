"""What the notifier takes: how an authority wishes to be written to, and the question what was sent to it."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from contracts.dates import NoticeKind
from contracts.types import AuthorityId, CaseId, Code, Message, Part, User

Gatherable = Literal["reminder"] | NoticeKind
"""What may wait for the summary of the day: news of a case, and every reminder before a date but the last."""

EmailCursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
Outcome = Literal["sent", "failed"]


class Wish(Part):
    """How an authority wishes to be told what is not urgent: each thing at once, or all in the summary of the day.

    `at_once` is what goes at once all the same. What is urgent always does: what is overdue, the last reminder, what
    concerns the authority's own registration, and whatever asks for something by a date before the summary.
    """

    gathered: bool
    at_once: Annotated[tuple[Gatherable, ...], Field(max_length=20)] = ()


class Preferences(Part):
    """When an authority gets the summary of the day, and what waits for it: by area, and in all others.

    `hour` is that of its own clock, on working days where it is.
    """

    hour: Annotated[int, Field(ge=0, le=23)] = 8
    general: Wish = Wish(gathered=False)
    areas: Annotated[dict[Code, Wish], Field(max_length=50)] = Field(default_factory=dict)


class SetPreferences(Message):
    """An authority says how it wishes to be written to. What it said before no longer counts."""

    TYPE: ClassVar[str] = "notifier.set_preferences.v1"
    authority: AuthorityId
    preferences: Preferences
    user: User


class ShowPreferences(Message):
    """Read how an authority wishes to be written to."""

    TYPE: ClassVar[str] = "notifier.show_preferences.v1"
    authority: AuthorityId
    user: User


class ListEmails(Message):
    """Read a page of what was sent to an authority, or could not be, the last first.

    Its coordinators may ask, too: they name it in `of`.
    """

    TYPE: ClassVar[str] = "notifier.list_emails.v1"
    authority: AuthorityId
    of: AuthorityId | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: EmailCursor | None = None
    user: User


class SentEmail(Part):
    """An e-mail as it is remembered: to whom, when, about what, and what the mail server said. Never what it said."""

    id: str
    """What stands before the @ in its Message-ID."""
    authority: AuthorityId
    to: str | None = None
    """Missing if no address was known."""
    kind: str
    stage: str
    cases: tuple[CaseId, ...]
    due: datetime | None = None
    planned: datetime
    at: datetime
    outcome: Outcome
    reply: str
    bounced: str | None = None
    """The status (RFC 3463) with which it came back although it had been taken."""


CHANGES: tuple[type[Message], ...] = (SetPreferences,)
QUESTIONS: tuple[type[Message], ...] = (ShowPreferences, ListEmails)
COMMANDS: tuple[type[Message], ...] = (*CHANGES, *QUESTIONS)
