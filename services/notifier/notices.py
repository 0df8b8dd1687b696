"""What has happened, told to whom it concerns: gathered for a minute, so that a busy day is no storm. Pure."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Final

from contracts.dates import Dates, NoticeKind
from contracts.identity import derived_uuid

_WHILE_AWAITED: Final = {
    "arrived": "acceptance",
    "forwarded": "acceptance",
    "clarification-asked": "clarification",
}
"""Kinds that ask for something: who has done it meanwhile need not be told any more."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened to one case, for one authority."""

    id: str
    kind: NoticeKind
    case: str
    authority: str


def told_by(dates: Dates) -> Iterator[Told]:
    """Return what these dates tell of; the same whenever they come again."""
    for notice in dates.notices:
        identity = derived_uuid(
            "notice", dates.case, str(dates.epoch), str(dates.version), notice.kind, notice.authority
        )
        yield Told(identity, notice.kind, dates.case, notice.authority)


def still_needed(told: Iterable[Told], awaited: Set[tuple[str, str]]) -> list[Told]:
    """Return what is still worth telling; `awaited` are pairs of a case and what is awaited in it of whom."""
    return [
        one
        for one in told
        if one.kind not in _WHILE_AWAITED or (one.case, f"{_WHILE_AWAITED[one.kind]}/{one.authority}") in awaited
    ]
