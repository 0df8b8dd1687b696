"""What becomes of a step that is due and of what waits to be told, whatever the SMTP server and the database do."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from pymongo.errors import AutoReconnect

from contracts.notifier import Preferences, Wish
from services.notifier.letters import Due, Undeliverable
from services.notifier.notices import Kind, Told
from services.notifier.posting import LEAST_TRIES
from services.notifier.smtp import Away, Postponed, Refused, Reply, Taken
from services.notifier.waiting import Waits
from tests.unit.notifier.keeping import (
    AREA,
    AUTHORITY,
    CASE,
    CONTACT,
    COORDINATOR,
    DAY,
    NOW,
    Keeping,
    Server,
    sending,
    step,
)
from tests.unit.notifier.shown import calendars_of, parsed

DAILY = Preferences(hour=8, general=Wish(gathered=True))
SUMMARY = datetime(2026, 3, 3, 7, tzinfo=UTC)
"""Tuesday, eight o'clock in Budapest."""


@pytest.mark.parametrize(
    ("reply", "late", "ended", "outcome"),
    [
        pytest.param(Taken("250 kept"), 0 * DAY, ["settled"], "sent", id="taken"),
        pytest.param(Refused("550 no such user"), 0 * DAY, ["coordinator told", "settled"], "failed", id="refused"),
        pytest.param(Postponed("450 later"), 1 * DAY, ["deferred"], None, id="postponed: again later"),
        pytest.param(Postponed("450 later"), 3 * DAY, ["coordinator told", "settled"], "failed", id="for too long"),
    ],
)
async def test_what_the_server_says_decides(
    reply: Reply, late: timedelta, ended: list[str], outcome: str | None
) -> None:
    """One address's trouble does not keep the mail from the other; of what does not arrive the coordinator is told."""
    keeping, server = Keeping([step()], begun=True), Server({"a@x.example": reply})
    assert await sending(keeping, server, NOW + late).turn() is False
    assert keeping.ended == ended
    assert keeping.outcomes == {"b@x.example": "sent"} | ({"a@x.example": outcome} if outcome else {})
    assert keeping.marked == ({"a@x.example": reply.reply} if isinstance(reply, Refused) else {})


async def test_what_was_only_planned_long_ago_is_not_given_up_at_the_first_try() -> None:
    """After a standstill of days a server that says "later" is asked again, as it would have been before."""
    keeping = Keeping([step()], begun=True, tries=0)
    await sending(keeping, Server({"a@x.example": Postponed("450 later")}), NOW + 3 * DAY).turn()
    assert keeping.ended == ["deferred"]


async def test_an_address_that_was_refused_is_not_tried_again() -> None:
    """No connection, no second word to the coordinator; but it is remembered that the mail did not go."""
    keeping, server = Keeping([step()], marked={"a@x.example": "550 no such user"}), Server()
    await sending(keeping, server).turn()
    assert [mail["To"] for mail in server.mails] == ["b@x.example"]
    assert (keeping.ended, keeping.outcomes["a@x.example"]) == (["settled"], "failed")


async def test_a_mail_whose_domain_has_had_enough_for_now_waits_without_a_try() -> None:
    """The others go; what was to go to that one alone has not even been begun."""
    contact = replace(CONTACT, addresses=("a@x.example", "b@y.example"))
    keeping, server = Keeping([step()], contact=contact, slots={"x.example": NOW + DAY}), Server()
    await sending(keeping, server).turn()
    assert [mail["To"] for mail in server.mails] == ["b@y.example"]
    assert keeping.ended == ["not yet"]
    keeping = Keeping([step()], slots={"x.example": NOW + DAY}, stands=lambda: pytest.fail("it has begun"))
    await sending(keeping, server).turn()
    assert keeping.ended == ["not yet"]


