"""The loop that sends what is due. Any number of replicas may run it on one database."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from enum import Enum
from typing import Final, Protocol

import structlog

from services.chassis.faults import outlast, passes
from services.chassis.logs import where
from services.notifier import metrics
from services.notifier.deadlines import Step, is_pointless, next_try
from services.notifier.letters import Due, Notices
from services.notifier.mail import Contact, NotAnAddress, Writer
from services.notifier.notices import Told, still_needed
from services.notifier.smtp import Away, Postponed, Refused, Reply, Taken
from services.notifier.store import Claim, Email, Gathered

log = structlog.get_logger()

FINISH_WITHIN: Final = 10.0
"""Seconds that a shutdown waits for the mail in hand."""
_NOTICES_AGAIN: Final = timedelta(minutes=5)
"""After which notices that the server postponed are tried again, with what has come meanwhile."""
_LONGEST_PAUSE: Final = 30.0
"""Seconds between two looks at a server that is away."""


class Courier(Protocol):
    """Who hands mails to the SMTP server."""

    async def send(self, mail: EmailMessage, address: str) -> Reply:
        """Hand over one mail to one address. Raises `Away`."""


class Claims(Protocol):
    """What is due and what was sent: the store, as far as the loop needs it. See there."""

    async def claim(self, now: datetime) -> Claim | None: ...  # noqa: D102
    async def holds(self, claim: Claim, now: datetime) -> bool: ...  # noqa: D102
    async def settle(self, claim: Claim) -> None: ...  # noqa: D102
    async def defer(self, claim: Claim, until: datetime) -> None: ...  # noqa: D102
    async def release(self, claim: Claim) -> None: ...  # noqa: D102
    async def contact(self, authority: str) -> Contact | None: ...  # noqa: D102
    async def recorded(self, ids: list[str]) -> set[str]: ...  # noqa: D102
    async def record(self, email: Email) -> None: ...  # noqa: D102
    async def gather(self, now: datetime) -> Gathered | None: ...  # noqa: D102
    async def awaited(self, cases: Iterable[str]) -> set[tuple[str, str]]: ...  # noqa: D102
    async def told(self, gathered: Gathered, now: datetime) -> None: ...  # noqa: D102
    async def tell_later(self, gathered: Gathered, until: datetime) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, how much to do at once, how long to go on trying."""

    poll_every: timedelta
    mails_per_turn: int
    give_up_after: timedelta


class Verdict(Enum):
    """What becomes of a claimed step."""

    DONE = "done"
    LATER = "later"
    NOT_NOW = "not now"


def _now() -> datetime:
    return datetime.now(UTC)


