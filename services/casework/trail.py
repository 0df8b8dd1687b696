"""A case's trail: its steps as each reader may see them. Pure.

A trail says no more of what was typed than the case's view does: now, or right after the step; but for what its reader
typed himself.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from contracts.case import CaseTrail, Traced, TracedReader, TracedStep, TrailStep
from services.casework.case import Case, Entry, Values
from services.casework.history import cases_from
from services.casework.views import concerns, head_of, latest, sees

_FACTS: Final = (
    "state",
    "wished_date",
    "agreed_date",
    "handlers",
    "child",
    "child_state",
    "kind",
    "coordinators",
    "ground",
    "erase",
    "side",
    "gone",
    "to",
)
_OF_FILES: Final = ("file", "size")
_SAID_BY_CODE: Final = ("particulars", "answers", "kept_answers")
Shown = Mapping[str, tuple[Values, ...]]
"""Where the view of a case has what its steps say, under the name that they have for it."""


def trail_of(case: Case, history: Iterable[Entry], reader: str, epoch: int, *, whole: bool) -> CaseTrail:
    """Return the case's steps as its reader may see them: who, what, when, for whom, by which command, with the hashes.

    Each side reads what was said as it may read the case itself; of the other side's users only that they acted.
    """
    entries, now = list(history), _shown(case, reader)
    steps = [
        _step(entry, reader, case, (now, _shown(then, reader) if now else {}))
        for entry, then in zip(entries, cases_from(case.id, entries), strict=True)
        if concerns(case, entry, reader)
    ]
    return CaseTrail(case=head_of(case, latest(case, entries, reader), epoch), steps=tuple(steps), whole=whole)


def traced_of(case: Case, history: Iterable[Entry], readers: Mapping[str, str], epoch: int) -> Traced:
    """Return the case without its content, for whoever has to find its messages; `readers` with their systems."""
    steps = [TracedStep(what=one["what"], at=one["at"], by=one["by"], command=one["key"]) for one in history]
    return Traced(
        case=case.id,
        state=case.state,
        area=case.area,
        epoch=epoch,
        version=case.version,
        turn=case.turn,
        steps=tuple(steps),
        readers=tuple(TracedReader(authority=one, system=system) for one, system in readers.items()),
    )


def _step(entry: Entry, reader: str, case: Case, shown: tuple[Shown, Shown]) -> TrailStep:
    own = entry["by"] == reader
    readable = not case.blocked and not case.erased
    of_files = _OF_FILES if readable and _is_there(entry, case) and (own or shown[0]) else ()
    facts = {name: _fact(entry[name]) for name in (*_FACTS, *of_files) if name in entry}
    said = _said(entry.get("personal", {})) if readable else {}
    if not own or entry["what"] == "corrected":  # which repeats what others had typed
        said = {name: value for name, value in said.items() if any(_has(one, name, value) for one in shown)}
    return TrailStep(
        what=entry["what"],
        at=entry["at"],
        by=entry["by"],
        user=entry.get("user") if own else None,
        command=entry["key"],
        facts=facts,
        said=said or None,
        link=entry["link"],
    )


def _fact(value: Any) -> str | int | tuple[str, ...] | None:
    if isinstance(value, Mapping):
        return str(value["authority"])
    if isinstance(value, list):
        return tuple(str(one) for one in value)
    return int(value) if isinstance(value, bool) else value


def _said(personal: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in personal.items():
        if name in _SAID_BY_CODE:
            flat |= {f"{name}.{code}": one for code, one in value.items()}
        elif name not in ("remarks", "file", "files") and value is not None:
            flat[name] = value
    return flat


def _shown(case: Case, reader: str) -> Shown:
    """What a view shows of steps to whoever sees all of the case; of what the recipient keeps, to itself alone."""
    if case.blocked or case.erased or sees(case, reader) != "all":
        return {}
    keeps = case.recipient is not None and reader == case.recipient.authority
    kept = case.kept_answers if keeps else {}
    return {
        "particulars": (case.particulars, case.correction.particulars if case.correction else {}),
        "answers": (case.answers, kept),
        "kept_answers": (kept,),
        "comment": ({"": case.comment}, {"": case.reply_comment}),
        "reply_comment": ({"": case.reply_comment},),
    }


def _has(shown: Shown, name: str, value: Any) -> bool:
    if name == "text":  # a remark, which stays
        return bool(shown)
    kind, _, code = name.partition(".")
    return any(code in one and one[code] == value for one in shown.get(kind, ()))


def _is_there(entry: Entry, case: Case) -> bool:
    return any(file.id == entry.get("file") and file.content for file in case.files)
