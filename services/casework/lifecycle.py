"""The lifecycle of a case as one table: action, state, who may, on what condition, what happens, what state follows.

Pure: everything that a decision needs is handed to it. What each action checks and remembers is in `asking` for the
sender, in `answering` for the recipient, in `exchange` for the exchange itself, and in `settling` for the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from contracts import casework as do
from contracts import own
from contracts.case import Happening
from contracts.refusal import Refusal
from contracts.types import Message, Role
from services.casework import answering, asking, doing, exchange, settling
from services.casework.case import Case, Entry
from services.casework.doing import Doing
from services.casework.knowledge import Knowledge, Now

Who = Literal["sender", "recipient", "approver", "coordinator", "side", "party", "exchange"]

NOTHING: Final = ("nothing",)
DRAFT: Final = ("draft",)
UNACCEPTED: Final = ("awaiting-acceptance",)
SENT: Final = ("awaiting-acceptance", "accepted", "replied", "clarification-requested", "referred")
OPEN: Final = ("draft", "awaiting-approval", *SENT)
OVER: Final = ("closed", "withdrawn", "refused")

HANDLER: Final = frozenset[Role]({"request-handler"})
ALLOCATOR: Final = frozenset[Role]({"allocator"})
REFERRAL: Final = frozenset[Role]({"referral-handler"})
COORDINATING: Final = frozenset[Role]({"request-handler", "referral-handler"})
WRITING: Final = frozenset[Role]({"request-handler", "allocator", "referral-handler"})
ADMINISTRATOR: Final = frozenset[Role]({"request-handler", "data-administrator"})
NOBODY: Final = frozenset[Role]()


class Condition(NamedTuple):
    """What must hold besides, in words, and the refusal that says that it does not."""

    words: str
    holds: Callable[[Doing], bool]
    refusal: str


APPROVAL: Final = Condition("the area wants approval", doing.wants_approval, "wrong-state")
REFUSABLE: Final = Condition("the area allows refusal", lambda d: d.rules.workflow.refusal, "refusal-not-allowed")
NO_CHILD_OPEN: Final = Condition("no child is open", lambda d: not d.case.open_children, "children-open")
CHILD_OPEN: Final = Condition("a child is open", lambda d: bool(d.case.open_children), "wrong-state")
REPLY_STANDS: Final = Condition("the reply stands", lambda d: doing.ends_as(d, "closed"), "wrong-state")
GOES_BACK: Final = Condition("it goes back to the sender", lambda d: doing.ends_as(d, "replied"), "wrong-state")
THERE: Final = Condition("personal data are there", lambda d: not d.case.erased, "personal-data-gone")
BLOCKED: Final = Condition("the case is blocked", lambda d: d.case.blocked and not d.case.erased, "not-blocked")
ERASE: Final = Condition("all of it is to be erased", doing.erasure_was_asked, "nothing-to-consent")
PUT_RIGHT: Final = Condition("particulars are to be put right", doing.correction_was_asked, "nothing-to-consent")
LAST_CHILD: Final = Condition("it was the last part missing", exchange.completes, "wrong-state")
OVERDUE: Final = Condition("a date has passed", exchange.is_overdue, "wrong-state")
IDLE: Final = Condition("it has stood still", exchange.is_idle, "wrong-state")
TO_BLOCK: Final = Condition("the first retention period has passed", exchange.is_to_block, "wrong-state")
TO_DELETE: Final = Condition("the last retention period has passed", exchange.is_to_delete, "wrong-state")
RECIPIENT_GONE: Final = Condition("it was the recipient", exchange.recipient_gone, "wrong-state")
PARTY_GONE: Final = Condition("it was a party", exchange.party_gone, "wrong-state")


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the table. The first row of an action that fits the state, the actor and the condition counts."""

    action: type[Message]
    of: tuple[str, ...]
    by: Who
    roles: frozenset[Role]
    what: Happening
    leads_to: str | None
    """Without it the state stays."""
    when: Condition | None = None


