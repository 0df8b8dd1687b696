"""A case, as its history tells it. Pure: no clock, no storage, no broker."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Side:
    """An authority that takes part, as it was called when the case began."""

    authority: str
    name: str
    country: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """The state of a case after `version` entries of its history."""

    id: str
    version: int
    state: str
    area: str
    area_version: int
    sender: Side
    recipient: Side
    questions: tuple[str, ...]
    particulars: Mapping[str, Any]
    comment: Mapping[str, str] | None
    wished_date: date
    acceptance_due: datetime
    agreed_date: date | None = None
    answer_due: datetime | None = None
    answers: Mapping[str, Any] = field(default_factory=dict)
    reply_comment: Mapping[str, str] | None = None
    rating: Mapping[str, str] | None = None

    @property
    def turn(self) -> str | None:
        """The authority that has to act next; nobody once the case is closed."""
        holders = {
            "awaiting-acceptance": self.recipient.authority,
            "accepted": self.recipient.authority,
            "replied": self.sender.authority,
        }
        return holders.get(self.state)

    def is_party(self, authority: str) -> bool:
        """Say whether the authority takes part in the case."""
        return authority in (self.sender.authority, self.recipient.authority)

    def other(self, authority: str) -> Side:
        """Return the other side."""
        return self.recipient if authority == self.sender.authority else self.sender


def case_from(case_id: str, history: Iterable[Entry]) -> Case | None:
    """Return the case that this history tells, or nothing when it is empty."""
    case: Case | None = None
    for entry in history:
        case = _opened(case_id, entry) if case is None else apply(case, entry)
    return case


def apply(case: Case, entry: Entry) -> Case:
    """Return the case after one more entry."""
    return _APPLY[entry["what"]](replace(case, version=case.version + 1), entry)


def _opened(case_id: str, entry: Entry) -> Case:
    return Case(
        id=case_id,
        version=1,
        state="awaiting-acceptance",
        area=entry["area"],
        area_version=entry["area_version"],
        sender=Side(**entry["sender"]),
        recipient=Side(**entry["recipient"]),
        questions=tuple(entry["questions"]),
        particulars=entry["particulars"],
        comment=entry["comment"],
        wished_date=date.fromisoformat(entry["wished_date"]),
        acceptance_due=entry["acceptance_due"],
    )


def _accepted(case: Case, entry: Entry) -> Case:
    agreed = date.fromisoformat(entry["agreed_date"])
    return replace(case, state="accepted", agreed_date=agreed, answer_due=entry["answer_due"])


def _replied(case: Case, entry: Entry) -> Case:
    return replace(case, state="replied", answers=entry["answers"], reply_comment=entry["comment"])


def _closed(case: Case, entry: Entry) -> Case:
    return replace(case, state="closed", rating=entry["rating"])


_APPLY = {"accepted": _accepted, "replied": _replied, "closed": _closed}