class Sending:
    """Claims what is due, sends it, remembers that, and only then ends the claim.

    Each mail is sent once. It is sent again only when this process, or the connection, ends between the server's 250
    and the write that remembers it; then with the same Message-ID. A server that is away costs nothing but time.
    """

    def __init__(
        self,
        claims: Claims,
        writer: Writer,
        courier: Callable[[], AbstractAsyncContextManager[Courier]],
        pace: Pace,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """`courier` opens one for a turn; `clock` gives the time, UTC."""
        self._claims = claims
        self._writer = writer
        self._courier = courier
        self._pace = pace
        self._clock = clock
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._run(), name="sending")

    async def end(self) -> None:
        """Finish the mail in hand, within seconds, and end."""
        self._stopping.set()
        if self._task:
            _, unfinished = await asyncio.wait([self._task], timeout=FINISH_WITHIN)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def runs(self) -> bool:
        """Say whether the loop runs. It does while the SMTP server is away."""
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        shortest = pause = self._pace.poll_every.total_seconds()
        while not self._stopping.is_set():
            try:
                more = await self.turn()
                pause = shortest
                metrics.SMTP_AWAY.set(0)
            except Exception as error:  # noqa: BLE001 - whatever it was, what is due stays due
                more = False
                pause = min(max(pause, 0.5) * 2, _LONGEST_PAUSE)
                _tell(error, pause)
            if not more:
                await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def turn(self) -> bool:
        """Carry out what is due, up to the number of a turn; say whether there may be more. Raises `Away`."""
        async with self._courier() as courier:
            for _ in range(self._pace.mails_per_turn):
                claim = None if self._stopping.is_set() else await self._claims.claim(self._clock())
                if claim is None:
                    break
                await self._attend(claim, courier)
            return await self._tell_notices(courier) or claim is not None

    async def _tell_notices(self, courier: Courier) -> bool:
        """Tell what has happened, a mail for each authority; say whether there may be more. Raises `Away`."""
        for _ in range(self._pace.mails_per_turn):
            gathered = None if self._stopping.is_set() else await self._claims.gather(self._clock())
            if gathered is None:
                return False
            await self._attend_to(gathered, courier)
        return True

    async def _attend_to(self, gathered: Gathered, courier: Courier) -> None:
        try:
            later = not await self._tell(gathered, courier)
        except Away:
            await outlast(lambda: self._claims.tell_later(gathered, self._clock()))
            raise
        await self._end_notices(gathered, later=later)

    async def _end_notices(self, gathered: Gathered, *, later: bool) -> None:
        if later and self._clock() - gathered.since <= self._pace.give_up_after:
            metrics.POSTPONED.labels("notices", "notice").inc()
            await outlast(lambda: self._claims.tell_later(gathered, self._clock() + _NOTICES_AGAIN))
        else:
            await outlast(lambda: self._claims.told(gathered, self._clock()))

    async def _tell(self, gathered: Gathered, courier: Courier) -> bool:
        """Say whether every address needs no further try."""
        awaited = await self._claims.awaited(one.case for one in gathered.told if one.case)
        needed = still_needed(gathered.told, awaited)
        contact = await self._claims.contact(gathered.authority)
        if not needed or contact is None:
            return contact is not None or not needed
        ids = {Notices(needed).email_id(address): address for address in contact.addresses}
        there, whole = await self._claims.recorded(list(ids)), True
        for key, address in ids.items():
            if key not in there:
                whole &= await self._tell_one(key, needed, contact, address, courier)
        return whole

    async def _tell_one(self, key: str, told: list[Told], contact: Contact, address: str, courier: Courier) -> bool:
        try:
            reply = await courier.send(self._writer.write(Notices(told), contact, address, self._clock()), address)
        except NotAnAddress:
            reply = Refused("not an e-mail address")
        if isinstance(reply, Postponed):
            return False
        taken, cases = isinstance(reply, Taken), tuple(dict.fromkeys(one.case for one in told if one.case))
        outcome = "sent" if taken else "failed"
        kind = told[0].kind if len(told) == 1 else "notices"
        email = Email(key, cases, kind, "notice", told[0].authority, address, self._clock(), outcome, reply.reply)
        await outlast(lambda: self._claims.record(email))
        (metrics.SENT if taken else metrics.FAILED).labels(kind, "notice").inc()
        log.info("mail", cases=len(cases), kind=kind, step="notice", outcome=outcome)
        return True

    async def _attend(self, claim: Claim, courier: Courier) -> None:
        try:
            verdict = await self._carry_out(claim, courier)
        except Away as away:
            await self._conclude(claim, Verdict.LATER if away.over_a_mail else Verdict.NOT_NOW)
            raise
        except Exception as error:
            if passes(error):
                raise  # the database is away: the lease runs out by itself
            _tell_of_mistake(claim, error)
            verdict = self._wait(claim)
        await self._conclude(claim, verdict)

    async def _conclude(self, claim: Claim, verdict: Verdict) -> None:
        if verdict is Verdict.DONE:
            await outlast(lambda: self._claims.settle(claim))
        elif verdict is Verdict.LATER:
            await outlast(lambda: self._claims.defer(claim, next_try(self._clock(), claim.tries)))
        else:
            await outlast(lambda: self._claims.release(claim))

    async def _carry_out(self, claim: Claim, courier: Courier) -> Verdict:
        if is_pointless(claim.step, self._clock()):
            return Verdict.DONE
        contact = await self._claims.contact(claim.step.authority)
        if contact is None:
            return await self._nobody(claim)
        verdict = Verdict.DONE
        for address in await self._still_to_write_to(claim, contact):
            if self._stopping.is_set() or not await self._claims.holds(claim, self._clock()):
                return Verdict.NOT_NOW
            if not await self._send(claim, contact, address, courier):
                verdict = self._wait(claim)
        return verdict

    async def _still_to_write_to(self, claim: Claim, contact: Contact) -> list[str]:
        ids = {_due(claim).email_id(address): address for address in contact.addresses}
        there = await self._claims.recorded(list(ids))
        return [address for key, address in ids.items() if key not in there]

    async def _send(self, claim: Claim, contact: Contact, address: str, courier: Courier) -> bool:
        """Say whether this address needs no further try."""
        try:
            mail = self._writer.write(_due(claim), contact, address, self._clock())
            reply = await courier.send(mail, address)
        except NotAnAddress:
            reply = Refused("not an e-mail address")
        if isinstance(reply, Postponed) and not self._is_too_late(claim.step):
            return False
        await self._record(claim, address, reply)
        return True

    async def _nobody(self, claim: Claim) -> Verdict:
        if not self._is_too_late(claim.step):
            return self._wait(claim)
        await self._record(claim, None, Refused("authority unknown"))
        return Verdict.DONE

    def _is_too_late(self, step: Step) -> bool:
        return self._clock() - step.at > self._pace.give_up_after

    def _wait(self, claim: Claim) -> Verdict:
        metrics.POSTPONED.labels(claim.step.kind, claim.step.stage).inc()
        return Verdict.LATER

    async def _record(self, claim: Claim, address: str | None, reply: Reply) -> None:
        step, at, taken = claim.step, self._clock(), isinstance(reply, Taken)
        key = _due(claim).email_id(address or step.authority)
        outcome = "sent" if taken else "failed"
        email = Email(
            key, (claim.case,), step.kind, step.stage, step.authority, address, at, outcome, reply.reply, step.due
        )
        await outlast(lambda: self._claims.record(email))
        (metrics.SENT if taken else metrics.FAILED).labels(step.kind, step.stage).inc()
        if taken:
            metrics.LATENESS.labels(step.stage).observe(max(0.0, (at - step.at).total_seconds()))
        log.info("mail", case=claim.case, kind=step.kind, step=step.stage, outcome=email.outcome)


def _due(claim: Claim) -> Due:
    return Due(claim.case, claim.version, claim.step)


def _tell_of_mistake(claim: Claim, error: Exception) -> None:
    log.error("mail not written", case=claim.case, where=where(error))


def _tell(error: Exception, pause: float) -> None:
    if isinstance(error, Away):
        metrics.SMTP_AWAY.set(1)
        log.warning("smtp server away", fault=str(error), next_attempt_s=pause)
    elif passes(error):
        log.warning("a server is away", fault=type(error).__name__, next_attempt_s=pause)
    else:
        log.error("sending", where=where(error), next_attempt_s=pause)
