"""One letter to one authority: to each of its addresses once, and what becomes of what the mail server says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Final, Protocol

import structlog

from contracts.identity import derived_uuid
from contracts.notifier import Outcome
from services.chassis import tracing
from services.chassis.faults import outlast
from services.notifier import metrics
from services.notifier.deadlines import next_try
from services.notifier.letters import Letter, Undeliverable
from services.notifier.mail import NotAnAddress, Writer
from services.notifier.readers import Reader
from services.notifier.records import Email
from services.notifier.smtp import Postponed, Refused, Reply, Taken
from services.notifier.store import Store
from services.notifier.waiting import Waits

log = structlog.get_logger()

LONGEST_REPLY: Final = 200
LEAST_TRIES: Final = 8
"""Before a mail is given up: twenty minutes' worth of them."""
Clock = Callable[[], datetime]


class Courier(Protocol):
    """Who hands mails to the SMTP server."""

    async def send(self, mail: EmailMessage, address: str) -> Reply:
        """Hand over one mail to one address. Raises `Away`."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A letter that is due. `holds` says whether it is still ours to deliver; it is asked right before each mail."""

    letter: Letter
    authority: str
    kind: str
    stage: str
    planned: datetime
    tries: int
    holds: Callable[[], Awaitable[bool]]
    cases: tuple[str, ...] = ()
    due: datetime | None = None
    told: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    """Of all that it tells: one mail is the end of each."""


@dataclass(frozen=True, slots=True)
class Done:
    """No address needs a further try."""


@dataclass(frozen=True, slots=True)
class Later:
    """At least one address is to be tried again then; `tried` unless it was only not its turn yet."""

    until: datetime
    tried: bool = True


@dataclass(frozen=True, slots=True)
class NotOurs:
    """Somebody else's by now, or of no more use: nothing more was sent."""


Verdict = Done | Later | NotOurs


class Post:
    """Delivers letters.

    A mail is sent, and that remembered, before its letter is done. It is sent again only when this process, or the
    connection, ends between the server's 250 and the write that remembers it; then with the same Message-ID.
    """

    def __init__(self, store: Store, writer: Writer, give_up_after: timedelta, clock: Clock) -> None:
        """What the server postpones is given up after so long."""
        self._store = store
        self._writer = writer
        self._give_up_after = give_up_after
        self._clock = clock

    async def free_at(self, reader: Reader) -> datetime:
        """Return when the first of a reader's addresses may be written to, at least now."""
        return await self._store.rates.free_at(map(_domain, reader.contact.addresses), self._clock())

    async def deliver(self, errand: Errand, courier: Courier) -> Verdict:
        """Send a letter to whichever addresses of the authority's do not have it yet. Raises `Away`."""
        reader = await self._store.readers.reader(errand.authority)
        if reader is None:
            return await self._nobody(errand)
        ids = {errand.letter.email_id(address): address for address in reader.contact.addresses}
        there, marks = await self._store.emails.recorded(list(ids)), await self._store.readers.marks(reader)
        later = list[Later]()
        for key, address in ids.items():
            if key in there:
                continue
            verdict = await self._to(errand, reader, address, marks.get(address), courier)
            if isinstance(verdict, NotOurs):
                return verdict
            later += [verdict] if isinstance(verdict, Later) else []
        if not later:
            return Done()
        return Later(min(one.until for one in later), tried=any(one.tried for one in later))

    async def _to(self, errand: Errand, reader: Reader, address: str, mark: str | None, courier: Courier) -> Verdict:
        now = self._clock()
        free_at = now if mark else await self._store.rates.slot(_domain(address), now)
        if free_at > now:
            return Later(free_at, tried=False)
        if not await errand.holds():
            return NotOurs()
        if mark:
            await self._remember(errand, address, "failed", f"not tried, for before: {mark}")
            return Done()
        reply = await self._handed_over(errand, reader, address, courier)
        if isinstance(reply, Postponed) and not self._is_too_late(errand):
            metrics.POSTPONED.labels(errand.kind, errand.stage).inc()
            return Later(next_try(self._clock(), errand.tries))
        await self._conclude(errand, reader, address, reply)
        return Done()

    async def _handed_over(self, errand: Errand, reader: Reader, address: str, courier: Courier) -> Reply:
        try:
            mail = self._writer.write(errand.letter, reader.contact, address, self._clock())
        except NotAnAddress:
            return Refused("not an e-mail address")
        identity = {"messaging.message.id": str(mail["Message-ID"])}
        hops = [tracing.begin("send e-mail", trace, identity) for trace in errand.traces]
        reply = await courier.send(mail, address)
        for hop in hops:
            hop.end()
        return reply

    async def _conclude(self, errand: Errand, reader: Reader, address: str, reply: Reply) -> None:
        """In this order: a crash in between has the mail tried again, and nobody told less."""
        if isinstance(reply, Taken):
            await self._remember(errand, address, "sent", reply.reply)
            return
        if isinstance(reply, Refused):
            await outlast(lambda: self._store.readers.mark(reader, address, reply.reply, self._clock()))
        await self.tell_coordinator(reader, address)
        await self._remember(errand, address, "failed", reply.reply)

    async def tell_coordinator(self, reader: Reader, address: str) -> None:
        """Have whoever coordinates the authority told, once a day, that an address does not work."""
        now = self._clock()
        if not reader.coordinator:
            log.warning("nobody to tell that an address does not work", authority=reader.id)
            return
        identity = derived_uuid("undeliverable", reader.id, address, now.date().isoformat())
        waits = Waits(reader.coordinator, Undeliverable(identity, reader.id), now)
        await outlast(lambda: self._store.waiting.add([waits], now))

    async def _nobody(self, errand: Errand) -> Verdict:
        """An authority that the registry has not told of yet: its addresses may still come."""
        if not self._is_too_late(errand):
            return Later(next_try(self._clock(), errand.tries))
        await self._remember(errand, None, "failed", "authority unknown")
        return Done()

    def _is_too_late(self, errand: Errand) -> bool:
        """Say whether it has been tried for long enough: after a standstill it was only planned long ago."""
        return errand.tries >= LEAST_TRIES and self._clock() - errand.planned > self._give_up_after

    async def _remember(self, errand: Errand, address: str | None, outcome: Outcome, reply: str) -> None:
        key, at = errand.letter.email_id(address or errand.authority), self._clock()
        email = Email(
            key,
            errand.cases,
            errand.kind,
            errand.stage,
            errand.authority,
            address,
            errand.planned,
            at,
            outcome,
            reply[:LONGEST_REPLY],
            errand.due,
            errand.told,
        )
        await outlast(lambda: self._store.emails.record(email))
        counter = metrics.SENT if outcome == "sent" else metrics.FAILED
        counter.labels(errand.kind, errand.stage).inc()
        if outcome == "sent":
            metrics.LATENESS.labels(errand.stage).observe(max(0.0, (at - errand.planned).total_seconds()))
        log.info("mail", cases=len(errand.cases), kind=errand.kind, step=errand.stage, outcome=outcome)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]