async def test_an_authority_whose_domain_has_had_enough_is_let_alone_and_nothing_that_waits_is_looked_at() -> None:
    """Nor put off piece by piece: its turn comes when there is a place again, and then it is told everything."""
    keeping, server = Keeping([], [news("accepted"), news("replied")], slots={"x.example": NOW + DAY}), Server()
    assert await sending(keeping, server).turn() is False
    assert (keeping.ended, keeping.looked_at, server.mails) == (["let alone"], 0, [])
    assert await sending(keeping, server).turn() is False
    assert keeping.ended == ["let alone"]
    keeping.slots.clear()
    await sending(keeping, server, NOW + DAY).turn()
    assert (keeping.ended, len(server.mails)) == (["let alone", "told"], 2)


async def test_what_one_domain_has_no_place_for_is_not_put_off_piece_by_piece() -> None:
    """The address that has its mail does not get it again; the other one's turn comes when there is a place."""
    contact = replace(CONTACT, addresses=("a@x.example", "b@y.example"))
    keeping, server = Keeping([], [news("replied")], contact=contact, slots={"x.example": NOW + DAY}), Server()
    await sending(keeping, server).turn()
    assert (keeping.ended, keeping.let_alone_until, len(keeping.waiting_ones)) == (["let alone"], NOW + DAY, 1)
    keeping.slots.clear()
    await sending(keeping, server, NOW + DAY).turn()
    assert [mail["To"] for mail in server.mails] == ["b@y.example", "a@x.example"]


@pytest.mark.parametrize("late", [0 * DAY, 1 * DAY], ids=["for the summary", "with what is late"])
async def test_a_step_whose_claim_has_passed_on_does_not_wait_to_be_told(late: timedelta) -> None:
    """Whoever has it now may have sent its mail."""
    keeping = Keeping(
        [step("reminder", urgent=False)], stands=lambda: False, wishes=DAILY if not late else Preferences()
    )
    await sending(keeping, Server(), NOW + late).turn()
    assert keeping.ended == ["released"]


async def test_a_second_try_leaves_out_who_has_the_mail() -> None:
    """After one of two addresses was postponed, only that one is tried again."""
    keeping, server = Keeping([step()]), Server({"a@x.example": Postponed("450 later")})
    await sending(keeping, server).turn()
    server.replies.clear()
    keeping.steps, keeping.begun = [step()], True
    await sending(keeping, server).turn()
    assert keeping.ended == ["deferred", "settled"]
    assert [mail["To"] for mail in server.mails] == ["b@x.example", "a@x.example"]


@pytest.mark.parametrize(
    ("late", "ended", "outcomes"),
    [(1 * DAY, "deferred", {}), (3 * DAY, "settled", {None: "failed"})],
)
async def test_an_authority_nobody_has_heard_of_is_waited_for(
    late: timedelta, ended: str, outcomes: dict[str | None, str]
) -> None:
    """Its contacts may still come; in the end the mail is remembered as failed."""
    keeping = Keeping([step()], contact=None, begun=True)
    await sending(keeping, Server(), NOW + late).turn()
    assert (keeping.ended, keeping.outcomes) == ([ended], outcomes)


async def test_a_server_that_is_away_ends_the_turn_and_costs_no_mail() -> None:
    """The step stays due, and so does what waits to be told."""
    keeping = Keeping([step()], [news("replied")])
    server = Server({"b@x.example": Away("gone")})
    with pytest.raises(Away):
        await sending(keeping, server).turn()
    assert keeping.ended == ["released"]
    assert keeping.outcomes == {"a@x.example": "sent"}
    keeping.contact = replace(CONTACT, addresses=("b@x.example",))
    with pytest.raises(Away):
        await sending(keeping, server).turn()
    assert (keeping.ended, len(keeping.waiting_ones)) == (["released"], 1)


