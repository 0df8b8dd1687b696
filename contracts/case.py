"""A case as one reader sees it, and what else casework gives for an answer."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.types import (
    AuthorityId,
    CaseId,
    Code,
    Label,
    MachineTranslation,
    Part,
    ReadText,
    SystemId,
    User,
    Value,
)

CaseState = Literal[
    "draft",
    "awaiting-approval",
    "awaiting-acceptance",
    "accepted",
    "replied",
    "clarification-requested",
    "referred",
    "closed",
    "withdrawn",
    "refused",
    "discarded",
]
Happening = Literal[
    "drafted",
    "approval-asked",
    "approved",
    "returned",
    "sent",
    "modified",
    "withdrawn",
    "discarded",
    "assigned",
    "accepted",
    "refused",
    "forwarded",
    "split",
    "child-moved",
    "answers-saved",
    "answered",
    "replied",
    "clarification-asked",
    "clarified",
    "referred",
    "commented",
    "decided",
    "closed",
    "message",
    "attached",
    "overdue",
    "idle",
    "rerouted",
    "blocked",
    "unblocked",
    "correction-asked",
    "corrected",
    "erased",
    "deleted",
]
Verdict = Literal["good", "fair", "poor"]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
MediaType = Literal["application/pdf", "image/jpeg", "image/png", "text/plain"]
FileName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f/\\]{1,120}$")]
"""A file's name without a folder."""
FileId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""The first half of the SHA-256 of a file's content, in hexadecimal."""
Content64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=240_000)]


class Rating(Part):
    """How the sender found the reply (scoreboard, negative ratings)."""

    timeliness: Verdict
    effort: Verdict


class Party(Part):
    """One side of a case."""

    authority: AuthorityId
    name: str
    country: Label


class AreaLabel(Label):
    """The area of a case, in the version with which the case began and keeps for ever."""

    version: int


class Item(Part):
    """A particular or a question, with what was filled in; `value_text` is the value as its reader reads it.

    Beside free text may stand what stands in a `ReadText`.
    """

    code: Code
    text: str | None = None
    value: Value | None = None
    value_text: str | None = None
    looks_like: Label | None = None
    machine_translation: MachineTranslation | None = None


class Event(Part):
    """What happened to a case, when, by whom; without `by`, by itself."""

    code: Happening
    text: str | None = None
    at: datetime
    by: AuthorityId | None = None


class Remark(Part):
    """What somebody said besides questions and answers; without `said` the reader may not read it, or not yet."""

    on: Happening
    text: str | None = None
    at: datetime
    by: AuthorityId
    said: ReadText | None = None


class Attached(Part):
    """A file of a case; its content is read with `casework.show_file.v1`."""

    id: FileId
    name: FileName
    media_type: MediaType
    size: int
    """Bytes."""
    at: datetime
    by: AuthorityId


class File(Attached):
    """A file with its content, in base64."""

    content: Content64


class Child(Part):
    """A part of the questions that another authority answers, in a case of its own."""

    id: CaseId
    to: Party
    questions: tuple[Code, ...]
    state: Label


class Correction(Part):
    """Which particulars one side wants put right, or whether it wants all of them erased."""

    by: AuthorityId
    erase: bool
    particulars: tuple[Item, ...] | None = None


class CaseHead(Part):
    """What lists and observers see of a case: who, what, when; nothing that anybody filled in."""

    id: CaseId
    epoch: int = 1
    version: int
    state: Label
    turn: AuthorityId | None = None
    area: AreaLabel
    sender: Party
    recipient: Party | None = None
    wished_date: date | None = None
    agreed_date: date | None = None
    acceptance_due: datetime | None = None
    event: Event


class CaseView(CaseHead):
    """The whole case as one reader may see it. A reader drops what is not newer than (`epoch`, `version`).

    `particulars` is absent until the recipient has accepted, if the reader is the recipient (Regulation (EU)
    1024/2012, Art. 9: need to know); so are the comment and everything else that may hold personal data. In a
    `summary` they always are. Once a case is blocked or erased, so they are for everybody.
    """

    summary: Literal[True] | None = None
    """The reader observes, and sees no more than this."""
    questions: tuple[Item, ...] = ()
    particulars: tuple[Item, ...] | None = None
    comment: ReadText | None = None
    reply_comment: ReadText | None = None
    rating: Rating | None = None
    remarks: tuple[Remark, ...] | None = None
    files: tuple[Attached, ...] | None = None
    handlers: tuple[UserId, ...] | None = None
    """Who handles it at the reader's own authority."""
    kept_answers: tuple[Item, ...] | None = None
    """Answers that the reader has kept and not given yet."""
    coordinators: tuple[AuthorityId, ...] | None = None
    """Who stands behind the two sides, once they were called in: the sender's first."""
    parent: CaseId | None = None
    children: tuple[Child, ...] | None = None
    correction: Correction | None = None
    """What one side asks the other to agree to."""
    personal_data: Literal["blocked", "erased"] | None = None


class TrailStep(Part):
    """One step of a case: who did what, for whom, when, by which command; its hash chains it to the step before."""

    what: Happening
    text: str | None = None
    at: datetime
    by: AuthorityId | None = None
    user: User | None = None
    command: str
    facts: dict[str, str | int | tuple[str, ...] | None] = Field(default_factory=dict)
    said: dict[str, Value | None] | None = None
    link: str


class CaseTrail(Part):
    """A case's trail: its proof. `link` of each step covers the step as stored and the link before."""

    case: CaseHead
    steps: tuple[TrailStep, ...]
    whole: bool
    """Whether every link fits."""


Grade = Literal["green", "yellow", "red"]


class Indicator(Part):
    """One of the five indicators: its value (a share in per cent, or days), over how many cases, and its colour."""

    value: float
    of: int
    grade: Grade


class Score(Part):
    """The scoreboard of one state in one area, over the months asked for. Without `area`: all of them together."""

    country: Label
    area: Code | None = None
    requests: int
    answered_within_a_week: int
    accepted_in_time: Indicator | None = None
    days_to_answer: Indicator | None = None
    answered_in_time: Indicator | None = None
    poor_timeliness: Indicator | None = None
    poor_effort: Indicator | None = None
    overall: Literal["good", "medium", "poor"] | None = None


class BrokenLink(Part):
    """A case whose chain does not hold, and the place (from 1) of the first entry that does not fit."""

    case: CaseId
    entry: int


class Verified(Part):
    """How many cases were checked, and which of them do not hold."""

    checked: int
    broken: tuple[BrokenLink, ...]


class Retention(Part):
    """How many cases are due to be blocked and deleted, and which months' keys can be destroyed then."""

    to_block: int
    to_delete: int
    keys: tuple[Month, ...]
    dry_run: bool


class Recount(Part):
    """How many groups of cases were counted anew, and how many figures differ from those of the scoreboard."""

    groups: int
    cases: int
    differing: int
    uncounted: int
    """Cases that have moved since they were last counted: they are counted within seconds."""


class Republished(Part):
    """How many cases were told again, and in how many messages to their readers."""

    cases: int
    messages: int


class TracedStep(Part):
    """One step of a case. `command` is the sending system and its id of the message; `*`, for casework's own."""

    what: Happening
    at: datetime
    by: AuthorityId | None = None
    command: str


class TracedReader(Part):
    """An authority that reads a case, and the system by which it does."""

    authority: AuthorityId
    system: SystemId


class Traced(Part):
    """A case without its content."""

    case: CaseId
    state: CaseState
    area: Code
    epoch: int
    version: int
    turn: AuthorityId | None = None
    steps: tuple[TracedStep, ...]
    readers: tuple[TracedReader, ...]
