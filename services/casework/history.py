"""A case from its history: what each entry changes. Pure.

What may be personal stands in an entry under `personal`. Once a case's key is destroyed it is gone from every entry:
the case is told without it, in the same states at the same times.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from pydantic_core import to_json

from services.casework.case import ANSWERED, ENDED, Case, Child, Correction, Entry, File, Remark, Side, Values

REMEMBERED: Final = 8 * 1024 * 1024
"""Bytes of cases as they are stored that a `Fold` remembers: of some thousand, or of one with files."""
_APART: Final = frozenset({"sealed", "personal"})
"""What of an entry is not stored in the clear, and what it is once it is opened."""

Changes = dict[str, Any]
"""Fields of a case that have another value from now on."""


def case_from(case_id: str, history: Iterable[Entry]) -> Case | None:
    """Return the case that this history tells, or nothing when it is empty."""
    told: Case | None = None
    for case in cases_from(case_id, history):
        told = case
    return told


def cases_from(case_id: str, history: Iterable[Entry]) -> Iterator[Case]:
    """Yield the case as it was after each entry."""
    case: Case | None = None
    for entry in history:
        case = _begun(case_id, entry) if case is None else apply(case, entry)
        yield case


class Fold:
    """Cases as their histories tell them, none told twice: the same entries give the same case.

    What was told last of each case is remembered, and goes on from there when its history has grown.
    """

    def __init__(self, remembered: int = 1_000, size: int = REMEMBERED) -> None:
        """Remember so many cases, of so many bytes together."""
        self._remembered = remembered
        self._size = size
        self._held = 0
        self._told: dict[str, tuple[Case, Entry, int]] = {}

    def __call__(self, case_id: str, history: Sequence[Entry]) -> Case | None:
        """Return the case that this history tells, or nothing when it is empty."""
        if not history:
            return None
        told = self._continued(case_id, history) or case_from(case_id, history)
        assert told
        self._forget(case_id)
        self._told[case_id] = told, history[-1], _readable(history)
        self._held += told.size
        while len(self._told) > self._remembered or self._held > self._size:
            self._forget(next(iter(self._told)))  # which nobody has asked for since
        return told

    def _forget(self, case_id: str) -> None:
        case, *_ = self._told.pop(case_id, (None,))
        self._held -= case.size if case else 0

    def _continued(self, case_id: str, history: Sequence[Entry]) -> Case | None:
        """Go on from what was told, if this begins as that did, and not less of it can be read by now.

        An entry's link covers all entries before it: where the last one is the same, so are they.
        """
        case, last, readable = self._told.get(case_id, (None, {}, 0))
        if case is None:
            return None
        told, more = history[: case.version], history[case.version :]
        if len(told) < case.version or "link" not in last or told[-1] != last or _readable(told) != readable:
            return None
        for entry in more:
            case = apply(case, entry)
        return case


def _readable(history: Iterable[Entry]) -> int:
    return sum("personal" in entry for entry in history)


def apply(case: Case, entry: Entry) -> Case:
    """Return the case after one more entry."""
    dates = {name: entry[name] for name in ("idle_at", "block_at", "delete_at", "ended_at") if name in entry}
    stored, shown = _sizes(entry)
    changes = {
        "version": case.version + 1,
        "changed_at": entry["at"],
        "state": entry.get("state", case.state),
        "size": case.size + stored,
        "said": case.said + shown,
    }
    if "sealed" in entry or "personal" in entry:
        changes["erased"] = False  # after an erasure something was said anew
    happened = _APPLY.get(entry["what"], _nothing_more)(case, entry, _personal(entry))
    return replace(case, **{**changes, **dates, **happened})


def _sizes(entry: Entry) -> tuple[int, int]:
    """Return how many bytes of an entry are stored, and how many of them a view or a trail may hold."""
    clear = len(to_json({name: value for name, value in entry.items() if name not in _APART}))
    sealed = len(entry.get("sealed", b""))
    return clear + sealed, clear + (sealed - _in_files(entry["personal"]) if "personal" in entry else 0)


def _in_files(personal: Values) -> int:
    files = [personal["file"]] if "file" in personal else personal.get("files", {}).values()
    return sum(len(file["content"]) for file in files)


def _personal(entry: Entry) -> Values:
    personal: Values = entry.get("personal", {})
    return personal


def _begun(case_id: str, entry: Entry) -> Case:
    case = Case(
        id=case_id,
        version=0,
        state="",
        area=entry["area"],
        area_version=entry["area_version"],
        sender=Side(**entry["sender"]),
        recipient=None,
        changed_at=entry["at"],
        parent=entry.get("parent"),
    )
    return apply(case, entry)


def _nothing_more(_case: Case, _entry: Entry, _personal: Values) -> Changes:
    return {}


def _content(_case: Case, entry: Entry, personal: Values) -> Changes:
    """What a request says: all of it anew."""
    recipient = entry.get("recipient")
    return {
        "recipient": Side(**recipient) if recipient else None,
        "questions": tuple(entry["questions"]),
        "particulars": personal.get("particulars", {}),
        "comment": personal.get("comment"),
        "wished_date": date.fromisoformat(entry["wished_date"]) if entry["wished_date"] else None,
    }


def _approval_asked(case: Case, entry: Entry, personal: Values) -> Changes:
    return {**_content(case, entry, personal), "approver": entry["approver"]}


def _sent(case: Case, entry: Entry, personal: Values) -> Changes:
    return {**_content(case, entry, personal), **_arrived(entry)}


def _arrived(entry: Entry) -> Changes:
    return {
        "sent_at": entry["at"],
        "arrived_at": entry["at"],
        "acceptance_due": entry["acceptance_due"],
        "behind": tuple(entry["behind"]),
    }


def _approved(_case: Case, entry: Entry, _: Values) -> Changes:
    return _arrived(entry)


def _returned(case: Case, entry: Entry, personal: Values) -> Changes:
    return {"approver": None, **_said(case, entry, personal)}


def _accepted(_case: Case, entry: Entry, _: Values) -> Changes:
    agreed = date.fromisoformat(entry["agreed_date"])
    return {
        "agreed_date": agreed,
        "answer_due": entry["answer_due"],
        "accepted_at": entry["at"],
        "overdue": frozenset(),
    }


def _forwarded(case: Case, entry: Entry, personal: Values) -> Changes:
    return {**_at_new_recipient(entry), **_said(case, entry, personal)}


def _at_new_recipient(entry: Entry) -> Changes:
    return {
        "recipient": Side(**entry["recipient"]),
        "acceptance_due": entry["acceptance_due"],
        "behind": tuple(entry["behind"]),
        "arrived_at": entry["at"],
        "accepted_at": None,
        "agreed_date": None,
        "answer_due": None,
        "handlers": (),
        "kept_answers": {},
        "kept_comment": None,
        "answered": False,
        "overdue": frozenset(),
    }


def _rerouted(case: Case, entry: Entry, _: Values) -> Changes:
    if entry["side"] == "sender":
        return {"sender": Side(**entry["sender"])}
    if entry["side"] == "coordinator":
        swapped = tuple(entry["to"] if one == entry["gone"] else one for one in case.coordinators)
        approver = entry["to"] if case.approver == entry["gone"] else case.approver
        return {"coordinators": swapped, "approver": approver}
    if "acceptance_due" in entry:
        return _at_new_recipient(entry)
    return {"recipient": Side(**entry["recipient"]), "handlers": ()}


def _assigned(_case: Case, entry: Entry, _: Values) -> Changes:
    return {"handlers": tuple(entry["handlers"])}


def _split(case: Case, entry: Entry, _: Values) -> Changes:
    child = Child(entry["child"], Side(**entry["to"]), tuple(entry["questions"]), entry["wished_date"])
    return {"children": (*case.children, child)}


def _child_moved(case: Case, entry: Entry, personal: Values) -> Changes:
    children = tuple(
        replace(child, state=entry["child_state"], to=Side(**entry["to"])) if child.id == entry["child"] else child
        for child in case.children
    )
    lost = entry["child_state"] in ENDED - ANSWERED
    kept = {**case.kept_answers, **personal.get("answers", {})}
    moved = {"children": children, "kept_answers": kept, "answered": case.answered and not lost}
    whole = {"answers": kept, "comment": case.kept_comment}
    return {**moved, **_complete(case, entry, whole)} if entry["completes"] else moved


def _answers_kept(case: Case, _: Entry, personal: Values) -> Changes:
    kept = {**case.kept_answers, **personal.get("answers", {})}
    return {"kept_answers": kept, "kept_comment": personal.get("comment") or case.kept_comment}


def _answered(case: Case, entry: Entry, personal: Values) -> Changes:
    return {**_answers_kept(case, entry, personal), "answered": True}


def _replied(case: Case, entry: Entry, personal: Values) -> Changes:
    answers = {**case.kept_answers, **personal.get("answers", {})}
    return _complete(case, entry, {"answers": answers, "comment": personal.get("comment") or case.kept_comment})


def _complete(case: Case, entry: Entry, given: Values) -> Changes:
    asked = {code: value for code, value in given["answers"].items() if code in case.questions}
    return {
        "answers": asked,
        "reply_comment": given["comment"],
        "kept_answers": {},
        "kept_comment": None,
        "answered": True,
        "replied_at": case.replied_at or entry["at"],
        "first_agreed": case.first_agreed or case.agreed_date,
    }


def _clarification_asked(case: Case, entry: Entry, personal: Values) -> Changes:
    asked = {"clarification_due": entry["clarification_due"], "overdue": case.overdue - {"clarification"}}
    return {**asked, **_said(case, entry, personal)}


def _clarified(case: Case, entry: Entry, personal: Values) -> Changes:
    answers = {**case.answers, **case.kept_answers, **personal.get("answers", {})}
    again = {"answers": answers, "kept_answers": {}, "clarification_due": None}
    return {**again, **_said(case, entry, personal)}


def _referred(case: Case, entry: Entry, personal: Values) -> Changes:
    called: Changes = {"coordinators": tuple(entry["coordinators"]), "last_word": None, "heard": frozenset()}
    return {**called, **_said(case, entry, personal)}


def _spoken(case: Case, entry: Entry, personal: Values) -> Changes:
    spoken = {"last_word": entry["by"], "heard": case.heard | {entry["by"]}}
    return {**spoken, **_said(case, entry, personal)}


def _closed(_case: Case, entry: Entry, _: Values) -> Changes:
    return {"rating": entry["rating"]}


def _said(case: Case, entry: Entry, personal: Values) -> Changes:
    if not entry.get("says"):
        return {}
    remark = Remark(entry["what"], entry["at"], entry["by"], personal.get("text"))
    return {"remarks": (*case.remarks, remark)}


def _attached(case: Case, entry: Entry, personal: Values) -> Changes:
    file = File(entry["file"], entry["at"], entry["by"], entry["size"], personal.get("file"))
    return {"files": (*case.files, file)}


def _overdue(case: Case, entry: Entry, _: Values) -> Changes:
    return {"overdue": case.overdue | {entry["kind"]}}


def _idle(case: Case, entry: Entry, _: Values) -> Changes:
    called = tuple(entry["coordinators"])
    # Whoever has not spoken for so long cannot keep the other from deciding.
    return {"coordinators": called, "heard": case.heard | frozenset(called)}


def _blocked(_case: Case, _entry: Entry, _: Values) -> Changes:
    return {"blocked": True}


def _correction_asked(_case: Case, entry: Entry, personal: Values) -> Changes:
    return {"correction": Correction(entry["by"], entry["erase"], personal.get("particulars", {}))}


def _corrected(case: Case, _: Entry, personal: Values) -> Changes:
    """From here on another key counts: what was said before stands in this entry, or nowhere."""
    remarks = tuple(
        replace(remark, said=said) for remark, said in zip(case.remarks, personal.get("remarks", ()), strict=False)
    )
    return {
        "particulars": personal.get("particulars", {}),
        "comment": personal.get("comment"),
        "answers": personal.get("answers", {}),
        "reply_comment": personal.get("reply_comment"),
        "kept_answers": personal.get("kept_answers", {}),
        "kept_comment": personal.get("kept_comment"),
        "remarks": remarks or tuple(replace(remark, said=None) for remark in case.remarks),
        "files": tuple(replace(file, content=personal.get("files", {}).get(file.id)) for file in case.files),
        "correction": None,
    }


def _erased(case: Case, _entry: Entry, _: Values) -> Changes:
    silent = tuple(replace(remark, said=None) for remark in case.remarks)
    return {
        "particulars": {},
        "comment": None,
        "answers": {},
        "reply_comment": None,
        "kept_answers": {},
        "kept_comment": None,
        "remarks": silent,
        "files": tuple(replace(file, content=None) for file in case.files),
        "correction": None,
        "erased": True,
    }


_APPLY: Final = {
    "drafted": _content,
    "approval-asked": _approval_asked,
    "approved": _approved,
    "returned": _returned,
    "sent": _sent,
    "modified": _content,
    "withdrawn": _said,
    "discarded": _erased,
    "assigned": _assigned,
    "accepted": _accepted,
    "refused": _said,
    "forwarded": _forwarded,
    "split": _split,
    "child-moved": _child_moved,
    "answers-saved": _answers_kept,
    "answered": _answered,
    "replied": _replied,
    "clarification-asked": _clarification_asked,
    "clarified": _clarified,
    "referred": _referred,
    "commented": _spoken,
    "decided": _spoken,
    "closed": _closed,
    "message": _said,
    "attached": _attached,
    "overdue": _overdue,
    "idle": _idle,
    "rerouted": _rerouted,
    "blocked": _blocked,
    "correction-asked": _correction_asked,
    "corrected": _corrected,
    "erased": _erased,
    "deleted": _erased,
}
"""What happened → what it changes besides the state and the common dates. `unblocked` changes nothing."""
