"""What may be done to a case: state, action, who may, what follows. Pure: everything it needs is handed to it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from contracts.casework import AcceptRequest, CloseCase, Reply, SendRequest
from contracts.refusal import Refusal
from contracts.translation import AreaRules
from contracts.types import FreeText
from services.casework.answers import check_answers, check_asked, check_particulars
from services.casework.calendar import Calendar
from services.casework.case import Case, Side
from services.casework.deadlines import A_DAY, acceptance_due, day_at, end_of_day

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the table: this action, in this state, by the holder of this side, leads to that state."""

    state: str
    action: type
    by: str
    leads_to: str


STEPS: Final = (
    Step("awaiting-acceptance", AcceptRequest, "recipient", "accepted"),
    Step("accepted", Reply, "recipient", "replied"),
    Step("replied", CloseCase, "sender", "closed"),
)


@dataclass(frozen=True, slots=True)
class Authority:
    """What casework knows of an authority."""

    side: Side
    system: str
    active: bool
    areas: frozenset[str]


@dataclass(frozen=True, slots=True)
class Area:
    """An area in the version in force."""

    code: str
    version: int
    rules: AreaRules


@dataclass(frozen=True, slots=True)
class Now:
    """The moment of a decision, in whole milliseconds, the holidays by which periods are counted, a day's length.

    A day has 24 hours, but for demonstrations.
    """

    at: datetime
    day: timedelta = A_DAY
    calendar: Calendar = field(default_factory=Calendar)

    def today(self, state: str, region: str | None = None) -> date:
        """The calendar day in a state, or in a region of it."""
        return day_at(self.at, state, region)


def send(
    command: SendRequest, sender: Authority, recipient: Authority | None, area: Area | None, now: Now
) -> Entry | Refusal:
    """Return the first entry of a new case, or why there can be none."""
    wrong = _cannot_send(command, sender, recipient, area, now)
    if wrong or recipient is None or area is None:
        return wrong or Refusal("recipient-not-found", "recipient")
    return {
        "what": "sent",
        "at": now.at,
        "by": command.authority,
        "user": command.user.model_dump(),
        "area": area.code,
        "area_version": area.version,
        "sender": asdict(sender.side),
        "recipient": asdict(recipient.side),
        "questions": list(command.questions),
        "particulars": stored(command.particulars),
        "comment": _text(command.comment),
        "wished_date": command.wished_date.isoformat(),
        "acceptance_due": acceptance_due(area.rules, recipient.side, now.at, now.day, now.calendar),
    }


def _cannot_send(
    command: SendRequest, sender: Authority, recipient: Authority | None, area: Area | None, now: Now
) -> Refusal | None:
    if area is None:
        return Refusal("unknown-area", "area")
    if area.code not in sender.areas:
        return Refusal("no-access", "area")
    if recipient is None or recipient == sender or not recipient.active or area.code not in recipient.areas:
        return Refusal("recipient-not-found", "recipient")
    if recipient.side.country == sender.side.country and not area.rules.workflow.own_state_cases:
        return Refusal("own-state", "recipient")
    if command.wished_date < now.today(recipient.side.country, recipient.side.region):
        return Refusal("date-in-the-past", "wished_date")
    return check_asked(area.rules, command.questions) or check_particulars(area.rules, command.particulars)


def proceed(case: Case, command: AcceptRequest | Reply | CloseCase, rules: AreaRules, now: Now) -> Entry | Refusal:
    """Return the entry that the command adds to a case of which its sender is a party, or why it cannot."""
    if command.version is not None and command.version != case.version:
        return Refusal("version-passed", "version")
    step = next((step for step in STEPS if step.action is type(command) and step.state == case.state), None)
    if step is None:
        return Refusal("wrong-state", None)
    if getattr(case, step.by).authority != command.authority:
        return Refusal("not-your-step", "authority")
    change = _CHANGES[type(command)](case, command, rules, now)
    if isinstance(change, Refusal):
        return change
    common = {"what": step.leads_to, "at": now.at, "by": command.authority, "user": command.user.model_dump()}
    return {**common, **change}


def _accept(case: Case, command: AcceptRequest, _: AreaRules, now: Now) -> Entry | Refusal:
    there = case.recipient.country, case.recipient.region
    today = now.today(*there)
    agreed = command.propose_date or max(case.wished_date, today)
    if agreed < today:
        return Refusal("date-in-the-past", "propose_date")
    return {"agreed_date": agreed.isoformat(), "answer_due": end_of_day(agreed, *there)}


def _reply(case: Case, command: Reply, rules: AreaRules, _: Now) -> Entry | Refusal:
    wrong = check_answers(rules, case.questions, command.answers)
    return wrong or {"answers": stored(command.answers), "comment": _text(command.comment)}


def _close(_case: Case, command: CloseCase, _rules: AreaRules, _: Now) -> Entry | Refusal:
    return {"rating": command.rating.model_dump() if command.rating else None}


_CHANGES: Final[Mapping[type, Any]] = {AcceptRequest: _accept, Reply: _reply, CloseCase: _close}


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they are kept: nothing but strings, numbers, lists and mappings."""
    return {code: _plain(value) for code, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, FreeText):
        return value.model_dump()
    return list(value) if isinstance(value, tuple) else value


def _text(text: FreeText | None) -> dict[str, str] | None:
    return text.model_dump() if text else None