STEPS: Final = (
    Step(do.SaveDraft, (*NOTHING, *DRAFT), "sender", HANDLER, "drafted", "draft"),
    Step(do.DiscardDraft, DRAFT, "sender", HANDLER, "discarded", "discarded"),
    Step(do.SendDraft, DRAFT, "sender", HANDLER, "approval-asked", "awaiting-approval", APPROVAL),
    Step(do.SendDraft, DRAFT, "sender", HANDLER, "sent", "awaiting-acceptance"),
    Step(do.SendRequest, NOTHING, "sender", HANDLER, "approval-asked", "awaiting-approval", APPROVAL),
    Step(do.SendRequest, NOTHING, "sender", HANDLER, "sent", "awaiting-acceptance"),
    Step(do.ApproveRequest, ("awaiting-approval",), "approver", COORDINATING, "approved", "awaiting-acceptance"),
    Step(do.ReturnRequest, ("awaiting-approval",), "approver", COORDINATING, "returned", "draft"),
    Step(do.ModifyRequest, UNACCEPTED, "sender", HANDLER, "modified", None),
    Step(do.WithdrawRequest, ("awaiting-approval", *UNACCEPTED), "sender", HANDLER, "withdrawn", "withdrawn"),
    Step(
        do.AssignHandlers,
        (*UNACCEPTED, "accepted", "clarification-requested"),
        "recipient",
        ALLOCATOR,
        "assigned",
        None,
    ),
    Step(do.AcceptRequest, UNACCEPTED, "recipient", HANDLER, "accepted", "accepted"),
    Step(do.RefuseRequest, UNACCEPTED, "recipient", HANDLER, "refused", "refused", REFUSABLE),
    Step(
        do.ForwardRequest,
        (*UNACCEPTED, "accepted"),
        "recipient",
        HANDLER,
        "forwarded",
        "awaiting-acceptance",
        NO_CHILD_OPEN,
    ),
    Step(do.SplitRequest, ("accepted",), "recipient", HANDLER, "split", None),
    Step(do.SaveAnswers, ("accepted", "clarification-requested"), "recipient", HANDLER, "answers-saved", None),
    Step(do.Reply, ("accepted",), "recipient", HANDLER, "answered", None, CHILD_OPEN),
    Step(do.Reply, ("accepted",), "recipient", HANDLER, "replied", "replied"),
    Step(do.AskClarification, ("replied",), "sender", HANDLER, "clarification-asked", "clarification-requested"),
    Step(do.Clarify, ("clarification-requested",), "recipient", HANDLER, "clarified", "replied"),
    Step(do.ReferCase, ("replied", "clarification-requested"), "sender", COORDINATING, "referred", "referred"),
    Step(do.CommentReferral, ("referred",), "coordinator", REFERRAL, "commented", None),
    Step(do.DecideReferral, ("referred",), "coordinator", REFERRAL, "decided", "closed", REPLY_STANDS),
    Step(do.DecideReferral, ("referred",), "coordinator", REFERRAL, "decided", "replied", GOES_BACK),
    Step(do.CloseCase, ("replied",), "sender", HANDLER, "closed", "closed"),
    Step(do.SendMessage, SENT, "party", WRITING, "message", None),
    Step(do.AttachFile, DRAFT, "sender", HANDLER, "attached", None),
    Step(do.AttachFile, SENT, "side", WRITING, "attached", None),
    Step(do.UnblockCase, OVER, "side", ADMINISTRATOR, "unblocked", None, BLOCKED),
    Step(do.AskCorrection, (*SENT, *OVER), "side", ADMINISTRATOR, "correction-asked", None, THERE),
    Step(do.ConsentCorrection, (*SENT, *OVER), "side", ADMINISTRATOR, "erased", None, ERASE),
    Step(do.ConsentCorrection, (*SENT, *OVER), "side", ADMINISTRATOR, "corrected", None, PUT_RIGHT),
    Step(own.OpenChild, NOTHING, "exchange", NOBODY, "sent", "awaiting-acceptance"),
    Step(own.ChildMoved, ("accepted",), "exchange", NOBODY, "child-moved", "replied", LAST_CHILD),
    Step(own.ChildMoved, (*UNACCEPTED, "accepted"), "exchange", NOBODY, "child-moved", None),
    Step(own.TimePassed, SENT, "exchange", NOBODY, "overdue", None, OVERDUE),
    Step(own.TimePassed, DRAFT, "exchange", NOBODY, "discarded", "discarded", IDLE),
    Step(own.TimePassed, ("awaiting-approval",), "exchange", NOBODY, "returned", "draft", IDLE),
    Step(own.TimePassed, SENT, "exchange", NOBODY, "idle", None, IDLE),
    Step(own.TimePassed, OVER, "exchange", NOBODY, "blocked", None, TO_BLOCK),
    Step(own.TimePassed, OVER, "exchange", NOBODY, "deleted", None, TO_DELETE),
    Step(
        own.AuthorityGone,
        (*UNACCEPTED, "accepted"),
        "exchange",
        NOBODY,
        "rerouted",
        "awaiting-acceptance",
        RECIPIENT_GONE,
    ),
    Step(own.AuthorityGone, OPEN, "exchange", NOBODY, "rerouted", None, PARTY_GONE),
)

