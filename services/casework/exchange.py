"""What the exchange itself does to a case: parts that were split off, dates that come, parties that go. Pure.

A command that no longer applies is refused like any other; nobody is told, for nobody asked.
"""

from dataclasses import asdict, replace
from typing import Any

from contracts import own
from contracts.refusal import Refusal
from services.casework.case import ENDED, Case, Child, Entry
from services.casework.deadlines import pending
from services.casework.doing import Change, Doing, arrival, coordinators, stored
from services.casework.knowledge import Authority, behind

_WRONG = Refusal("wrong-state")


def open_child(doing: Doing) -> Change:
    """A child asks what its parent's entry says, with the same particulars, in the name of the parent's recipient."""
    parent = doing.ask.case(doing.command.parent)
    part = next((one for one in parent.children if one.id == doing.command.case), None) if parent else None
    if parent is None or part is None:
        return _WRONG
    return {
        "parent": parent.id,
        "area": parent.area,
        "area_version": parent.area_version,
        "sender": asdict(doing.case.sender),
        "recipient": asdict(part.to),
        "questions": list(part.questions),
        "wished_date": part.wished_date,
        **arrival(doing, part.to),
        "personal": {"particulars": dict(parent.particulars), "comment": parent.comment},
    }


def child_moved(doing: Doing) -> Change:
    """The parent keeps the child's answers with its own; the last part missing makes the reply whole."""
    parts = _parts(doing)
    if parts is None:
        return _WRONG
    before, after, child = parts
    answers = stored(child.answers) if after.answered else {}
    if before == after and all(doing.case.kept_answers.get(code) == value for code, value in answers.items()):
        return _WRONG
    assert child.recipient
    return {
        "child": after.id,
        "child_state": after.state,
        "to": asdict(child.recipient),
        "completes": completes(doing),
        "personal": {"answers": answers},
    }


def completes(doing: Doing) -> bool:
    """Say whether with this child all is answered, and the recipient has answered its own part."""
    parts = _parts(doing)
    if parts is None or not doing.case.answered or doing.case.state != "accepted":
        return False
    others = [one for one in doing.case.children if one.id != parts[1].id]
    return parts[1].answered and not any(one.open for one in others)


def _parts(doing: Doing) -> tuple[Child, Child, Case] | None:
    child = doing.ask.case(doing.command.child)
    before = next((one for one in doing.case.children if one.id == doing.command.child), None)
    if child is None or before is None or child.recipient is None:
        return None
    return before, replace(before, state=child.state, to=child.recipient), child


def _has_come(doing: Doing) -> bool:
    command: own.TimePassed = doing.command
    return pending(doing.case).get(command.kind) == command.due <= doing.now.at


def is_overdue(doing: Doing) -> bool:
    """Say whether somebody should have acted by now."""
    return doing.command.kind in ("acceptance", "answer", "clarification") and _has_come(doing)


def is_idle(doing: Doing) -> bool:
    """Say whether the case has stood still for so long (Regulation (EU) 1024/2012, Art. 14(7))."""
    return doing.command.kind == "idle" and _has_come(doing)


def is_to_block(doing: Doing) -> bool:
    """Say whether its personal data are to be blocked (Art. 14(1))."""
    return doing.command.kind == "block" and _has_come(doing)


def is_to_delete(doing: Doing) -> bool:
    """Say whether its personal data are to be deleted (Art. 14(4))."""
    return doing.command.kind == "delete" and _has_come(doing)


def time_passed(doing: Doing) -> Change:
    """Who should have acted is kept; idle cases call in those who stand behind the two sides."""
    kind, case = doing.command.kind, doing.case
    if kind == "idle" and case.sent_at:
        return {"coordinators": coordinators(doing)}
    return {"kind": kind}


def recipient_gone(doing: Doing) -> bool:
    """Say whether it was the recipient of a request that is not answered yet."""
    case = doing.case
    return bool(_is_gone(doing) and case.recipient and case.recipient.authority == doing.command.authority)


def party_gone(doing: Doing) -> bool:
    """Say whether it was another party, or the recipient of a request that is answered."""
    case, number = doing.case, doing.command.authority
    return _is_gone(doing) and (case.is_party(number) or case.approver == number)


def _is_gone(doing: Doing) -> bool:
    found = doing.ask.authority(doing.command.authority)
    return found is not None and not found.active


def reroute(doing: Doing) -> Change:
    """To its successor, else to who stands behind it. Where nobody is, the case waits for somebody."""
    case, gone = doing.case, doing.ask.authority(doing.command.authority)
    assert gone
    heir = _heir(doing, gone)
    if heir is None or case.state in ENDED:
        return _WRONG
    if case.recipient and case.recipient.authority == gone.id and case.sent_at:
        return _to_new_recipient(doing, heir, gone.id)
    if case.sender.authority == gone.id:
        return {"side": "sender", "gone": gone.id, "to": heir.id, "sender": asdict(heir.side)}
    return {"side": "coordinator", "gone": gone.id, "to": heir.id}


def _to_new_recipient(doing: Doing, heir: Authority, gone: str) -> Entry:
    moved: dict[str, Any] = {"side": "recipient", "gone": gone, "to": heir.id, "recipient": asdict(heir.side)}
    if doing.case.state in ("awaiting-acceptance", "accepted"):
        moved |= arrival(doing, heir.side)
    return moved


def _heir(doing: Doing, gone: Authority) -> Authority | None:
    sides = {doing.case.sender.authority, doing.case.recipient.authority if doing.case.recipient else ""} - {gone.id}
    successor = doing.ask.authority(gone.successor) if gone.successor else None
    for one in (successor, behind(gone, doing.case.area, doing.ask)):
        if one and one.active and one.id not in sides:
            return one
    return None
