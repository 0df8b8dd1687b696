"""Send what is due: claimed by one replica, sent, recorded.

The only window for a repeat is between the server's "250" and the record of it; a repeat has the same Message-ID.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog
from prometheus_client import Counter, Histogram

from services.chassis.faults import outlast
from services.chassis.mongo import Document
from services.notifier.deadlines import Planned, due_now, later, planned_from
from services.notifier.mail import Letterhead, Reader, email_id, write
from services.notifier.store import Store

log = structlog.get_logger()

EMAILS = Counter("imi_emails_total", "E-mails by kind, step and what became of them.", ["kind", "step", "result"])
LATENESS = Histogram(
    "imi_email_lateness_seconds",
    "How long after its moment an e-mail was sent.",
    buckets=(1, 5, 30, 60, 300, 900, 3600, 21600, 86400),
)
LEASE: Final = timedelta(minutes=2)
"""Longer than an e-mail may take: nobody else sends it meanwhile."""
SMTP_TIMEOUT: Final = 20.0
_PASSING: Final = (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError)
_FIRST_RETRY, _LAST_RETRY = timedelta(seconds=2), timedelta(minutes=15)


class Sender:
    """The loop that sends."""

    def __init__(self, store: Store, head: Letterhead, smtp_url: str, poll_every: timedelta) -> None:
        """`smtp_url` is smtp(s)://[<user>:<password>@]<host>:<port>; STARTTLS is used where it is offered."""
        self._store = store
        self._head = head
        self._url = urlsplit(smtp_url)
        self._poll_every = poll_every.total_seconds()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._run(), name="sender")

    async def stop(self) -> None:
        """Finish the e-mail in hand and end."""
        self._stopping.set()
        if self._task:
            await self._task

    async def ready(self) -> bool:
        """Say whether the loop runs. A mail server that is away is waited for: nothing is lost meanwhile."""
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            now = datetime.now(UTC)
            case = await outlast(lambda now=now: self._store.claim(now, LEASE))  # type: ignore[misc]
            if case:
                await self._serve(case, now)
                continue
            try:
                await asyncio.wait_for(self._stopping.wait(), self._poll_every)
            except TimeoutError:
                continue

    async def _serve(self, case: Document, now: datetime) -> None:
        planned = planned_from(case["plan"])
        for one in due_now(planned, now):
            if not await outlast(lambda: self._store.is_current(case)):
                return  # the case moved on: its new dates have a plan of their own
            if not await self._send(case, one, now):
                retry_at = now + min(_FIRST_RETRY * 2 ** min(case.get("attempts", 0), 12), _LAST_RETRY)
                await outlast(lambda at=retry_at: self._store.release(case, planned, at))  # type: ignore[misc]
                return
        await outlast(lambda: self._store.release(case, later(planned, now)))

    async def _send(self, case: Document, planned: Planned, now: datetime) -> bool:
        """Send one to all its addresses; say whether no attempt more is needed."""
        reader = await outlast(lambda: self._store.reader(planned.authority))
        if reader is None:
            return False
        results = [await self._send_to(case["_id"], planned, reader, address, now) for address in reader.addresses]
        return all(results)

    async def _send_to(self, case: str, planned: Planned, reader: Reader, address: str, now: datetime) -> bool:
        identity = email_id(case, planned, address)
        if await outlast(lambda: self._store.was_sent(identity)):
            return True
        try:
            reply, result = (
                await self._deliver(write(self._head, case, planned, reader, address=address, now=now)),
                "sent",
            )
        except aiosmtplib.SMTPResponseException as error:
            if error.code < 500:  # "try again" (RFC 5321, 4.2.1)
                return _not_now(planned, f"{error.code}")
            reply, result = f"{error.code}", "failed"
        except (aiosmtplib.SMTPRecipientsRefused, *_PASSING) as error:
            return _not_now(planned, type(error).__name__)
        fields = {"case": case, "to": address, "kind": planned.kind, "step": planned.step}
        sent = {**fields, "due": planned.due, "at": datetime.now(UTC), "result": result, "reply": reply}
        await outlast(lambda: self._store.record(identity, sent))
        EMAILS.labels(planned.kind, planned.step, result).inc()
        LATENESS.observe((datetime.now(UTC) - planned.at).total_seconds())
        return True

    async def _deliver(self, message: EmailMessage) -> str:
        client = aiosmtplib.SMTP(
            hostname=self._url.hostname,
            port=self._url.port,
            username=unquote(self._url.username) if self._url.username else None,
            password=unquote(self._url.password) if self._url.password else None,
            use_tls=self._url.scheme == "smtps",
            timeout=SMTP_TIMEOUT,
        )
        async with client:
            _, reply = await client.send_message(message)
        return reply[:200]


def _not_now(planned: Planned, fault: str) -> bool:
    EMAILS.labels(planned.kind, planned.step, "retried").inc()
    log.warning("e-mail not sent, to be tried again", kind=planned.kind, step=planned.step, fault=fault)
    return False
