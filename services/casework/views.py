"""What each reader may see of a case, in codes. The only place that knows. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, cast

from contracts.case import (
    Attached,
    CaseHead,
    CaseView,
    Child,
    Correction,
    File,
    MediaType,
    Party,
    Remark,
)
from contracts.dates import Notice, NoticeKind
from contracts.types import Label, ReadText
from services.casework import case as domain
from services.casework.case import DRAFTS, Case, Entry, Side

Sees = Literal["all", "not yet", "summary"]

_ONE_SIDED: Final = frozenset({"drafted", "discarded", "approval-asked", "assigned", "answers-saved", "unblocked"})
"""What concerns those alone who did it, and whoever approves."""
_BEFORE_SENT: Final = frozenset({"returned"})
"""What an approver said to a sender: the other side was not there."""


def sees(case: Case, reader: str) -> Sees:
    """Say how much a reader may see (Regulation (EU) 1024/2012, Art. 9: only those who participate need to know).

    Before acceptance the recipient sees neither particulars nor comment nor messages: all may hold personal data.
    Coordinators see a case that was referred to them; of one that merely stood still, as observers do, a summary.
    """
    if reader == case.sender.authority:
        return "all"
    if case.recipient and case.sent_at and reader == case.recipient.authority:
        return "not yet" if case.state == "awaiting-acceptance" or case.accepted_at is None else "all"
    if case.state == "awaiting-approval" and reader == case.approver:
        return "all"
    referred = any(remark.on == "referred" for remark in case.remarks)
    return "all" if reader in case.coordinators and referred else "summary"


def readers_of(case: Case, entry: Entry) -> tuple[str, ...]:
    """Return which authorities are told of an entry, besides observers: each once."""
    gone = entry.get("gone")
    told = dict.fromkeys((*case.parties, *([gone] if gone else [])))
    return tuple(one for one in told if concerns(case, entry, one))


def concerns(case: Case, entry: Entry, reader: str) -> bool:
    """Say whether a reader of the case hears at all that something was done.

    Of a file none does before the acceptance who may not read it: its recipient, and whoever could tell that.
    """
    what, by = entry["what"], entry["by"] or case.sender.authority
    if what in _ONE_SIDED:
        return reader == by or (what == "approval-asked" and reader == case.approver)
    if what in _BEFORE_SENT:
        return reader in (by, case.sender.authority)
    return what != "attached" or reader == by or case.accepted_at is not None or sees(case, reader) == "all"


def latest(case: Case, history: Sequence[Entry], reader: str) -> Entry:
    """Return the last entry that a reader hears of."""
    return next((entry for entry in reversed(history) if concerns(case, entry, reader)), history[0])


def head_of(case: Case, entry: Entry, epoch: int) -> CaseHead:
    """Return what everybody who may know of the case at all sees of it."""
    return CaseHead(**_head(case, entry, epoch))


def _head(case: Case, entry: Entry, epoch: int) -> dict[str, Any]:
    return {
        "id": case.id,
        "epoch": epoch,
        "version": case.version,
        "state": {"code": case.state},
        "turn": case.turn,
        "area": {"code": case.area, "version": case.area_version},
        "sender": _party(case.sender),
        "recipient": _party(case.recipient) if case.recipient else None,
        "wished_date": case.wished_date,
        "agreed_date": case.agreed_date,
        "acceptance_due": case.acceptance_due,
        "event": {"code": entry["what"], "at": entry["at"], "by": entry["by"]},
    }


def view_of(case: Case, reader: str, entry: Entry, epoch: int, *, acting: bool = False) -> CaseView:
    """Return the case as `reader` may see it after `entry`; what is unblocked, only in the outcome of who did it."""
    head, may = _head(case, entry, epoch), sees(case, reader)
    if may == "summary":
        return CaseView(**head, summary=True)
    opened = acting and entry["what"] == "unblocked"
    if case.erased or (case.blocked and not opened):
        return CaseView(**head, personal_data="erased" if case.erased else "blocked", questions=_items(case.questions))
    there = case.recipient is not None and reader == case.recipient.authority
    return CaseView(
        **head,
        questions=_items(case.questions, case.answers),
        rating=dict(case.rating) if case.rating else None,
        remarks=tuple(_remark(remark, reader, may) for remark in case.remarks if _is_for(case, remark, reader)) or None,
        coordinators=case.coordinators or None,
        parent=case.parent,
        children=tuple(_child(child) for child in case.children) or None,
        files=tuple(_attached(file) for file in case.files if may == "all" and file.content) or None,
        **(_own_side(case, may) if there else {}),
        **(_personal(case) if may == "all" else {}),
    )


def _own_side(case: Case, may: Sees) -> dict[str, Any]:
    """A part that was split off may be answered before a recipient that took the case over has accepted it."""
    kept = _items(case.kept_answers, case.kept_answers) if may == "all" else []
    return {"handlers": case.handlers or None, "kept_answers": kept or None}


def _personal(case: Case) -> dict[str, Any]:
    return {
        "particulars": _items(case.particulars, case.particulars),
        "comment": _text(case.comment),
        "reply_comment": _text(case.reply_comment),
        "correction": _correction(case.correction) if case.correction else None,
    }


def _is_for(case: Case, remark: domain.Remark, reader: str) -> bool:
    return remark.on not in _BEFORE_SENT or reader in (remark.by, case.sender.authority)


def _remark(remark: domain.Remark, reader: str, may: Sees) -> Remark:
    readable = may == "all" or remark.by == reader
    return Remark(on=remark.on, at=remark.at, by=remark.by, said=_text(remark.said) if readable else None)


def _attached(file: domain.File) -> Attached:
    assert file.content
    name, media_type = file.content["name"], file.content["media_type"]
    return Attached(
        id=file.id, name=name, media_type=cast("MediaType", media_type), size=file.size, at=file.at, by=file.by
    )


def file_of(case: Case, reader: str, file_id: str) -> File | None:
    """Return a file with its content, if this reader may have it."""
    found = next((one for one in case.files if one.id == file_id), None)
    if found is None or found.content is None or sees(case, reader) != "all" or case.blocked:
        return None
    return File(**_attached(found).model_dump(), content=found.content["content"])


def _child(child: domain.Child) -> Child:
    return Child(id=child.id, to=Party(**_party(child.to)), questions=child.questions, state=Label(code=child.state))


def _correction(asked: domain.Correction) -> Correction:
    particulars = _items(asked.particulars, asked.particulars) or None
    return Correction(by=asked.by, erase=asked.erase, particulars=particulars)


def _party(side: Side) -> dict[str, Any]:
    return {"authority": side.authority, "name": side.name, "country": {"code": side.country}}


def _items(codes: Iterable[str], values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    there = values or {}
    return [{"code": code, "value": there.get(code)} for code in codes]


def _text(text: Mapping[str, str] | None) -> ReadText | None:
    return ReadText(**text) if text else None


# Notices for e-mails

_NOTICES: Final[Mapping[str, tuple[NoticeKind, str]]] = {
    "sent": ("arrived", "recipient"),
    "approved": ("arrived", "recipient"),
    "approval-asked": ("approval-asked", "approver"),
    "returned": ("returned", "sender"),
    "accepted": ("accepted", "sender"),
    "refused": ("refused", "sender"),
    "withdrawn": ("withdrawn", "recipient"),
    "forwarded": ("forwarded", "recipient"),
    "replied": ("replied", "sender"),
    "clarification-asked": ("clarification-asked", "recipient"),
    "clarified": ("clarified", "sender"),
    "referred": ("referred", "coordinators"),
    "decided": ("decided", "sides"),
    "closed": ("closed", "recipient"),
    "message": ("message", "others"),
    "idle": ("idle", "coordinators"),
    "rerouted": ("forwarded", "heir"),
    "child-moved": ("replied", "sender"),
}


def notices_of(case: Case, entry: Entry) -> tuple[Notice, ...]:
    """Return who is to be written to because of an entry, and why: numbers and codes alone."""
    if entry["what"] == "child-moved" and not entry["completes"]:
        return ()
    found = _NOTICES.get(entry["what"])
    if found is None or (case.state in DRAFTS and found[1] not in ("approver", "sender")):
        return ()
    kind, whom = found
    return tuple(Notice(kind=kind, authority=one) for one in _addressed(case, entry, whom) if one != entry["by"])


def _addressed(case: Case, entry: Entry, whom: str) -> Iterable[str]:
    recipient = (case.recipient.authority,) if case.recipient and case.sent_at else ()
    sides = (case.sender.authority, *recipient)
    return {
        "sender": sides[:1],
        "recipient": recipient,
        "sides": sides,
        "others": sides,
        "approver": (case.approver,) if case.approver else (),
        "coordinators": tuple(dict.fromkeys(case.coordinators)),
        "heir": (entry.get("to", ""),),
    }[whom]
