"""What has happened, told to whom it concerns: gathered for a minute, so that a busy day is no storm. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from contracts.dates import Dates, DeadlineKind, NoticeKind
from contracts.directory import AuthorityHappening, AuthorityState
from contracts.identity import derived_uuid
from services.notifier.deadlines import ANY_STATE

RegistrationKind = Literal[
    "registration-approved", "registration-refused", "registration-suspended", "registration-reinstated"
]
Kind = NoticeKind | RegistrationKind

AWAITS: Final[Mapping[Kind, DeadlineKind]] = {
    "arrived": "acceptance",
    "forwarded": "acceptance",
    "clarification-asked": "clarification",
}
"""Kinds that ask for something, and for what: who has done it meanwhile need not be told any more."""
_REGISTRATION: Final[Mapping[AuthorityHappening, Kind]] = {
    "approved": "registration-approved",
    "rejected": "registration-refused",
    "suspended": "registration-suspended",
    "reinstated": "registration-reinstated",
}
_NEWS_FOR: Final = timedelta(days=2)
_ASK_WHILE: Final[Mapping[Kind, str]] = {"approval-asked": "awaiting-approval", "referred": "referred"}
"""Kinds that ask for something that has no date, and in which state a case awaits it."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened, for one authority: to a case, in that version, or to its own registration.

    `due` is until when it is to do what the kind asks for. Never more: a mail says codes, numbers and dates.
    """

    id: str
    kind: Kind
    case: str | None
    authority: str
    version: int = 0
    due: datetime | None = None
    area: str | None = None
    traceparent: str | None = None
    """The span that made it (W3C Trace Context): its mail goes on from there."""


def told_by(dates: Dates, traceparent: str | None = None) -> Iterator[Told]:
    """Return what these dates tell of; the same whenever they come again, but for the trace."""
    for notice in dates.notices:
        identity = derived_uuid(
            "notice", dates.case, str(dates.epoch), str(dates.version), notice.kind, notice.authority
        )
        due = _due(dates, AWAITS.get(notice.kind), notice.authority)
        yield Told(identity, notice.kind, dates.case, notice.authority, dates.version, due, dates.area, traceparent)


def registration_told(state: AuthorityState, now: datetime) -> Told | None:
    """Return what an authority is told of its own registration: nothing of what other states or old ones tell.

    A copy that begins anew hears of every authority: what happened long ago was told long ago.
    """
    kind = _REGISTRATION.get(state.happened) if state.happened else None
    if kind is None or state.at is None or now - state.at > _NEWS_FOR:
        return None
    identity = derived_uuid("registration", state.id, str(state.version))
    return Told(identity, kind, None, state.id, state.version)


def _due(dates: Dates, kind: DeadlineKind | None, authority: str) -> datetime | None:
    found = (one.due for one in dates.deadlines if (one.kind, one.authority) == (kind, authority))
    return next(found, None)


def still_needed(told: Iterable[Told], awaited: Set[tuple[str, str]]) -> list[Told]:
    """Return what is still worth telling; `awaited` are pairs of a case and what its plan says of it."""
    return [one for one in told if _is_needed(one, awaited)]


def _is_needed(one: Told, awaited: Set[tuple[str, str]]) -> bool:
    if one.kind in AWAITS:
        return (one.case, f"{AWAITS[one.kind]}/{one.authority}") in awaited
    if one.kind in _ASK_WHILE:
        return any((one.case, f"in/{state}") in awaited for state in (_ASK_WHILE[one.kind], ANY_STATE))
    return True
