"""What the unit tests are told with: a small area, a few people, two authorities and a stranger."""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from contracts import casework as do
from contracts.calendar import Calendar, YearList
from contracts.casework import AcceptRequest, CloseCase, Reply, SendRequest
from contracts.languages import STATES
from contracts.refusal import Refusal
from contracts.translation import AreaRules, Condition, Deadlines, ItemRule, ItemType, Period
from contracts.types import FreeText, Message, User
from services.casework.case import Case, Entry, Side
from services.casework.history import case_from
from services.casework.knowledge import Access, Area, Authority, Now
from services.casework.lifecycle import decide
from services.chassis.intake import Command

HOLIDAYS = Calendar({(state, year): YearList({}, "none") for state in STATES for year in range(2026, 2080)})
NOW = Now(datetime(2026, 3, 10, 9, 30, tzinfo=UTC), calendar=HOLIDAYS)
HANDLER = User(id="handler", role="request-handler")
ALLOCATOR = User(id="allocator", role="allocator")
REFEREE = User(id="referee", role="referral-handler")
SENDER, RECIPIENT, STRANGER = "DE-00000001", "HU-00000002", "FR-00000003"
COLLEAGUE = "HU-00000004"
"""Another authority of the recipient's state."""
DE, HU = "DE-COORD000", "HU-COORD000"
"""The coordinators behind the two sides."""
SYSTEM_OF = {
    SENDER: "de-kammer",
    RECIPIENT: "hu-hivatal",
    STRANGER: "fr-ordre",
    COLLEAGUE: "hu-kamara",
    DE: "de-bund",
    HU: "hu-kormany",
}
CASE = "0000-0000-0001"
SECRET = "Planted Person"
PDF = base64.b64encode(b"%PDF-1.7 of Planted Person").decode()


def item(code: str, kind: ItemType, **changes: Any) -> ItemRule:
    """A required item without personal data, but for the changes."""
    fields = {"code": code, "type": kind, "required": True, "personal": False}
    return ItemRule.model_validate(fields | changes)


def rules(**changes: Any) -> AreaRules:
    """An area with a question of each type, a sub-question and an optional one, but for the changes."""
    fields: dict[str, Any] = {
        "legal_basis": "32005L0036",
        "deadlines": Deadlines(acceptance=Period(days=7), answer=Period(days=28)),
        "particulars": (
            item("holder", "text", personal=True),
            item("born", "date", personal=True),
            item("origin", "country", required=False),
        ),
        "questions": (
            item("genuine", "yes-no-unknown"),
            item("why-not", "text", condition=Condition(question="genuine", option="no")),
            item("level", "single", options=("low", "high")),
            item("subjects", "multiple", options=("law", "medicine", "music")),
            item("since", "date"),
            item("hours", "number"),
            item("trained-in", "country"),
            item("remarks", "text", required=False),
        ),
    }
    return AreaRules.model_validate(fields | changes)


def text(words: str = SECRET, language: str = "de") -> FreeText:
    """Words that somebody typed."""
    return FreeText(text=words, language=language)


def authority(number: str, **changes: Any) -> Authority:
    """An active authority with access to the area, but for the changes."""
    fields: dict[str, Any] = {
        "side": Side(number, f"Authority {number}", number[:2]),
        "system": SYSTEM_OF.get(number, "some-system"),
        "active": True,
        "access": {"diplomas": Access(coordinator=f"{number[:2]}-COORD000", request_coordinators=())},
    }
    return Authority(**(fields | changes))


AREA = Area("diplomas", 3, rules())
KNOWN = {number: authority(number) for number in SYSTEM_OF}


@dataclass
class Known:
    """What is known to a decision, all of it at hand."""

    authorities: dict[str, Authority] = field(default_factory=lambda: dict(KNOWN))
    in_force: Area = AREA
    cases: dict[str, Case] = field(default_factory=dict)

    def authority(self, number: str) -> Authority | None:
        return self.authorities.get(number)

    def area(self, code: str) -> Area | None:
        return self.in_force if code == self.in_force.code else None

    def rules(self, area: str, version: int) -> AreaRules:
        assert (area, version) == (self.in_force.code, self.in_force.version)
        return self.in_force.rules

    def case(self, number: str) -> Case | None:
        return self.cases.get(number)


