"""Mails over real SMTP from a real database: each once, whoever sends it, and none that a case no longer needs."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, Self

import aio_pika
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from contracts.dates import Dates, Deadline
from contracts.directory import AuthorityState
from contracts.registry import Details
from contracts.topology import VHOST
from deploy.local.exchange import Exchange
from deploy.local.mail import Mailbox, mail_server
from deploy.local.ports import Ports
from deploy.local.waiting import until
from services.chassis import mongo
from services.chassis.public_holidays import PublicHolidays
from services.notifier.deadlines import plan_of
from services.notifier.mail import Writer
from services.notifier.notices import Told
from services.notifier.records import Email, Emails
from services.notifier.sending import Pace, Sending
from services.notifier.sentences import SENTENCES
from services.notifier.smtp import Away, Reply, Server, Taken, couriers
from services.notifier.store import Store
from tests.unit.notifier.shown import calendars_of
from tests.world import World

pytestmark = pytest.mark.servers

AUTHORITY = "HU-ABCD1234"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
DUE = START + 7 * DAY
MINUTE = timedelta(minutes=1)
END = DUE + 99 * DAY + MINUTE
HOLIDAYS = PublicHolidays()
WRITER = Writer({"en": SENTENCES}, Address(addr_spec="exchange@imi.example"), "https://imi.example/{case}")


class PickyMailbox(Mailbox):
    """A mailbox whose server says to some addresses what `says` has for them."""

    def __init__(self) -> None:
        super().__init__()
        self.says: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.says.get(address, "250 go on")


@dataclass
class Post:
    """A database, an SMTP server, and a clock that the test sets."""

    database: mongo.Database
    ports: Ports
    mailbox: PickyMailbox
    listens: str = "smtp"
    now: datetime = START

    @property
    def store(self) -> Store:
        return Store(self.database, domain_rate=1000)

    def sending(self, store: Store | None = None, poll_every: timedelta = timedelta(milliseconds=20)) -> Sending:
        """A replica's loop."""
        carriers = partial(couriers, Server("127.0.0.1", self.ports[self.listens], tls=False), "imi.example", 2)
        pace = Pace(poll_every, 10, 2, timedelta(minutes=1), 2 * DAY)
        return Sending(store or self.store, WRITER, HOLIDAYS, carriers, pace, clock=lambda: self.now)

    async def turn(self, at: datetime, store: Store | None = None) -> None:
        """Set the clock, and send what is due."""
        self.now = at
        while await self.sending(store).turn():
            pass

    async def plan(self, case: str, version: int, *due: datetime) -> None:
        """Have dates of a case arrive."""
        deadlines = tuple(Deadline(kind="acceptance", authority=AUTHORITY, due=one) for one in due)
        dates = Dates(case=case, version=version, area="services", at=self.now, deadlines=deadlines)
        await self.store.plan([plan_of(dates, self.now)])

    async def contact(self, version: int, *addresses: str) -> None:
        """Have the registry tell how the authority is written to."""
        await self.store.readers.authority_changed(authority(version, *addresses))

    @property
    def subjects(self) -> list[str]:
        """The first word of every subject that arrived."""
        return [str(mail["Subject"]).split()[0] for mail in self.mailbox.mails]

    async def emails(self) -> list[dict[str, Any]]:
        """What is remembered of all mails."""
        return [dict(found) async for found in self.database["emails"].find()]


def authority(version: int, *addresses: str) -> AuthorityState:
    details = Details(country="HU", names={"hu": "Hivatal"}, city="Pécs", languages=("en",), contacts=addresses)
    fields = {"id": AUTHORITY, "version": version, "status": "active", "kind": "authority", "details": details}
    return AuthorityState.model_validate({**fields, "system": "hu-hivatal", "coordinator": None})


def number() -> str:
    """A case's number."""
    code = secrets.token_hex(6).upper()
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


