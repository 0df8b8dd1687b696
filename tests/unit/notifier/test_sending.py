"""What the loop does with a step that is due, whatever the SMTP server and the database say."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage

import pytest
from pymongo.errors import AutoReconnect

from contracts.dates import NoticeKind
from services.notifier.deadlines import Stage, Step
from services.notifier.mail import Contact, Writer
from services.notifier.notices import Told
from services.notifier.sending import Pace, Sending
from services.notifier.sentences import SENTENCES
from services.notifier.smtp import Away, Postponed, Refused, Reply, Taken
from services.notifier.store import Claim, Email, Gathered

CASE, AUTHORITY = "7Q4M-0000-1111", "HU-ABCD1234"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
CONTACT = Contact(("a@x.example", "b@x.example"), ("hu",), "HU")
WRITER = Writer({"en": SENTENCES}, Address(addr_spec="exchange@imi.example"), "{case}")


def step(stage: Stage = "overdue", due: datetime = NOW) -> Step:
    return Step("answer", stage, AUTHORITY, due, due)


@dataclass
class Case:
    """A case in memory, with one step that is due: a store as far as the loop needs it."""

    steps: list[Step]
    contact_known: Contact | None = CONTACT
    stands: Callable[[], bool] = lambda: True
    ended: list[str] = field(default_factory=list)
    emails: dict[str, Email] = field(default_factory=dict)
    notices: list[Told] = field(default_factory=list)
    still_awaited: set[tuple[str, str]] = field(default_factory=set)

    async def claim(self, now: datetime) -> Claim | None:
        return Claim(CASE, 1, "token", self.steps[0], tries=0) if self.steps else None

    async def holds(self, claim: Claim, now: datetime) -> bool:
        return self.stands()

    async def settle(self, claim: Claim) -> None:
        self._end("settled")

    async def defer(self, claim: Claim, until: datetime) -> None:
        self._end("deferred")

    async def release(self, claim: Claim) -> None:
        self._end("released")

    def _end(self, how: str) -> None:
        self.ended.append(how)
        del self.steps[0]

    async def contact(self, authority: str) -> Contact | None:
        return self.contact_known

    async def recorded(self, ids: list[str]) -> set[str]:
        return set(ids) & self.emails.keys()

    async def record(self, email: Email) -> None:
        self.emails.setdefault(email.id, email)

    async def gather(self, now: datetime) -> Gathered | None:
        return Gathered(AUTHORITY, "token", tuple(self.notices), NOW) if self.notices else None

    async def awaited(self, cases: Iterable[str]) -> set[tuple[str, str]]:
        return self.still_awaited

    async def told(self, gathered: Gathered, now: datetime) -> None:
        self.ended.append("told")
        self.notices.clear()

    async def tell_later(self, gathered: Gathered, until: datetime) -> None:
        self.ended.append("later")
        self.notices.clear()

    @property
    def outcomes(self) -> dict[str | None, str]:
        """How the mails ended, by address."""
        return {email.to: email.outcome for email in self.emails.values()}


@dataclass
class Server:
    """An SMTP server that answers as the table says: by address, else that it takes the mail."""

    replies: dict[str, Reply | Exception] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)

    @asynccontextmanager
    async def courier(self) -> AsyncIterator["Server"]:
        yield self

    async def send(self, mail: EmailMessage, address: str) -> Reply:
        reply = self.replies.get(address, Taken("250 kept"))
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Taken):
            self.mails.append(mail)
        return reply


def sending(case: Case, server: Server, now: datetime = NOW) -> Sending:
    return Sending(case, WRITER, server.courier, Pace(timedelta(seconds=1), 10, 5 * DAY), lambda: now)


@pytest.mark.parametrize(
    ("reply", "late", "ended", "outcome"),
    [
        pytest.param(Taken("250 kept"), 0 * DAY, "settled", "sent", id="taken"),
        pytest.param(Refused("550 no such user"), 0 * DAY, "settled", "failed", id="refused: never again"),
        pytest.param(Postponed("450 later"), 4 * DAY, "deferred", None, id="postponed: again later"),
        pytest.param(Postponed("450 later"), 6 * DAY, "settled", "failed", id="postponed for too long"),
    ],
)
async def test_what_the_server_says_decides(reply: Reply, late: timedelta, ended: str, outcome: str | None) -> None:
    """One address's trouble does not keep the mail from the other."""
    case, server = Case([step()]), Server({"a@x.example": reply})
    assert await sending(case, server, NOW + late).turn() is False
    assert case.ended == [ended]
    assert case.outcomes == {"b@x.example": "sent"} | ({"a@x.example": outcome} if outcome else {})


async def test_a_second_try_leaves_out_who_has_the_mail() -> None:
    """After one of two addresses was postponed, only that one is tried again."""
    case, server = Case([step(), step()]), Server({"a@x.example": Postponed("450 later")})
    await replace_after_first(case, server)
    assert case.ended == ["deferred", "settled"]
    assert [mail["To"] for mail in server.mails] == ["b@x.example", "a@x.example"]


async def replace_after_first(case: Case, server: Server) -> None:
    """A turn with what the server says at first, and one when it takes everything."""
    rest = case.steps[1:]
    del case.steps[1:]
    await sending(case, server).turn()
    server.replies.clear()
    case.steps.extend(rest)
    await sending(case, server).turn()


@pytest.mark.parametrize(
    ("late", "ended", "outcomes"),
    [(4 * DAY, "deferred", {}), (6 * DAY, "settled", {None: "failed"})],
)
async def test_an_authority_nobody_has_heard_of_is_waited_for(
    late: timedelta, ended: str, outcomes: dict[str | None, str]
) -> None:
    """Its contacts may still come; in the end the mail is remembered as failed."""
    case = Case([step()], contact_known=None)
    await sending(case, Server(), NOW + late).turn()
    assert (case.ended, case.outcomes) == ([ended], outcomes)