PARTICULARS = {"holder": text(), "born": "1980-01-01"}


def request(**changes: Any) -> SendRequest:
    """A request that is all right, but for the changes."""
    fields: dict[str, Any] = {
        "authority": SENDER,
        "recipient": RECIPIENT,
        "area": AREA.code,
        "questions": ("genuine", "why-not"),
        "particulars": PARTICULARS,
        "comment": text("about " + SECRET),
        "wished_date": date(2026, 4, 1),
        "user": HANDLER,
    }
    return SendRequest.model_validate(fields | changes)


def accept(by: str = RECIPIENT, **changes: Any) -> AcceptRequest:
    """An acceptance."""
    return AcceptRequest.model_validate({"authority": by, "case": CASE, "user": HANDLER} | changes)


def reply(by: str = RECIPIENT, **changes: Any) -> Reply:
    """A reply that answers everything asked, but for the changes."""
    fields = {"authority": by, "case": CASE, "answers": {"genuine": "yes"}, "user": HANDLER}
    return Reply.model_validate(fields | changes)


def close(by: str = SENDER, **changes: Any) -> CloseCase:
    """A closing with a rating, but for the changes."""
    rating = {"timeliness": "good", "effort": "fair"}
    fields = {"authority": by, "case": CASE, "rating": rating, "user": HANDLER}
    return CloseCase.model_validate(fields | changes)


def command(body: Message, system: str, message_id: str = "1", digest: str | None = None, age: float = 10.0) -> Command:
    """The body as it came in from a system, long enough ago that nothing is waited for."""
    return Command(system, message_id, body, digest or body.model_dump_json(), age)


def later(days: int) -> date:
    """The day so many days after the tests' today."""
    return NOW.today(KNOWN[SENDER].side) + timedelta(days=days)


ACTIONS: dict[str, Callable[[str], Message]] = {
    "save-draft": lambda by: do.SaveDraft(authority=by, case=CASE, area=AREA.code, recipient=RECIPIENT, user=HANDLER),
    "discard": lambda by: do.DiscardDraft(authority=by, case=CASE, user=HANDLER),
    "send-draft": lambda by: do.SendDraft(authority=by, case=CASE, user=HANDLER),
    "approve": lambda by: do.ApproveRequest(authority=by, case=CASE, user=HANDLER),
    "return": lambda by: do.ReturnRequest(authority=by, case=CASE, reason=text(), user=HANDLER),
    "modify": lambda by: do.ModifyRequest(
        authority=by,
        case=CASE,
        questions=("genuine",),
        particulars=PARTICULARS,
        wished_date=date(2026, 4, 2),
        user=HANDLER,
    ),
    "withdraw": lambda by: do.WithdrawRequest(authority=by, case=CASE, user=HANDLER),
    "assign": lambda by: do.AssignHandlers(authority=by, case=CASE, users=("handler",), user=ALLOCATOR),
    "accept": accept,
    "refuse": lambda by: do.RefuseRequest(authority=by, case=CASE, reason=text(), user=HANDLER),
    "forward": lambda by: do.ForwardRequest(authority=by, case=CASE, to=COLLEAGUE, user=HANDLER),
    "split": lambda by: do.SplitRequest(
        authority=by, case=CASE, to=COLLEAGUE, questions=("why-not",), wished_date=date(2026, 4, 1), user=HANDLER
    ),
    "save-answers": lambda by: do.SaveAnswers(authority=by, case=CASE, answers={"genuine": "yes"}, user=HANDLER),
    "reply": reply,
    "ask": lambda by: do.AskClarification(authority=by, case=CASE, text=text(), user=HANDLER),
    "clarify": lambda by: do.Clarify(authority=by, case=CASE, text=text(), user=HANDLER),
    "refer": lambda by: do.ReferCase(authority=by, case=CASE, reason=text(), user=HANDLER),
    "comment": lambda by: do.CommentReferral(authority=by, case=CASE, text=text(), user=REFEREE),
    "decide-closed": lambda by: do.DecideReferral(authority=by, case=CASE, ends="closed", text=text(), user=REFEREE),
    "decide-replied": lambda by: do.DecideReferral(authority=by, case=CASE, ends="replied", text=text(), user=REFEREE),
    "close": close,
    "message": lambda by: do.SendMessage(authority=by, case=CASE, text=text(), user=HANDLER),
    "attach": lambda by: do.AttachFile(
        authority=by, case=CASE, name="diploma.pdf", media_type="application/pdf", content=PDF, user=HANDLER
    ),
    "unblock": lambda by: do.UnblockCase(authority=by, case=CASE, ground="proof", user=HANDLER),
    "ask-erasure": lambda by: do.AskCorrection(authority=by, case=CASE, erase=True, user=HANDLER),
    "ask-correction": lambda by: do.AskCorrection(
        authority=by, case=CASE, particulars={"born": "1981-02-02"}, user=HANDLER
    ),
    "consent": lambda by: do.ConsentCorrection(authority=by, case=CASE, user=HANDLER),
}
"""Every command on a case that is there, as anybody would send it."""