CHANGES: Final[Mapping[type[Message], Callable[[Doing], Entry | Refusal]]] = {
    do.SaveDraft: asking.save_draft,
    do.DiscardDraft: asking.discard,
    do.SendDraft: asking.send_draft,
    do.SendRequest: asking.send,
    do.ApproveRequest: asking.approve,
    do.ReturnRequest: settling.say_reason,
    do.ModifyRequest: asking.modify,
    do.WithdrawRequest: settling.say_reason,
    do.AssignHandlers: answering.assign,
    do.AcceptRequest: answering.accept,
    do.RefuseRequest: settling.say_reason,
    do.ForwardRequest: answering.forward,
    do.SplitRequest: answering.split,
    do.SaveAnswers: answering.save_answers,
    do.Reply: answering.reply,
    do.AskClarification: settling.ask_clarification,
    do.Clarify: answering.clarify,
    do.ReferCase: settling.refer,
    do.CommentReferral: settling.say_text,
    do.DecideReferral: settling.decide_referral,
    do.CloseCase: settling.close,
    do.SendMessage: settling.say_text,
    do.AttachFile: settling.attach,
    do.UnblockCase: settling.unblock,
    do.AskCorrection: settling.ask_correction,
    do.ConsentCorrection: settling.consent,
    own.OpenChild: exchange.open_child,
    own.ChildMoved: exchange.child_moved,
    own.TimePassed: exchange.time_passed,
    own.AuthorityGone: exchange.reroute,
}


def decide(case: Case | None, command: Message, ask: Knowledge, now: Now) -> Entry | Refusal:
    """Return the entry that the command adds to the case, or why it cannot. `case` is one in which its sender has part.

    Raises `NotAtHand` for what must be read first.
    """
    seen = getattr(command, "version", None)
    if case and seen is not None and seen != case.version:
        return Refusal("version-passed", "version")
    begun = doing.begin(case, command, ask, now)
    if isinstance(begun, Refusal):
        return begun
    step = _step(case, begun)
    if isinstance(step, Refusal):
        return step
    if wrong := _not_for_user(step, begun):
        return wrong
    change = CHANGES[step.action](begun)
    if isinstance(change, Refusal):
        return change
    return {**doing.common(begun, step.what, step.leads_to), **change}


def _step(case: Case | None, asked: Doing) -> Step | Refusal:
    state = case.state if case else NOTHING[0]
    rows = [step for step in STEPS if step.action is type(asked.command) and state in step.of]
    if not rows:
        return Refusal("wrong-state")
    rows = [step for step in rows if _holds(step.by, asked)]
    if not rows:
        return Refusal("not-your-step", "authority")
    fitting = next((step for step in rows if step.when is None or step.when.holds(asked)), None)
    last = rows[-1].when
    if fitting is None and last:
        return Refusal(last.refusal)
    assert fitting
    return fitting


def _holds(by: Who, asked: Doing) -> bool:
    case, authority = asked.case, asked.actor
    match by:
        case "exchange":
            return authority is None
        case "sender":
            return case.sender.authority == authority
        case "recipient":
            return bool(case.recipient and case.sent_at and case.recipient.authority == authority)
        case "approver":
            return case.approver == authority
        case "side":
            return _holds("sender", asked) or _holds("recipient", asked)
    return authority in (case.coordinators if by == "coordinator" else case.parties)


def _not_for_user(step: Step, asked: Doing) -> Refusal | None:
    user = getattr(asked.command, "user", None)
    if user is None:
        return None
    if user.role not in step.roles:
        return Refusal("wrong-role", "user.role")
    if step.by == "recipient" and step.roles == HANDLER and asked.case.handlers and user.id not in asked.case.handlers:
        return Refusal("not-assigned", "user.id")
    return None