async def test_a_case_that_has_moved_on_gets_no_mail() -> None:
    """The claim is looked at before each address: a newer version, or a lost lease, stops the rest."""
    answers = iter([True, False])
    keeping, server = Keeping([step()], stands=lambda: next(answers)), Server()
    await sending(keeping, server).turn()
    assert keeping.ended == ["released"]
    assert keeping.outcomes == {"a@x.example": "sent"}


async def test_a_reminder_that_comes_too_late_is_dropped() -> None:
    """Once the deadline has passed only the overdue mail goes out."""
    keeping, server = Keeping([replace(step("reminder"), due=NOW), step("overdue")]), Server()
    await sending(keeping, server).turn()
    assert keeping.ended == ["settled", "settled"]
    assert all("Overdue" in mail["Subject"] for mail in server.mails)
    assert len(server.mails) == 2


async def test_what_is_no_address_fails_and_the_others_get_their_mail() -> None:
    """A wrong address is remembered as failed; no server is asked about it, and the coordinator hears of it."""
    keeping = Keeping([step()], contact=replace(CONTACT, addresses=("a(b)@x.example", "b@x.example")))
    await sending(keeping, Server()).turn()
    assert keeping.outcomes == {"a(b)@x.example": "failed", "b@x.example": "sent"}
    assert keeping.ended == ["coordinator told", "settled"]


async def test_a_mistake_of_ours_puts_the_mail_off_and_stops_nothing() -> None:
    """What cannot be written, for a reason nobody thought of, does not keep the others from theirs."""
    keeping = Keeping([step(), step()], contact=replace(CONTACT, country="??"))
    assert await sending(keeping, Server()).turn() is False
    assert keeping.ended == ["deferred", "deferred"]


async def test_a_database_that_is_away_leaves_the_claim_to_its_lease() -> None:
    """Nothing is concluded about a step that could not be looked at."""

    def away() -> bool:
        raise AutoReconnect

    keeping = Keeping([step()], stands=away)
    with pytest.raises(AutoReconnect):
        await sending(keeping, Server()).turn()
    assert (keeping.ended, keeping.outcomes) == ([], {})


@pytest.mark.parametrize("side_by_side", [1, 5])
async def test_a_turn_has_an_end(side_by_side: int) -> None:
    """However much is due, a turn does no more than its number, and says that there is more."""
    keeping, done = Keeping([step() for _ in range(25)]), list[int]()
    while await sending(keeping, Server(), side_by_side=side_by_side).turn():
        done.append(len(keeping.ended))
    assert done[:2] == [10, 20]
    assert len(keeping.ended) == 25


async def test_a_mail_over_which_the_server_hangs_holds_up_nobody_elses() -> None:
    """However many become due meanwhile: the other connection sends them all."""
    alone = replace(CONTACT, addresses=("a@x.example",))
    keeping, server = Keeping([replace(step(), number=number) for number in range(40)], contact=alone), Hanging()
    loop = sending(keeping, server, side_by_side=2)
    await loop.begin()
    async with asyncio.timeout(5):
        await server.others_went.wait()
    await loop.end()
    assert keeping.ended == ["settled"] * 40