@pytest.fixture
async def database(running: Exchange) -> AsyncIterator[mongo.Database]:
    """A database of the test's own."""
    admin = running.addresses.mongo_admin
    made = mongo.connect(running.addresses.mongo_url(admin.name, admin.password), f"test-{secrets.token_hex(4)}")
    await Store(made).prepare()
    yield made
    await made.client.drop_database(made.name)
    await made.client.close()


@pytest.fixture
async def post(database: mongo.Database, tmp_path: Path) -> AsyncIterator[Post]:
    """A running SMTP server, an empty database, and an authority with one address."""
    mailbox = PickyMailbox()
    with closing(Ports(tmp_path, ["smtp", "nobody"])) as ports, mail_server(mailbox, ports["smtp"]):
        made = Post(database, ports, mailbox)
        await made.contact(1, "office@hu.example")
        yield made


async def test_a_deadline_is_reminded_of_once_and_called_overdue_and_after_weeks_for_the_last_time(post: Post) -> None:
    """Nothing before its time, then the reminder, then the overdue mail; of the weeks slept through only the last."""
    case, arrived = number(), []
    await post.plan(case, 1, DUE)
    for at in (START, DUE - 2 * DAY - HOUR, DUE - 2 * DAY, DUE - HOUR, DUE, DUE + HOUR, DUE + 99 * DAY, END):
        await post.turn(at)
        arrived.append(post.subjects)
    reminded, both = ["Please"], ["Please", "Overdue:"]
    assert arrived == [[], [], reminded, reminded, both, both, both, [*both, "Overdue:"]]
    assert all(case in mail["Subject"] for mail in post.mailbox.mails)
    document = await post.database["deadlines"].find_one({"_id": case})
    assert document
    assert (document["plan"], "next_at" in document, "claim" in document) == ([], False, False)
    assert document["over_at"] > datetime.now(UTC) - HOUR
    emails = await post.emails()
    assert [(one["stage"], one["to"], one["outcome"]) for one in emails] == [
        ("reminder", "office@hu.example", "sent"),
        ("overdue", "office@hu.example", "sent"),
        ("overdue", "office@hu.example", "sent"),
    ]
    assert {one["reply"] for one in emails} == {"250 kept"}


async def test_several_replicas_send_each_mail_once(post: Post) -> None:
    """Three loops on one database, many cases due at once: every mail arrives, and none twice."""
    await post.contact(2, "office@hu.example", "second@hu.example")
    cases = [number() for _ in range(40)]
    for case in cases:
        await post.plan(case, 1, DUE)
    post.now = DUE - 2 * DAY
    loops = [post.sending(post.store) for _ in range(3)]
    for loop in loops:
        await loop.begin()
    await asyncio.to_thread(until, lambda: len(post.mailbox.mails) >= 80, "mails are missing", 30)
    post.now = DUE
    await asyncio.to_thread(until, lambda: len(post.mailbox.mails) >= 160, "mails are missing", 30)
    for loop in loops:
        await loop.end()
    await post.turn(DUE + HOUR)
    ids = [str(mail["Message-ID"]) for mail in post.mailbox.mails]
    assert len(ids) == len(set(ids)) == 160


async def test_newer_dates_cancel_and_older_ones_change_nothing(post: Post) -> None:
    """A case that is done gets no more mails, however often its older dates come again."""
    done, moved, repeated = number(), number(), number()
    for case in (done, moved, repeated):
        await post.plan(case, 2, DUE)
    await post.plan(done, 3)
    await post.plan(done, 2, DUE)
    await post.plan(done, 3, DUE)
    await post.plan(moved, 3, DUE + 30 * DAY)
    await post.plan(repeated, 2, DUE + 30 * DAY)
    await post.turn(DUE)
    assert len(post.mailbox.mails) == 1
    assert repeated in post.mailbox.mails[0]["Subject"]
    await post.plan(repeated, 3)
    await post.turn(DUE + 28 * DAY)
    assert moved in post.mailbox.mails[1]["Subject"]
    assert post.subjects == ["Overdue:", "Please"]


