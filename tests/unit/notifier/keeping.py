"""A notifier's store in memory, and an SMTP server that answers as a table says."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

from contracts.notifier import Preferences
from services.chassis.public_holidays import PublicHolidays
from services.notifier.deadlines import Stage, Step, until
from services.notifier.mail import Contact, Writer
from services.notifier.notices import Told
from services.notifier.planning import Claim
from services.notifier.posting import LEAST_TRIES
from services.notifier.readers import Reader
from services.notifier.records import Email
from services.notifier.sending import Pace, Sending
from services.notifier.sentences import SENTENCES
from services.notifier.smtp import Reply, Taken
from services.notifier.waiting import Turn, Waits

CASE, AUTHORITY, COORDINATOR, AREA = "7Q4M-0000-1111", "HU-ABCD1234", "HU-C00RD000", "services"
DAY = timedelta(days=1)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CONTACT = Contact(("a@x.example", "b@x.example"), ("en",), "HU")
WRITER = Writer({"en": SENTENCES}, Address(addr_spec="exchange@imi.example"), "{case}")
HOLIDAYS = PublicHolidays()


def step(stage: Stage = "overdue", at: datetime = NOW, *, urgent: bool = True) -> Step:
    """A step that is due, of a deadline that has just passed or is a week away."""
    due = NOW if stage == "overdue" else NOW + 7 * DAY
    return Step("acceptance", stage, AUTHORITY, due, at, urgent=urgent)


@dataclass
class Keeping:
    """All parts of a store in one. `ended` tells how claims and what was told ended, `waiting` what is yet to tell."""

    steps: list[Step] = field(default_factory=list)
    waiting_ones: list[Waits] = field(default_factory=list)
    contact: Contact | None = CONTACT
    coordinator: str | None = COORDINATOR
    stands: Callable[[], bool] = lambda: True
    wishes: Preferences = field(default_factory=Preferences)
    marked: dict[str, str] = field(default_factory=dict)
    slots: dict[str, datetime] = field(default_factory=dict)
    still_awaited: set[tuple[str, str]] = field(default_factory=lambda: {(CASE, until("acceptance", NOW, AUTHORITY))})
    begun: bool = False
    tries: int = LEAST_TRIES
    ended: list[str] = field(default_factory=list)
    emails_kept: dict[str, Email] = field(default_factory=dict)
    put_off_until: list[datetime] = field(default_factory=list)
    notices_kept: list[Told] = field(default_factory=list)
    let_alone_until: datetime | None = None
    looked_at: int = 0

    @property
    def store(self) -> Any:
        """What stands in for the real one: all its parts are this."""
        return self

    def __getattr__(self, name: str) -> Any:
        if name in {"deadlines", "waiting", "emails", "readers", "rates"}:
            return self
        raise AttributeError(name)

    async def claim(self, now: datetime) -> Claim | None:
        return Claim(CASE, 1, "token", self.steps.pop(0), self.tries, AREA, self.begun) if self.steps else None

    async def holds(self, held: Claim | Turn, *, to_send: bool = True) -> bool:
        return self.stands()

    async def settle(self, claim: Claim) -> None:
        self.ended.append("settled")

    async def defer(self, claim: Claim, until: datetime, *, tried: bool) -> None:
        self.ended.append("deferred" if tried else "not yet")

    async def release(self, claim: Claim) -> None:
        self.ended.append("released")

    async def awaited(self, cases: Iterable[str]) -> set[tuple[str, str]]:
        return self.still_awaited

    async def add(self, waiting: Sequence[Waits], send_at: datetime) -> None:
        self.ended += ["waits"] if waiting[0].authority == AUTHORITY else ["coordinator told"]
        self.put_off_until.append(send_at)

    async def take(self, now: datetime) -> Turn | None:
        let_alone = self.let_alone_until and self.let_alone_until > now
        return Turn(self.waiting_ones[0].authority, "turn") if self.waiting_ones and not let_alone else None

    async def of(self, turn: Turn, now: datetime, soon: datetime) -> list[Waits]:
        self.looked_at += len(self.waiting_ones)
        return list(self.waiting_ones)

    async def bind(self, waiting: Sequence[Waits]) -> str:
        return "batch"

    async def put_off(self, waiting: Sequence[Waits], until: datetime) -> None:
        self.ended.append("put off")
        self.put_off_until.append(until)
        self.waiting_ones = [one for one in self.waiting_ones if one not in waiting]

    async def later(self, waiting: Sequence[Waits], until: datetime) -> None:
        self.ended.append("later")
        self.waiting_ones.clear()

    async def told(self, waiting: Sequence[Waits], now: datetime) -> None:
        self.ended.append("told")
        self.waiting_ones = [one for one in self.waiting_ones if one not in waiting]

    async def leave(self, turn: Turn, until: datetime | None = None) -> None:
        self.let_alone_until = until
        if until:
            self.ended.append("let alone")

    async def recorded(self, ids: list[str]) -> set[str]:
        return set(ids) & self.emails_kept.keys()

    async def record(self, email: Email) -> None:
        self.emails_kept.setdefault(email.id, email)

    async def said(self, authority: str, cases: Iterable[str]) -> set[str]:
        return {key for email in self.emails_kept.values() for key in email.told if email.outcome == "sent"}

    async def dated(self, ids: Iterable[str]) -> list[Told]:
        return [one for one in self.notices_kept if one.id in set(ids)]

    async def reader(self, authority: str) -> Reader | None:
        if self.contact is None:
            return None
        return Reader(authority, self.contact, None, "hu-hivatal", self.coordinator, active=True)

    async def marks(self, reader: Reader) -> dict[str, str]:
        return self.marked

    async def mark(self, reader: Reader, address: str, reply: str, now: datetime) -> None:
        self.marked[address] = reply

    async def preferences(self, authority: str) -> Preferences:
        return self.wishes

    async def free_at(self, domains: Iterable[str], now: datetime) -> datetime:
        return min(self.slots.get(domain, now) for domain in domains)

    async def slot(self, domain: str, now: datetime) -> datetime:
        return self.slots.get(domain, now)

    @property
    def outcomes(self) -> dict[str | None, str]:
        """How the mails ended, by address."""
        return {email.to: email.outcome for email in self.emails_kept.values()}


@dataclass
class Server:
    """An SMTP server that answers as the table says: by address, else that it takes the mail."""

    replies: dict[str, Reply | Exception] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)

    @asynccontextmanager
    async def couriers(self) -> AsyncIterator["Server"]:
        yield self

    async def send(self, mail: EmailMessage, address: str) -> Reply:
        reply = self.replies.get(address, Taken("250 kept"))
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Taken):
            self.mails.append(mail)
        return reply


def sending(keeping: Keeping, server: Server, now: datetime = NOW, side_by_side: int = 1) -> Sending:
    """A replica's loop."""
    pace = Pace(timedelta(seconds=1), 10, side_by_side, timedelta(minutes=1), 2 * DAY)
    return Sending(keeping.store, WRITER, HOLIDAYS, server.couriers, pace, clock=lambda: now)