@pytest.mark.parametrize("over_a_mail", [False, True])
async def test_a_server_that_is_away_ends_the_turn_and_costs_no_mail(over_a_mail: bool) -> None:
    """The step stays due; if the connection broke over this mail, others are tried before it."""
    case, server = Case([step()]), Server({"b@x.example": Away("gone", over_a_mail=over_a_mail)})
    with pytest.raises(Away):
        await sending(case, server).turn()
    assert case.ended == ["deferred" if over_a_mail else "released"]
    assert case.outcomes == {"a@x.example": "sent"}


async def test_a_case_that_has_moved_on_gets_no_mail() -> None:
    """The claim is looked at before each address: a newer version, or a lost lease, stops the rest."""
    answers = iter([True, False])
    case, server = Case([step()], stands=lambda: next(answers)), Server()
    await sending(case, server).turn()
    assert case.ended == ["released"]
    assert case.outcomes == {"a@x.example": "sent"}


async def test_a_reminder_that_comes_too_late_is_dropped() -> None:
    """Once the deadline has passed only the overdue mail goes out."""
    case, server = Case([step("reminder"), step("overdue")]), Server()
    await sending(case, server).turn()
    assert case.ended == ["settled", "settled"]
    assert len(server.mails) == 2
    assert all("Overdue" in mail["Subject"] for mail in server.mails)


async def test_what_is_no_address_fails_and_the_others_get_their_mail() -> None:
    """A wrong address is remembered as failed; no server is asked about it."""
    case = Case([step()], contact_known=replace(CONTACT, addresses=("a(b)@x.example", "b@x.example")))
    await sending(case, Server()).turn()
    assert case.outcomes == {"a(b)@x.example": "failed", "b@x.example": "sent"}


async def test_a_mistake_of_ours_puts_the_step_off_and_stops_nothing() -> None:
    """A case that cannot be written, for a reason nobody thought of, does not keep the others from theirs."""
    case = Case([step(), step()], contact_known=replace(CONTACT, country="??"))
    assert await sending(case, Server()).turn() is False
    assert case.ended == ["deferred", "deferred"]


async def test_a_database_that_is_away_leaves_the_claim_to_its_lease() -> None:
    """Nothing is concluded about a step that could not be looked at."""

    def away() -> bool:
        raise AutoReconnect

    case = Case([step()], stands=away)
    with pytest.raises(AutoReconnect):
        await sending(case, Server()).turn()
    assert (case.ended, case.outcomes) == ([], {})


async def test_a_turn_has_an_end() -> None:
    """However much is due, a turn does no more than its number, and says that there is more."""
    case = Case([step() for _ in range(25)])
    turns = [await sending(case, Server()).turn() for _ in range(3)]
    assert turns == [True, True, False]
    assert len(case.ended) == 25


async def test_the_loop_ends_when_told_to() -> None:
    """It sends what is due, and `end` returns when it has finished."""
    case, server = Case([step()]), Server()
    loop = sending(case, server)
    await loop.begin()
    await loop.end()
    assert case.ended in ([], ["settled"])


def told(kind: NoticeKind, case: str = CASE) -> Told:
    return Told(f"{kind}/{case}", kind, case, AUTHORITY)


async def test_what_has_happened_is_told_in_one_mail_to_each_address() -> None:
    """However much it is; each address is remembered as written to, and nothing is told again."""
    case, server = Case([], notices=[told("accepted"), told("replied"), told("message", "7Q4M-0000-2222")]), Server()
    assert await sending(case, server).turn() is False
    assert [mail["Subject"] for mail in server.mails] == ["Notices from the exchange: 3"] * 2
    assert case.ended == ["told"]
    assert set(case.outcomes.values()) == {"sent"}


async def test_one_thing_alone_is_the_subject() -> None:
    """What matters stands first; the case's number and the link are in the mail, and nothing that anybody typed."""
    case, server = Case([], notices=[told("replied")]), Server()
    await sending(case, server).turn()
    assert server.mails[0]["Subject"] == f"Your request {CASE} has been answered"
    text = server.mails[0].get_body(("plain",))
    assert text
    assert text.get_content().startswith(f"Your request {CASE} has been answered.\nOpen the case: {CASE}\n")


async def test_whoever_has_accepted_meanwhile_is_not_told_that_a_request_has_arrived() -> None:
    """Nothing is sent that the case no longer needs at the time of sending."""
    for awaited, mails in ((set[tuple[str, str]](), 0), ({(CASE, f"acceptance/{AUTHORITY}")}, 2)):
        case, server = Case([], notices=[told("arrived")], still_awaited=awaited), Server()
        await sending(case, server).turn()
        assert (len(server.mails), case.ended) == (mails, ["told"])


@pytest.mark.parametrize(("late", "ended"), [(DAY, "later"), (9 * DAY, "told")], ids=["again", "given up"])
async def test_notices_that_the_server_postpones_are_told_again_for_some_days(late: timedelta, ended: str) -> None:
    """The address that has taken its mail does not get it again: it is remembered."""
    case = Case([], notices=[told("replied")])
    await sending(case, Server({"a@x.example": Postponed("450 later")}), NOW + late).turn()
    assert case.ended == [ended]
    assert case.outcomes == {"b@x.example": "sent"}


async def test_notices_wait_for_a_server_that_is_away() -> None:
    """Nothing is lost, and nothing is taken for told."""
    case = Case([], notices=[told("replied")])
    with pytest.raises(Away):
        await sending(case, Server({"a@x.example": Away("gone")})).turn()
    assert case.ended == ["later"]