class Hanging(Server):
    """A server that hangs over the first mail until 39 others have gone."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs, self.others_went = False, asyncio.Event()

    async def send(self, mail: EmailMessage, address: str) -> Reply:
        if not self.hangs:
            self.hangs = True
            await self.others_went.wait()
        reply = await super().send(mail, address)
        if len(self.mails) == 39:
            self.others_went.set()
        return reply


async def test_the_loop_ends_when_told_to() -> None:
    """It sends what is due, and `end` returns when it has finished."""
    keeping = Keeping([step()])
    loop = sending(keeping, Server())
    await loop.begin()
    await loop.end()
    assert keeping.ended in ([], ["settled"])


def news(kind: Kind, case: str | None = CASE, authority: str = AUTHORITY, *, daily: bool = False) -> Waits:
    told = Told(f"{kind}/{case}", kind, case, authority, area=AREA)
    return Waits(authority, told, NOW, daily=daily, tries=LEAST_TRIES)


async def test_what_has_happened_is_told_in_one_mail_to_each_address() -> None:
    """However much it is; each address is remembered as written to, and nothing is told again."""
    waiting = [news("accepted"), news("replied"), news("message", "7Q4M-0000-2222")]
    keeping, server = Keeping([], waiting), Server()
    assert await sending(keeping, server).turn() is False
    assert [mail["Subject"] for mail in server.mails] == ["Notices from the exchange: 3"] * 2
    assert keeping.ended == ["told"]
    assert set(keeping.outcomes.values()) == {"sent"}


async def test_a_notice_that_a_deadline_has_ended_takes_away_what_its_reminder_entered_in_a_calendar() -> None:
    """What mails are remembered to have told decides."""
    keeping, server = Keeping([step("reminder")], contact=replace(CONTACT, addresses=("a@x.example",))), Server()
    await sending(keeping, server).turn()
    keeping.waiting_ones.append(news("closed"))
    await sending(keeping, server).turn()
    ((published, reminder),), ((cancelled, closed),) = (calendars_of(parsed(mail)) for mail in server.mails)
    assert (published, cancelled) == ("PUBLISH", "CANCEL")
    assert [event["UID"] for event in reminder.walk("VEVENT")] == [event["UID"] for event in closed.walk("VEVENT")]


@pytest.mark.parametrize(
    ("kind", "awaited", "mails"),
    [
        ("arrived", set(), 0),
        ("arrived", {(CASE, f"acceptance/{AUTHORITY}")}, 2),
        ("approval-asked", {(CASE, "in/closed")}, 0),
        ("approval-asked", {(CASE, "in/awaiting-approval")}, 2),
        ("referred", {(CASE, "in/closed")}, 0),
        ("referred", {(CASE, "in/*")}, 2),
        ("replied", {(CASE, "in/closed")}, 2),
    ],
)
async def test_whoever_has_done_meanwhile_what_is_asked_for_is_not_told(
    kind: Kind, awaited: set[tuple[str, str]], mails: int
) -> None:
    """Nothing is sent that the case no longer needs at the time of sending."""
    keeping, server = Keeping([], [news(kind)], still_awaited=awaited), Server()
    await sending(keeping, server).turn()
    assert (len(server.mails), keeping.ended) == (mails, ["told"])


@pytest.mark.parametrize(
    ("late", "ended"), [(DAY, ["later"]), (3 * DAY, ["coordinator told", "told"])], ids=["again", "given up"]
)
async def test_notices_that_the_server_postpones_are_told_again_for_two_days(late: timedelta, ended: list[str]) -> None:
    """The address that has taken its mail does not get it again: it is remembered."""
    keeping = Keeping([], [news("replied")])
    await sending(keeping, Server({"a@x.example": Postponed("450 later")}), NOW + late).turn()
    assert keeping.ended == ended
    assert keeping.outcomes["b@x.example"] == "sent"


async def test_what_is_not_urgent_waits_for_the_summary_if_its_reader_wishes_so() -> None:
    """News and all reminders but the last wait until the hour that was named, on the next working day."""
    keeping = Keeping([step("reminder", urgent=False), step("reminder")], [news("message")], wishes=DAILY)
    server = Server()
    await sending(keeping, server).turn()
    assert keeping.ended == ["waits", "settled", "put off", "settled"]
    assert keeping.put_off_until == [SUMMARY, SUMMARY]
    assert [mail["Subject"].split()[0] for mail in server.mails] == ["Please"] * 2


@pytest.mark.parametrize(
    ("wishes", "at_once"),
    [
        pytest.param(Preferences(), True, id="no wish"),
        pytest.param(DAILY, False, id="all that can wait"),
        pytest.param(Preferences(general=Wish(gathered=True, at_once=("message",))), True, id="not this kind"),
        pytest.param(Preferences(general=Wish(gathered=True), areas={AREA: Wish(gathered=False)}), True, id="not here"),
        pytest.param(Preferences(areas={AREA: Wish(gathered=True)}), False, id="only here"),
    ],
)
async def test_wishes_count_by_kind_and_area(wishes: Preferences, at_once: bool) -> None:
    """What was said of an area goes before what was said of all."""
    keeping, server = Keeping([], [news("message")], wishes=wishes), Server()
    await sending(keeping, server).turn()
    assert (len(server.mails), keeping.ended) == ((2, ["told"]) if at_once else (0, ["put off"]))


async def test_what_asks_for_something_before_the_summary_does_not_wait() -> None:
    """A summary is no use to whoever was to accept the evening before."""
    due = Told("arrived", "arrived", CASE, AUTHORITY, due=SUMMARY - timedelta(hours=1), area=AREA)
    awaited = {(CASE, f"acceptance/{AUTHORITY}")}
    keeping = Keeping([], [Waits(AUTHORITY, due, NOW)], wishes=DAILY, still_awaited=awaited)
    await sending(keeping, server := Server()).turn()
    assert (len(server.mails), keeping.ended) == (2, ["told"])


async def test_ones_own_registration_never_waits() -> None:
    """It concerns the authority as a whole."""
    keeping, server = Keeping([], [news("registration-suspended", None)], wishes=DAILY), Server()
    await sending(keeping, server).turn()
    assert server.mails[0]["Subject"] == "The registration of your authority has been suspended"


async def test_what_is_late_is_told_together() -> None:
    """After a standstill each step waits a minute for the others that are late; unless it had been begun."""
    keeping, server = Keeping([step(), step()]), Server()
    await sending(keeping, server, NOW + timedelta(hours=1)).turn()
    assert (keeping.ended, server.mails) == (["waits", "settled"] * 2, [])
    late = [Waits(AUTHORITY, Due(CASE, 1, replace(step(), number=number)), NOW) for number in range(2)]
    keeping = Keeping([], late)
    await sending(keeping, server, NOW + timedelta(hours=1)).turn()
    assert ["Overdue: 2" in mail["Subject"] for mail in server.mails] == [True] * 2
    keeping = Keeping([step()], begun=True)
    await sending(keeping, server, NOW + timedelta(hours=1)).turn()
    assert [mail["Subject"].split()[0] for mail in server.mails[2:]] == ["Overdue:"] * 2


async def test_what_was_late_and_is_no_longer_awaited_is_not_told() -> None:
    """A date that moved while its mail waited: the mail of the new date will come."""
    keeping, server = Keeping([], [Waits(AUTHORITY, Due(CASE, 1, step()), NOW)], still_awaited=set()), Server()
    await sending(keeping, server, NOW + timedelta(hours=1)).turn()
    assert (server.mails, keeping.ended) == ([], ["told"])


async def test_a_coordinator_is_told_by_a_mail_of_its_own_that_an_address_does_not_work() -> None:
    """It names the authority, never the address, and does not go under in a list."""
    told = Waits(COORDINATOR, Undeliverable("day", AUTHORITY), NOW)
    keeping, server = Keeping([], [news("replied", authority=COORDINATOR), told]), Server()
    await sending(keeping, server).turn()
    subjects = [mail["Subject"] for mail in server.mails[::2]]
    assert subjects == [f"E-mails do not reach {AUTHORITY}", f"Your request {CASE} has been answered"]
    assert all("a@x.example" not in str(mail.get_body(("plain",))) for mail in server.mails)


async def test_where_nobody_coordinates_nobody_is_told() -> None:
    """The national coordinator's own address: the log says so, and the mail is remembered as failed."""
    keeping = Keeping([step()], coordinator=None)
    await sending(keeping, Server({"a@x.example": Refused("550 no")})).turn()
    assert (keeping.ended, keeping.outcomes["a@x.example"]) == (["settled"], "failed")