async def test_a_deadline_that_stays_is_not_reminded_of_again(post: Post) -> None:
    """Newer dates with the same deadline keep what is still to come, and repeat nothing that was sent."""
    case = number()
    await post.plan(case, 1, DUE)
    await post.turn(DUE - DAY)
    await post.plan(case, 2, DUE)
    await post.turn(DUE - HOUR)
    assert post.subjects == ["Please"]
    await post.turn(DUE)
    await post.plan(case, 3, DUE)
    await post.turn(DUE + HOUR)
    assert post.subjects == ["Please", "Overdue:"]


async def test_a_plan_is_forgotten_years_after_nothing_more_was_planned_unless_the_case_goes_on(post: Post) -> None:
    """Since when that is does not change while nothing is planned; another date takes it away."""
    case, since = number(), list[Any]()
    for version, dates in enumerate([(DUE,), (), (), (DUE,)], start=1):
        await post.plan(case, version, *dates)
        document = await post.database["deadlines"].find_one({"_id": case})
        assert document
        since.append(document.get("over_at"))
    assert (since[0], since[1] is None, since[2], since[3]) == (None, False, since[1], None)
    index = (await post.database["deadlines"].index_information())["over_at_1"]
    assert index["expireAfterSeconds"] == 3 * 366 * 24 * 3600


async def test_dates_that_come_while_a_mail_is_in_hand_lead_to_no_second_one(post: Post) -> None:
    """The claim outlives the plan it was made under; but its holder learns that the case has moved on."""
    case = number()
    await post.plan(case, 1, DUE)
    first = await post.store.deadlines.claim(DUE)
    assert first
    await post.plan(case, 2, DUE)
    assert await post.store.deadlines.claim(DUE + timedelta(seconds=1)) is None
    assert not await post.store.deadlines.holds(first)
    await post.store.deadlines.settle(first)
    second = await post.store.deadlines.claim(DUE)
    assert second
    assert {first.step.stage, second.step.stage} == {"reminder", "overdue"}


async def test_a_lease_that_has_run_out_passes_on(post: Post) -> None:
    """What a dead replica held is taken up by another, and the dead one's word counts no more."""
    case = number()
    await post.plan(case, 1, DUE)
    lost = await Store(post.database, lease=timedelta(0)).deadlines.claim(DUE)
    taken = await post.store.deadlines.claim(DUE)
    assert lost
    assert taken
    assert (lost.step, lost.token != taken.token) == (taken.step, True)
    await post.store.deadlines.settle(lost)
    assert await post.store.deadlines.holds(taken)


class Slow:
    """Takes as long over each mail as another replica needs to look what there is to send."""

    def __init__(self, other: Callable[[], Awaitable[None]]) -> None:
        self.mails: list[EmailMessage] = []
        self._other = other

    @asynccontextmanager
    async def couriers(self) -> AsyncIterator[Self]:
        """Open a connection."""
        yield self

    async def send(self, mail: EmailMessage, _address: str) -> Reply:
        """Take a mail, in the end."""
        await self._other()
        self.mails.append(mail)
        return Taken("250 kept")


@pytest.mark.parametrize("what", ["a step", "a notice"])
async def test_a_replica_whose_clock_is_ahead_sends_nothing_that_another_has_in_hand(post: Post, what: str) -> None:
    """It is by the database's clock that a claim runs out, and a turn."""
    if what == "a step":
        await post.plan(number(), 1, DUE)
    else:
        await post.store.notice([Told("1", "message", number(), AUTHORITY)], DUE)

    async def other() -> None:
        await post.turn(DUE + timedelta(seconds=100))
        post.now = DUE

    slow, one_by_one = Slow(other), Pace(MINUTE, 10, 1, MINUTE, 2 * DAY)
    post.now = DUE
    await Sending(post.store, WRITER, HOLIDAYS, slow.couriers, one_by_one, clock=lambda: post.now).turn()
    assert (len(slow.mails), len(post.mailbox.mails)) == (1, 0)


