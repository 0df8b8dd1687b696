"""What casework takes: the commands on a case, and questions about cases."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from contracts.case import CaseState, Content64, FileId, FileName, MediaType, Month, Rating, UserId
from contracts.languages import State
from contracts.types import AuthorityId, CaseId, Code, FreeText, Message, Moment, User, Value

Values = Annotated[dict[Code, Value], Field(max_length=200)]
Questions = Annotated[tuple[Code, ...], Field(min_length=1, max_length=200)]
SeenVersion = Annotated[int, Field(ge=1, le=1_000_000_000)] | None
"""The case's version that the user saw; when it is no longer the current one, the command is refused."""
Ground = Literal["proof", "consent", "public-interest"]
"""Why a blocked case may be read: as proof of the exchange, with the person's consent, or for an overriding reason of
public interest (Regulation (EU) 1024/2012, Art. 14(3))."""
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,200}$")]


class OnCase(Message):
    """What every command on a case that is there says: who acts, on which case, in which version he saw it."""

    authority: AuthorityId
    case: CaseId
    version: SeenVersion = None
    user: User


class Content(Message):
    """What a request says. A draft may lack what sending needs."""

    recipient: AuthorityId | None = None
    questions: Annotated[tuple[Code, ...], Field(max_length=200)] = ()
    particulars: Values = Field(default_factory=dict)
    comment: FreeText | None = None
    wished_date: date | None = None


class SaveDraft(Content):
    """Begin a request that is not sent yet, or, with the number of a draft, put this in the place of all it said."""

    TYPE: ClassVar[str] = "casework.save_draft.v1"
    authority: AuthorityId
    area: Code
    case: CaseId | None = None
    version: SeenVersion = None
    user: User


class DiscardDraft(OnCase):
    """Throw a draft away, with all that it says."""

    TYPE: ClassVar[str] = "casework.discard_draft.v1"


class SendDraft(OnCase):
    """Send a draft that has everything that sending needs."""

    TYPE: ClassVar[str] = "casework.send_draft.v1"


class SendRequest(Message):
    """Put questions of an area to an authority of another state. The case's number comes with the outcome."""

    TYPE: ClassVar[str] = "casework.send_request.v1"
    authority: AuthorityId
    recipient: AuthorityId
    area: Code
    questions: Questions
    particulars: Values
    comment: FreeText | None = None
    wished_date: date
    user: User


class ApproveRequest(OnCase):
    """Let a request go to its recipient, as the request coordinator of an area that wants approval."""

    TYPE: ClassVar[str] = "casework.approve_request.v1"


class ReturnRequest(OnCase):
    """Give a request that awaits approval back to its sender, as a draft, and say why."""

    TYPE: ClassVar[str] = "casework.return_request.v1"
    reason: FreeText


class ModifyRequest(OnCase, Content):
    """Change a request that has not been accepted yet: this takes the place of all it said, but for the recipient."""

    TYPE: ClassVar[str] = "casework.modify_request.v1"
    recipient: None = None
    questions: Questions
    wished_date: date


class WithdrawRequest(OnCase):
    """Take back a request that has not been accepted yet."""

    TYPE: ClassVar[str] = "casework.withdraw_request.v1"
    reason: FreeText | None = None


class AssignHandlers(OnCase):
    """Say which users of the recipient handle the case; from then on no other of them does. None: whoever may."""

    TYPE: ClassVar[str] = "casework.assign_handlers.v1"
    users: Annotated[tuple[UserId, ...], Field(max_length=50)]


class AcceptRequest(OnCase):
    """Accept a request, and so be bound to answer every question by the wished date or the one proposed here."""

    TYPE: ClassVar[str] = "casework.accept_request.v1"
    propose_date: date | None = None


class RefuseRequest(OnCase):
    """Refuse a request, where the rules of the area allow it, and say why."""

    TYPE: ClassVar[str] = "casework.refuse_request.v1"
    reason: FreeText


class ForwardRequest(OnCase):
    """Hand the whole request on to the authority, or the coordinator, whose business it is."""

    TYPE: ClassVar[str] = "casework.forward_request.v1"
    to: AuthorityId
    reason: FreeText | None = None


class SplitRequest(OnCase):
    """Have another authority answer some of the questions, in a case whose number begins with this one's."""

    TYPE: ClassVar[str] = "casework.split_request.v1"
    to: AuthorityId
    questions: Questions
    wished_date: date


class SaveAnswers(OnCase):
    """Keep answers for later. The sender sees nothing of them before the reply."""

    TYPE: ClassVar[str] = "casework.save_answers.v1"
    answers: Values
    comment: FreeText | None = None


class Reply(OnCase):
    """Answer all questions: these answers go before those kept so far. With open children it waits for them."""

    TYPE: ClassVar[str] = "casework.reply.v1"
    answers: Values
    comment: FreeText | None = None


class AskClarification(OnCase):
    """Ask what a reply means."""

    TYPE: ClassVar[str] = "casework.ask_clarification.v1"
    text: FreeText


class Clarify(OnCase):
    """Say what the reply means; answers given here take the place of those in the reply."""

    TYPE: ClassVar[str] = "casework.clarify.v1"
    text: FreeText
    answers: Values = Field(default_factory=dict)


class ReferCase(OnCase):
    """Put an unsatisfactory reply before the coordinators of both sides."""

    TYPE: ClassVar[str] = "casework.refer_case.v1"
    reason: FreeText


class CommentReferral(OnCase):
    """Say, as one of the two coordinators, what there is to say of a reply that was referred."""

    TYPE: ClassVar[str] = "casework.comment_referral.v1"
    text: FreeText