PATHS: dict[str, tuple[tuple[str, str], ...]] = {
    "draft": (("send", SENDER), ("return", DE)),
    "awaiting-approval": (("send", SENDER),),
    "awaiting-acceptance": (("send", SENDER),),
    "accepted": (("send", SENDER), ("accept", RECIPIENT)),
    "replied": (("send", SENDER), ("accept", RECIPIENT), ("reply", RECIPIENT)),
    "clarification-requested": (("send", SENDER), ("accept", RECIPIENT), ("reply", RECIPIENT), ("ask", SENDER)),
    "referred": (("send", SENDER), ("accept", RECIPIENT), ("reply", RECIPIENT), ("refer", SENDER), ("comment", HU)),
    "closed": (("send", SENDER), ("accept", RECIPIENT), ("reply", RECIPIENT), ("close", SENDER)),
    "withdrawn": (("send", SENDER), ("withdraw", SENDER)),
    "refused": (("send", SENDER), ("refuse", RECIPIENT)),
}
"""The shortest way to each state. Of a discarded draft nothing is left to do anything to."""
_APPROVED = ("draft", "awaiting-approval")


def known_in(state: str) -> Known:
    """What is known: an area that allows refusal, and for the states before sending one that wants approval."""
    workflow = {"refusal": True, "approval": state in _APPROVED}
    return Known(in_force=Area(AREA.code, AREA.version, rules(workflow=workflow)))


def history_until(state: str) -> tuple[Entry, ...]:
    """The shortest history that leads to this state."""
    history, known = tuple[Entry, ...](), known_in(state)
    for action, by in PATHS[state]:
        body = request() if action == "send" else ACTIONS[action](by)
        entry = decide(case_from(CASE, history), body, known, NOW)
        assert not isinstance(entry, Refusal), (state, action, entry)
        history = (*history, entry)
    return history


def case_in(state: str) -> Case:
    """A case in this state."""
    return case_of(history_until(state))


def case_of(history: Iterable[Entry]) -> Case:
    """The case that the history tells."""
    case = case_from(CASE, history)
    assert case
    return case


def send(
    command: SendRequest, sender: Authority, recipient: Authority | None, area: Area | None, now: Now
) -> Entry | Refusal:
    """The first entry of a case, where no more is known than this."""
    authorities = {**KNOWN, sender.id: sender}
    authorities.pop(command.recipient, None)
    if recipient:
        command = command.model_copy(update={"recipient": recipient.id})
        authorities[recipient.id] = recipient
    known = Known(authorities, area or Area("none", 1, rules()))
    return decide(None, command, known, now)


def proceed(case: Case, command: Message, area: AreaRules, now: Now) -> Entry | Refusal:
    """The entry that a command adds to a case."""
    return decide(case, command, Known(in_force=Area(AREA.code, AREA.version, area)), now)