async def test_a_repeat_after_a_crash_has_the_same_message_id(post: Post) -> None:
    """A replica that dies between the server's 250 and its own note sends again: the one window there is."""
    case = number()
    await post.plan(case, 1, DUE)
    dying = post.store
    dying.emails = Dying(post.database["emails"])
    with pytest.raises(asyncio.CancelledError):
        await post.turn(DUE - 2 * DAY, dying)
    await post.database["deadlines"].update_one({"_id": case}, {"$set": {"claimed_until": START}})  # it runs out
    await post.turn(DUE - 2 * DAY + HOUR)
    first, second = (str(mail["Message-ID"]) for mail in post.mailbox.mails)
    assert first == second
    assert len(await post.emails()) == 1


class Dying(Emails):
    """A store whose process ends when it is to remember a mail."""

    async def record(self, email: Email) -> None:
        raise asyncio.CancelledError


async def test_a_server_that_is_away_loses_nothing(post: Post) -> None:
    """Mails wait, with no number of tries, until the server is back."""
    cases = {number() for _ in range(5)}
    for case in cases:
        await post.plan(case, 1, DUE)
    post.listens = "nobody"
    for _ in range(3):
        with pytest.raises(Away):
            await post.turn(DUE)
    post.listens = "smtp"
    await post.turn(DUE)
    assert {case for case in cases for mail in post.mailbox.mails if case in mail["Subject"]} == cases
    assert len(post.mailbox.mails) == 5


async def test_after_a_day_without_a_server_what_is_late_goes_out_once_and_together(post: Post) -> None:
    """Sixty deadlines passed meanwhile: a few mails to the authority, each deadline in one of them."""
    cases = [number() for _ in range(60)]
    for minutes, case in enumerate(cases):
        await post.plan(case, 1, DUE + minutes * MINUTE)
    post.listens = "nobody"
    for hours in range(25):
        with pytest.raises(Away):
            await post.turn(DUE + hours * HOUR)
    post.listens = "smtp"
    for minutes in range(3):
        await post.turn(DUE + 25 * HOUR + minutes * MINUTE)
    told = Counter(key for email in await post.emails() for key in email["told"])
    overdue = {case for case in cases for key in told if key.startswith(case) and "/overdue/" in key}
    assert (overdue, set(told.values())) == (set(cases), {1})
    assert len(post.mailbox.mails) <= 6


async def test_what_the_server_says_to_an_address_decides(post: Post) -> None:
    """4xx: again later. 5xx: never again, and remembered with what was said. The others get their mail meanwhile."""
    await post.contact(2, "busy@hu.example", "gone@hu.example", "well@hu.example")
    post.mailbox.says = {"busy@hu.example": "450 later", "gone@hu.example": "550 no such user"}
    await post.plan(number(), 1, DUE)
    await post.turn(DUE)
    assert [str(mail["To"]) for mail in post.mailbox.mails] == ["well@hu.example"]
    await post.turn(DUE + timedelta(seconds=1))
    post.mailbox.says = {}
    await post.turn(DUE + HOUR)
    assert [str(mail["To"]) for mail in post.mailbox.mails] == ["well@hu.example", "busy@hu.example"]
    replies = {one["to"]: one["reply"] for one in await post.emails()}
    assert replies == {
        "well@hu.example": "250 kept",
        "gone@hu.example": "550 no such user",
        "busy@hu.example": "250 kept",
    }


