"""What a sender does before the recipient hears of it: drafts, requests, approval, changes. Pure."""

from dataclasses import asdict
from typing import Any

from contracts import casework as do
from contracts.refusal import Refusal
from contracts.types import FreeText
from services.casework.answers import check_asked, check_particulars
from services.casework.case import Entry, Side
from services.casework.doing import (
    Change,
    Doing,
    arrival,
    behind_of,
    stored,
    takes_part,
    text,
    value_of,
    wants_approval,
)
from services.casework.knowledge import Authority


def save_draft(doing: Doing) -> Change:
    """A draft may lack anything; what it has must fit the area (two-level validation)."""
    command, rules = doing.command, doing.rules
    wrong = check_asked(rules, command.questions) or check_particulars(rules, command.particulars, "saving")
    if wrong:
        return wrong
    recipient = doing.ask.authority(command.recipient) if command.recipient else None
    if command.recipient and not recipient:
        return Refusal("recipient-not-found", "recipient")
    return _opening(doing, _content(command, recipient.side if recipient else None))


def discard(_: Doing) -> Change:
    """Nothing is left of a draft but that there was one: its key is destroyed at once."""
    return {}


def send(doing: Doing) -> Change:
    """A request needs a recipient that may have it, questions and particulars of the area, and a date to come."""
    command = doing.command
    found = _recipient(doing, command.recipient)
    if isinstance(found, Refusal):
        return found
    wrong = _unfit(doing, command, found)
    return wrong or _opening(doing, {**_content(command, found.side), **_on_its_way(doing, found.side)})


def send_draft(doing: Doing) -> Change:
    """What a draft may lack, sending needs."""
    case = doing.case
    found = _recipient(doing, case.recipient.authority if case.recipient else None)
    if isinstance(found, Refusal):
        return found
    said = do.Content(
        questions=case.questions,
        particulars={code: value_of(value) for code, value in case.particulars.items()},
        comment=FreeText(**case.comment) if case.comment else None,
        wished_date=case.wished_date,
    )
    if not said.questions:
        return Refusal("unknown-question", "questions")
    wrong = _unfit(doing, said, found)
    return wrong or {**_content(said, found.side), **_on_its_way(doing, found.side)}


def approve(doing: Doing) -> Change:
    """What was right when it was written must be so still: the recipient may have gone meanwhile."""
    recipient = doing.case.recipient
    found = _recipient(doing, recipient.authority if recipient else None)
    if isinstance(found, Refusal):
        return found
    return arrival(doing, found.side)


def modify(doing: Doing) -> Change:
    """As sending, to the same recipient."""
    recipient = doing.case.recipient
    assert recipient
    if wrong := _unfit(doing, doing.command, recipient):
        return wrong
    return _content(doing.command, recipient)


def _recipient(doing: Doing, number: str | None) -> Authority | Refusal:
    """Return whom a request may go to: active, with access, and not of the sender's state unless the area allows it."""
    case, found = doing.case, doing.ask.authority(number) if number else None
    if found is None or found.id == case.sender.authority or not found.active:
        return Refusal("recipient-not-found", "recipient")
    if not takes_part(found, case.area, doing.rules):
        return Refusal("recipient-not-found", "recipient")
    if found.side.country == case.sender.country and not doing.rules.workflow.own_state_cases:
        return Refusal("own-state", "recipient")
    return found


def _unfit(doing: Doing, said: Any, recipient: Authority | Side) -> Refusal | None:
    side = recipient if isinstance(recipient, Side) else recipient.side
    if said.wished_date is None:
        return Refusal("date-missing", "wished_date")
    if said.wished_date < doing.now.today(side):
        return Refusal("date-in-the-past", "wished_date")
    return check_asked(doing.rules, said.questions) or check_particulars(doing.rules, said.particulars)


def _content(said: Any, recipient: Side | None) -> Entry:
    return {
        "recipient": asdict(recipient) if recipient else None,
        "questions": list(said.questions),
        "wished_date": said.wished_date.isoformat() if said.wished_date else None,
        "personal": {"particulars": stored(said.particulars), "comment": text(said.comment)},
    }


def _on_its_way(doing: Doing, recipient: Side) -> Entry:
    """By when it is to be accepted; where the area wants approval, who approves first."""
    if not wants_approval(doing):
        return arrival(doing, recipient)
    return {"approver": behind_of(doing, doing.case.sender.authority)}


def _opening(doing: Doing, content: Entry) -> Entry:
    case = doing.case
    if case.version:
        return content
    return {"area": case.area, "area_version": case.area_version, "sender": asdict(case.sender), **content}
