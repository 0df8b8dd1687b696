"""A case as it stands: what is in it, and whose turn it is. Pure: no clock, no storage, no broker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

Entry = Mapping[str, Any]
Values = Mapping[str, Any]

DRAFTS: Final = frozenset({"draft", "awaiting-approval"})
"""Its recipient has not heard of it."""
ENDED: Final = frozenset({"closed", "withdrawn", "refused", "discarded"})
ANSWERED: Final = frozenset({"replied", "clarification-requested", "referred", "closed"})


@dataclass(frozen=True, slots=True)
class Side:
    """An authority that takes part, as it was called when it came to the case."""

    authority: str
    name: str
    country: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody said besides questions and answers; nothing of it is left once it is erased."""

    on: str
    at: datetime
    by: str
    said: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class File:
    """What was put to the case; nothing but its size is left of it once it is erased."""

    id: str
    at: datetime
    by: str
    size: int
    content: Mapping[str, str] | None
    """Its name, its media type, and what is in it, in base64."""


@dataclass(frozen=True, slots=True)
class Child:
    """A part of the questions that was split off, and how far its own case has come."""

    id: str
    to: Side
    questions: tuple[str, ...]
    wished_date: str
    state: str = "awaiting-acceptance"

    @property
    def answered(self) -> bool:
        """Whether its answers are there."""
        return self.state in ANSWERED

    @property
    def open(self) -> bool:
        """Whether its answers may still come."""
        return not self.answered and self.state not in ENDED


@dataclass(frozen=True, slots=True)
class Correction:
    """What one side asks the other to agree to: these particulars put right, or everything erased."""

    by: str
    erase: bool
    particulars: Values


@dataclass(frozen=True, slots=True)
class Case:
    """The state of a case after `version` entries of its history."""

    id: str
    version: int
    state: str
    area: str
    area_version: int
    sender: Side
    recipient: Side | None
    changed_at: datetime
    questions: tuple[str, ...] = ()
    particulars: Values = field(default_factory=dict)
    comment: Mapping[str, str] | None = None
    wished_date: date | None = None
    acceptance_due: datetime | None = None
    agreed_date: date | None = None
    answer_due: datetime | None = None
    clarification_due: datetime | None = None
    idle_at: datetime | None = None
    block_at: datetime | None = None
    delete_at: datetime | None = None
    sent_at: datetime | None = None
    arrived_at: datetime | None = None
    """When its present recipient got it."""
    accepted_at: datetime | None = None
    replied_at: datetime | None = None
    ended_at: datetime | None = None
    first_agreed: date | None = None
    answers: Values = field(default_factory=dict)
    reply_comment: Mapping[str, str] | None = None
    kept_answers: Values = field(default_factory=dict)
    kept_comment: Mapping[str, str] | None = None
    answered: bool = False
    """The recipient has answered its own part, and waits for its children's."""
    rating: Mapping[str, str] | None = None
    handlers: tuple[str, ...] = ()
    approver: str | None = None
    behind: tuple[str, ...] = ()
    """Who mediates for the recipient, and hears of what it lets pass."""
    coordinators: tuple[str, ...] = ()
    """Who stands behind sender and recipient, once called in."""
    last_word: str | None = None
    """Which coordinator spoke last since the case was referred."""
    heard: frozenset[str] = frozenset()
    remarks: tuple[Remark, ...] = ()
    files: tuple[File, ...] = ()
    parent: str | None = None
    children: tuple[Child, ...] = ()
    overdue: frozenset[str] = frozenset()
    correction: Correction | None = None
    blocked: bool = False
    erased: bool = False
    """Nothing is left of what anybody said."""
    size: int = 0
    """Bytes of all that is stored of it."""
    said: int = 0
    """Bytes of what its readers may be shown of that: all but what is in files, and what nobody can open any more."""

    @property
    def open(self) -> bool:
        """Whether anything is still to be done."""
        return self.state not in ENDED

    @property
    def turn(self) -> str | None:
        """The authority that has to act next; nobody once the case has ended."""
        if self.state in ("draft", "replied"):
            return self.sender.authority
        if self.state == "awaiting-approval":
            return self.approver
        if self.state == "referred":
            return self._coordinator_to_speak
        return self.recipient.authority if self.open and self.recipient else None

    @property
    def _coordinator_to_speak(self) -> str:
        of_sender, of_recipient = self.coordinators
        return of_sender if self.last_word == of_recipient else of_recipient

    @property
    def open_children(self) -> tuple[Child, ...]:
        """The parts whose answers may still come."""
        return tuple(child for child in self.children if child.open)

    @property
    def delegated(self) -> frozenset[str]:
        """The questions that children answer or have answered."""
        return frozenset(q for child in self.children if child.open or child.answered for q in child.questions)

    def is_party(self, authority: str) -> bool:
        """Say whether the authority takes part in the case. A recipient does not before the request is sent."""
        return authority in self.parties

    @property
    def parties(self) -> tuple[str, ...]:
        """Whoever may do something in the case, or read all of it: each once."""
        there = [self.sender.authority]
        if self.recipient and self.sent_at:
            there.append(self.recipient.authority)
        if self.state == "awaiting-approval" and self.approver:
            there.append(self.approver)
        return tuple(dict.fromkeys((*there, *self.coordinators)))

    def other(self, authority: str) -> Side | None:
        """Return the other side."""
        return self.recipient if authority == self.sender.authority else self.sender