class DecideReferral(OnCase):
    """Decide, as one of the two coordinators and once the other has been heard, what becomes of the reply.

    `closed`: the reply stands, and the case ends with it. `replied`: it goes back to the sender, who closes it or asks
    again.
    """

    TYPE: ClassVar[str] = "casework.decide_referral.v1"
    ends: Literal["closed", "replied"]
    text: FreeText


class CloseCase(OnCase):
    """Accept the reply, rate it, and close the case."""

    TYPE: ClassVar[str] = "casework.close_case.v1"
    rating: Rating | None = None


class SendMessage(OnCase):
    """Write to the other side. Before acceptance the recipient reads that a message came, and not what it says."""

    TYPE: ClassVar[str] = "casework.send_message.v1"
    text: FreeText


class AttachFile(OnCase):
    """Put a file to the case, of up to 180,000 bytes. Before acceptance the recipient does not even read that it came.

    `content` is base64 (RFC 4648, section 4).
    """

    TYPE: ClassVar[str] = "casework.attach_file.v1"
    name: FileName
    media_type: MediaType
    content: Content64


class UnblockCase(OnCase):
    """Read a blocked case once more, on one of the three legal grounds; the outcome shows it, and it stays blocked."""

    TYPE: ClassVar[str] = "casework.unblock_case.v1"
    ground: Ground


class AskCorrection(OnCase):
    """Ask the other side to agree that personal data are put right, or, with `erase`, that all of them are erased.

    On the request of the person concerned (Regulation (EU) 1024/2012, Art. 19).
    """

    TYPE: ClassVar[str] = "casework.ask_correction.v1"
    particulars: Values = Field(default_factory=dict)
    erase: bool = False


class ConsentCorrection(OnCase):
    """Agree to what the other side asked to put right or to erase: it is done at once, and cannot be undone."""

    TYPE: ClassVar[str] = "casework.consent_correction.v1"


class ShowCase(Message):
    """Read a case in which the authority takes part, as it now is."""

    TYPE: ClassVar[str] = "casework.show_case.v1"
    authority: AuthorityId
    case: CaseId
    user: User


class ShowFile(Message):
    """Read a file of a case."""

    TYPE: ClassVar[str] = "casework.show_file.v1"
    authority: AuthorityId
    case: CaseId
    file: FileId
    user: User


class ShowTrail(Message):
    """Read the whole trail of a case: every step with its hash, as far as the reader may see it. It proves the case."""

    TYPE: ClassVar[str] = "casework.show_trail.v1"
    authority: AuthorityId
    case: CaseId
    user: User


class ListCases(Message):
    """Read a page of the authority's cases, the last changed first. Conditions that are not given are not asked."""

    TYPE: ClassVar[str] = "casework.list_cases.v1"
    authority: AuthorityId
    states: Annotated[tuple[CaseState, ...], Field(max_length=11)] = ()
    open: bool | None = None
    my_turn: bool = False
    area: Code | None = None
    counterpart: AuthorityId | None = None
    counterpart_country: State | None = None
    changed_from: Moment | None = None
    changed_before: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Cursor | None = None
    user: User


class ShowScoreboard(Message):
    """Read the five indicators of the scoreboard for requests that arrived in these months, by state and area."""

    TYPE: ClassVar[str] = "casework.show_scoreboard.v1"
    first: Month
    last: Month
    country: State | None = None
    area: Code | None = None


class VerifyCases(Message):
    """The operator has the hash chain checked of one case, or of so many cases after a place in their order."""

    TYPE: ClassVar[str] = "casework.verify_cases.v1"
    case: CaseId | None = None
    after: CaseId | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 500


class RunRetention(Message):
    """The operator has blocked and deleted what is due, or with `dry_run` reads what would be.

    `at` is the day to come for which a dry run is asked; otherwise it is today.
    """

    TYPE: ClassVar[str] = "casework.run_retention.v1"
    dry_run: bool = True
    at: Moment | None = None


class RecountScores(Message):
    """The operator has the scoreboard of one month counted anew from the cases themselves, and compared."""

    TYPE: ClassVar[str] = "casework.recount_scores.v1"
    month: Month


class RepublishCases(Message):
    """The operator has cases told again that have changed since then: so many after a place in their order.

    Whoever has read it already drops it; the notifier plans anew.
    """

    TYPE: ClassVar[str] = "casework.republish_cases.v1"
    since: Moment
    after: CaseId | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class TraceCase(Message):
    """The operator sees of one case who did what, when, and by which message; never what it says."""

    TYPE: ClassVar[str] = "casework.trace_case.v1"
    case: CaseId


CHANGES: tuple[type[Message], ...] = (
    SaveDraft,
    DiscardDraft,
    SendDraft,
    SendRequest,
    ApproveRequest,
    ReturnRequest,
    ModifyRequest,
    WithdrawRequest,
    AssignHandlers,
    AcceptRequest,
    RefuseRequest,
    ForwardRequest,
    SplitRequest,
    SaveAnswers,
    Reply,
    AskClarification,
    Clarify,
    ReferCase,
    CommentReferral,
    DecideReferral,
    CloseCase,
    SendMessage,
    AttachFile,
    UnblockCase,
    AskCorrection,
    ConsentCorrection,
)
QUESTIONS = (ShowCase, ShowFile, ShowTrail, ListCases, ShowScoreboard)
OPERATOR_ONLY = (VerifyCases, RunRetention, RecountScores, RepublishCases, TraceCase)
COMMANDS: tuple[type[Message], ...] = (*CHANGES, *QUESTIONS, *OPERATOR_ONLY)