async def test_what_has_happened_is_gathered_for_a_minute_and_told_once_by_whichever_replica(post: Post) -> None:
    """One mail for all that waits; dates that come again tell nothing again, and what comes later is another mail."""
    told = [Told(secrets.token_hex(8), kind, number(), AUTHORITY) for kind in ("accepted", "replied", "closed")]
    minute = timedelta(minutes=1)
    for _ in range(2):
        await post.store.notice(told, START + minute)
    await post.turn(START + minute / 2)
    assert post.mailbox.mails == []
    post.now = START + minute
    loops = [post.sending(post.store) for _ in range(3)]
    for loop in loops:
        await loop.begin()
    await asyncio.to_thread(until, lambda: bool(post.mailbox.mails), "no mail came", 30)
    for loop in loops:
        await loop.end()
    await post.store.notice(told, START + HOUR)
    await post.turn(START + HOUR)
    (mail,) = post.mailbox.mails
    assert mail["Subject"] == "Notices from the exchange: 3"
    assert all(str(one.case) in _text(mail) for one in told)
    await post.store.notice([Told("later", "message", told[0].case, AUTHORITY)], START + HOUR)
    await post.turn(START + HOUR)
    assert post.mailbox.mails[1]["Subject"] == f"A message has arrived in case {told[0].case}"
    (first, _) = await post.emails()
    assert (set(first["cases"]), first["stage"]) == ({one.case for one in told}, "notice")


async def test_what_mails_entered_in_a_calendar_is_taken_away_once_the_case_needs_it_no_more(post: Post) -> None:
    """Found by what is remembered of the mails: the entry of the arrival for one case, of the reminder for another."""
    arrived, reminded = number(), number()
    for case in (arrived, reminded):
        await post.plan(case, 1, DUE)
    await post.store.notice([Told("arrived", "arrived", arrived, AUTHORITY, 1, DUE)], START)
    await post.turn(START)
    await post.turn(DUE - 2 * DAY)
    ended = [Told("1", "withdrawn", arrived, AUTHORITY, 2), Told("2", "closed", reminded, AUTHORITY, 2)]
    await post.store.notice(ended, DUE - DAY)
    await post.turn(DUE - DAY)
    *before, last = (calendars_of(mail) for mail in post.mailbox.mails)
    entered = {str(event["UID"]) for found in before for _, calendar in found for event in calendar.walk("VEVENT")}
    assert {method for method, _ in last} == {"CANCEL"}
    assert {str(event["UID"]) for _, calendar in last for event in calendar.walk("VEVENT")} == entered
    assert len(entered) == 2


async def test_what_is_due_is_found_by_its_index(post: Post) -> None:
    """Looking for due cases reads an index that has only cases with something to come."""
    query = {"next_at": {"$lte": DUE}, "$expr": {"$not": [{"$gt": ["$claimed_until", "$$NOW"]}]}}
    plan = await post.database["deadlines"].find(query).sort("next_at", 1).limit(1).explain()
    assert "'next_at_1'" in str(plan["queryPlanner"]["winningPlan"])


async def test_dates_and_contacts_from_the_broker_become_a_mail(running: Exchange, world: World) -> None:
    """The whole service: dates that casework published lead to a mail in the authority's language, and only one."""
    case, key, now = number(), world.ids["hu-hivatal"], datetime.now(UTC)
    deadline = Deadline(kind="answer", authority=key, due=now - timedelta(seconds=1))
    dates = Dates(case=case, version=1, area="services", at=now, deadlines=(deadline,))
    done = Dates(case=case, version=2, area="services", at=now, deadlines=())
    for _ in range(3):
        await publish(running, dates)
    await asyncio.to_thread(until, lambda: bool(_mails(running, case)), "no mail came", 30)
    await publish(running, done)
    (mail,) = _mails(running, case)
    assert (mail["Content-Language"], mail["To"]) == ("hu", "office@hu.example")
    assert f"https://imi.example/cases/{case}" in _text(mail)


def _text(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


def _mails(running: Exchange, case: str) -> list[Any]:
    return [mail for mail in running.mailbox.to("office@hu.example") if case in str(mail["Subject"])]


async def publish(running: Exchange, dates: Dates) -> None:
    """Publish as casework does."""
    url = running.addresses.amqp_url("service.casework", running.passwords["casework"], VHOST)
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("casework", ensure=False)
        body = dates.model_dump_json().encode()
        message = aio_pika.Message(body, type=Dates.TYPE, content_type="application/json", message_id=number())
        await exchange.publish(message, "dates")
