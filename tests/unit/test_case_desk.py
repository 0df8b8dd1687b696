"""What casework says to a command: one outcome, a view for each reader, dates for whoever reminds."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts import own
from contracts.casework import RepublishCases, SendMessage, SendRequest
from contracts.dates import Dates
from contracts.inbox import CaseUpdate, Outcome
from contracts.refusal import Refusal
from contracts.topology import OPERATOR
from contracts.translation import AreaRules
from contracts.types import Message, ReadText
from services.casework import handlers
from services.casework.facts import Facts
from services.casework.handlers import CaseDesk
from services.casework.history import Fold, case_from
from services.casework.knowledge import Access, Area, Authority
from services.casework.questions import Questions
from services.casework.settings import Settings
from services.casework.store import Store
from services.casework.trail import traced_of
from services.casework.views import file_of
from services.chassis.delivery import Later
from services.chassis.desk import OWN_SYSTEM, Answer
from services.chassis.histories import Decision, History, Refuse
from services.chassis.intake import Command
from services.chassis.public_holidays import PublicHolidays
from tests.unit.memory import MemoryHistories
from tests.unit.samples import (
    ACTIONS,
    AREA,
    COLLEAGUE,
    DE,
    HANDLER,
    HU,
    KNOWN,
    NOW,
    PDF,
    RECIPIENT,
    SENDER,
    STRANGER,
    SYSTEM_OF,
    accept,
    authority,
    close,
    command,
    history_until,
    reply,
    request,
    text,
)

Entry = Mapping[str, Any]
WHO = {"sender": SENDER, "recipient": RECIPIENT, "stranger": STRANGER}


class MemoryStore:
    """What casework keeps, in memory, with the rules always at hand."""

    def __init__(self) -> None:
        self.cases = MemoryHistories()
        self.suspended: set[str] = set()
        self.known: dict[str, Authority] = dict(KNOWN)
        self.area = AREA
        self.fold = Fold()
        self.looked_up = 0

    async def cut_off(self, systems: Iterable[str]) -> frozenset[str]:
        return frozenset(self.suspended.intersection(systems))

    async def authorities(self, ids: Iterable[str]) -> dict[str, Authority]:
        self.looked_up += 1
        return {number: self.known[number] for number in ids if number in self.known}

    async def areas(self, codes: Iterable[str]) -> dict[str, Area]:
        return {code: self.area for code in codes if code == self.area.code}

    async def history(self, number: str) -> History:
        return self.cases.history(number)

    async def changed_since(self, moment: datetime, after: str, at_most: int) -> tuple[list[tuple[str, History]], bool]:
        places = sorted(place for place in self.cases.documents if place > after)[:at_most]
        histories = [(place, self.cases.history(place)) for place in places]
        changed = [(place, history) for place, history in histories if history and history[-1]["at"] >= moment]
        return changed, len(changed) == at_most

    async def rules(self, area: str, version: int) -> AreaRules:
        return self.area.rules

    def rules_at_hand(self, area: str, version: int) -> AreaRules | None:
        return self.area.rules if (area, version) == (self.area.code, self.area.version) else None


def desk_of(store: MemoryStore) -> CaseDesk:
    """A desk that keeps its cases there."""
    settings = Settings.model_validate(
        {
            "amqp_url": SecretStr("amqp://x"),
            "mongo_url": SecretStr("mongodb://x"),
            "mongo_database": "x",
            "keys": "/nowhere",
            "root_keys": SecretStr("x"),
        }
    )
    return CaseDesk(cast("Store", store), settings, PublicHolidays(), cast("Questions", None))


def decided(history: tuple[Entry, ...], body: Message, system: str, **changes: Any) -> Decision:
    """What casework decides on a command."""
    known = changes.get("known", KNOWN)
    facts = Facts(cast("Store", MemoryStore()), PublicHolidays(), NOW)
    numbers = {*KNOWN, *known}
    facts.authorities = {number: known.get(number) for number in numbers}
    facts.areas = {AREA.code: AREA}
    return handlers._decider(facts, frozenset(), Fold())(history, command(body, system, age=changes.get("age", 10.0)))


SYSTEMS: list[tuple[str, dict[str, Any], str, str]] = [
    ("an authority nobody knows", {"known": {}}, SYSTEM_OF[RECIPIENT], "unknown-authority"),
    ("a system that does not act for it", {}, SYSTEM_OF[SENDER], "not-your-authority"),
    (
        "an authority that is not active",
        {"known": {**KNOWN, RECIPIENT: authority(RECIPIENT, active=False)}},
        SYSTEM_OF[RECIPIENT],
        "authority-not-active",
    ),
]


@pytest.mark.parametrize(("changes", "system", "code"), [s[1:] for s in SYSTEMS], ids=[s[0] for s in SYSTEMS])
def test_only_the_system_of_an_active_authority_speaks_for_it(changes: dict[str, Any], system: str, code: str) -> None:
    """Refused with the field `authority`, and not inside the case: the sender has no right to a place in it."""
    assert decided(history_until("awaiting-acceptance"), accept(), system, **changes) == Refuse(
        Refusal(code, "authority")
    )


@pytest.mark.parametrize(
    ("age", "kind"), [(0.0, Later), (1.9, Later), (2.0, Refuse)], ids=["at once", "before 2 s", "after 2 s"]
)
def test_a_refusal_that_rests_on_a_copy_waits_for_the_copy(age: float, kind: type) -> None:
    """The registry's event about a new authority may still be on its way: it is given two seconds."""
    assert isinstance(decided((), request(), SYSTEM_OF[SENDER], known={}, age=age), kind)


def test_a_refusal_that_rests_on_the_case_alone_does_not_wait() -> None:
    """However young the command."""
    decision = decided(history_until("closed"), accept(), SYSTEM_OF[RECIPIENT], age=0.0)
    assert decision == Refuse(Refusal("wrong-state"), in_document=True)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_stranger_is_told_the_same_of_a_case_of_others_as_of_none(action: str) -> None:
    """Nobody learns which numbers exist, and a stranger's refusal has no place in the case."""
    body = ACTIONS[action](STRANGER)
    there, nowhere = (decided(history, body, SYSTEM_OF[STRANGER]) for history in (history_until("accepted"), ()))
    assert there == nowhere == Refuse(Refusal("unknown-case", "case"))


async def test_nothing_is_done_for_a_system_that_was_cut_off_meanwhile() -> None:
    """What it had sent before is refused; the authority may act again through another system."""
    store = MemoryStore()
    store.suspended.add(SYSTEM_OF[SENDER])
    outcome = _outcome(await _one(desk_of(store), _soon(), SYSTEM_OF[SENDER], "first"))
    assert outcome.refused
    assert outcome.refused.code == "system-suspended"
    assert store.cases.documents == {}


@given(
    st.lists(st.tuples(st.sampled_from(["send", "accept", "reply", "close"]), st.sampled_from(list(WHO))), max_size=8)
)
def test_every_command_has_one_outcome_and_every_change_is_told_to_the_other_side(tries: list[tuple[str, str]]) -> None:
    """The case goes to the other side, the dates to whoever reminds; a refusal to nobody but who asked."""
    asyncio.run(_told(tries))


async def _told(tries: list[tuple[str, str]]) -> None:
    store = MemoryStore()
    desk = desk_of(store)
    number = await _sent(desk)
    for position, (action, who) in enumerate(tries):
        acting, system = WHO[who], SYSTEM_OF[WHO[who]]
        body = _soon() if action == "send" else _of(number, ACTIONS[action](acting))
        before = sum(map(len, store.cases.documents.values()))
        answer = await _one(desk, body, system, str(position))
        changed = sum(map(len, store.cases.documents.values())) - before
        _check(answer, system, changed)


def _check(answer: Answer, system: str, changed: int) -> None:
    outcome = _outcome(answer)
    assert answer.outcome
    assert answer.outcome.to == system
    assert changed == (1 if outcome.status == "done" else 0)
    assert len(answer.views) == len(answer.events) == changed
    for view in answer.views:
        assert isinstance(view.message, CaseUpdate)
        assert view.to == SYSTEM_OF[view.message.reader] != system
    for event in answer.events:
        assert isinstance(event.message, Dates)


async def test_an_observer_sees_a_summary_of_what_happens_and_no_more() -> None:
    """A linked authority reads who, when and in what state; nothing that anybody filled in."""
    store = MemoryStore()
    access = {AREA.code: Access(coordinator=DE, linked=(STRANGER,))}
    store.known[SENDER] = authority(SENDER, access=access)
    answer = await _one(desk_of(store), _soon(), SYSTEM_OF[SENDER], "first")
    seen = {view.reader: view.message for view in answer.views}
    assert set(seen) == {RECIPIENT, STRANGER}
    summary = seen[STRANGER]
    assert isinstance(summary, CaseUpdate)
    assert summary.case.summary
    assert (summary.case.questions, summary.case.particulars, summary.case.comment) == ((), None, None)


@pytest.mark.parametrize("side", [SENDER, RECIPIENT])
async def test_whoever_observes_a_side_hears_of_what_the_other_does_and_of_what_comes_by_itself(side: str) -> None:
    """Each command by itself: what a group names of a case may be one side of it, or none."""
    store = MemoryStore()
    store.known[side] = authority(side, access={AREA.code: Access(linked=(STRANGER,))})
    desk = desk_of(store)
    number = await _sent(desk)
    case = case_from(number, store.cases.history(number))
    assert case
    assert case.acceptance_due
    past = case.acceptance_due - timedelta(days=365)  # as if it had been sent so long ago
    store.cases.documents[number] = [{**store.cases.history(number)[0], "acceptance_due": past}]
    told = {"overdue": await _by_itself(desk, own.TimePassed(case=number, kind="acceptance", due=past), "overdue")}
    for action, by in (("message", SENDER), ("accept", RECIPIENT), ("message", RECIPIENT), ("reply", RECIPIENT)):
        body = accept(propose_date=date.max) if action == "accept" else ACTIONS[action](by)
        told[f"{action} of {by}"] = await _one(desk, _of(number, body), SYSTEM_OF[by], f"{action} of {by}")
    told["close"] = await _one(desk, _of(number, close()), SYSTEM_OF[SENDER], "close")
    assert [what for what, answer in told.items() if STRANGER not in {view.reader for view in answer.views}] == []


@pytest.mark.parametrize(("linked", "looked_up"), [((), 2), ((STRANGER,), 3)], ids=["by nobody", "by somebody"])
async def test_being_observed_costs_a_group_one_look_up_and_being_observed_by_nobody_none(
    linked: tuple[str, ...], looked_up: int
) -> None:
    """Those whom the commands name are looked up, then who else is told, then who observes."""
    store = MemoryStore()
    store.known[SENDER] = authority(SENDER, access={AREA.code: Access(linked=linked)})
    desk = desk_of(store)
    number = await _sent(desk)
    before = store.looked_up
    await _one(desk, _of(number, accept(propose_date=date.max)), SYSTEM_OF[RECIPIENT], "accept")
    assert store.looked_up - before == looked_up


async def test_what_is_kept_for_later_is_shown_to_nobody_else() -> None:
    """Neither the sender nor an observer hears that answers were saved, or who handles a case."""
    store = MemoryStore()
    desk = desk_of(store)
    number = await _sent(desk)
    await _one(desk, _of(number, accept(propose_date=date.max)), SYSTEM_OF[RECIPIENT], "accept")
    for action in ("save-answers", "assign"):
        answer = await _one(desk, _of(number, ACTIONS[action](RECIPIENT)), SYSTEM_OF[RECIPIENT], action)
        assert answer.views == ()
    case = _outcome(answer).case
    assert case
    assert case.kept_answers
    assert [item.value for item in case.kept_answers] == ["yes"]
    assert case.handlers == ("handler",)


async def test_before_acceptance_the_recipient_sees_that_a_message_came_and_not_what_it_says() -> None:
    """Whoever wrote it reads it, and from acceptance on both do (Regulation (EU) 1024/2012, Art. 9)."""
    desk = desk_of(MemoryStore())
    number = await _sent(desk)
    message = SendMessage(authority=SENDER, case=number, text=text("about Planted Person"), user=HANDLER)
    answer = await _one(desk, message, SYSTEM_OF[SENDER], "message")
    (view,) = answer.views
    assert isinstance(view.message, CaseUpdate)
    assert view.message.case.remarks
    assert [remark.said for remark in view.message.case.remarks] == [None]
    accepted = _outcome(await _one(desk, _of(number, accept(propose_date=date.max)), SYSTEM_OF[RECIPIENT], "accept"))
    assert accepted.case
    assert accepted.case.remarks
    assert [remark.said for remark in accepted.case.remarks] == [ReadText(**dict(message.text))]


async def test_a_part_that_was_split_off_comes_back_into_its_parents_reply() -> None:
    """Its number shows its parent, which waits for it, and is whole by itself once both have answered."""
    store = MemoryStore()
    store.known |= {number: authority(number) for number in (COLLEAGUE,)}
    desk = desk_of(store)
    number = await _sent(desk, questions=("genuine", "level"))
    await _one(desk, _of(number, accept(propose_date=date.max)), SYSTEM_OF[RECIPIENT], "accept")
    split = ACTIONS["split"](RECIPIENT).model_copy(update={"questions": ("level",), "wished_date": date.max})
    answer = await _one(desk, _of(number, split), SYSTEM_OF[RECIPIENT], "split")
    (opened,) = await _own(desk, answer)
    child = f"{number}.1"
    assert [view.reader for view in opened.views] == [RECIPIENT, COLLEAGUE]
    replied = await _one(desk, _of(number, reply()), SYSTEM_OF[RECIPIENT], "reply")
    assert _state(store, number) == ("accepted", RECIPIENT)
    assert _outcome(replied).status == "done"
    await _one(desk, _of(child, accept(COLLEAGUE, propose_date=date.max)), SYSTEM_OF[COLLEAGUE], "accept child")
    last = await _one(
        desk, _of(child, reply(COLLEAGUE, answers={"level": "high"})), SYSTEM_OF[COLLEAGUE], "reply child"
    )
    (moved,) = await _own(desk, last)
    assert _state(store, number) == ("replied", SENDER)
    whole = case_from(number, store.cases.history(number))
    assert whole
    assert whole.answers == {"genuine": "yes", "level": "high"}
    assert {view.reader for view in moved.views} == {SENDER, RECIPIENT}
    assert await _own(desk, last) == [Answer(None)], "told again, it changes nothing"


async def test_the_questions_of_a_part_that_is_refused_come_back() -> None:
    """The recipient has to answer them itself before the case is replied."""
    store = MemoryStore()
    store.area = Area(AREA.code, AREA.version, AREA.rules.model_copy(update={"workflow": _refusing()}))
    desk = desk_of(store)
    number = await _sent(desk, questions=("genuine", "level"))
    await _one(desk, _of(number, accept(propose_date=date.max)), SYSTEM_OF[RECIPIENT], "accept")
    split = ACTIONS["split"](RECIPIENT).model_copy(update={"questions": ("level",), "wished_date": date.max})
    await _own(desk, await _one(desk, _of(number, split), SYSTEM_OF[RECIPIENT], "split"))
    await _one(desk, _of(number, reply()), SYSTEM_OF[RECIPIENT], "reply")
    refuse = _of(f"{number}.1", ACTIONS["refuse"](COLLEAGUE))
    await _own(desk, await _one(desk, refuse, SYSTEM_OF[COLLEAGUE], "refuse"))
    assert _state(store, number) == ("accepted", RECIPIENT)
    wrong = _outcome(await _one(desk, _of(number, reply()), SYSTEM_OF[RECIPIENT], "reply again"))
    assert wrong.refused
    assert (wrong.refused.code, wrong.refused.field) == ("answer-missing", "answers.level")


async def test_a_case_of_an_authority_that_is_gone_goes_to_its_successor_else_to_its_coordinator() -> None:
    """All sides are told, it is to be accepted anew, and who is gone is no party any more."""
    for successor, heir in ((COLLEAGUE, COLLEAGUE), (None, HU)):
        store = MemoryStore()
        desk = desk_of(store)
        number = await _sent(desk)
        store.known[RECIPIENT] = replace(KNOWN[RECIPIENT], active=False, successor=successor)
        gone = own.AuthorityGone(case=number, authority=RECIPIENT, authority_version=2)
        answer = await _by_itself(desk, gone, "gone")
        assert {view.reader for view in answer.views} == {SENDER, heir, RECIPIENT}
        assert _state(store, number) == ("awaiting-acceptance", heir)


async def test_a_case_whose_party_is_active_stays_where_it_is() -> None:
    """A command that comes late, when the suspension has been lifted, changes nothing."""
    store = MemoryStore()
    desk = desk_of(store)
    number = await _sent(desk)
    gone = own.AuthorityGone(case=number, authority=RECIPIENT, authority_version=2)
    assert await _by_itself(desk, gone, "gone") == Answer(None)


async def test_a_date_that_has_moved_meanwhile_does_nothing() -> None:
    """A reminder of time names the date that it means: another one, or one to come, is not due."""
    store = MemoryStore()
    desk = desk_of(store)
    number = await _sent(desk)
    case = case_from(number, store.cases.history(number))
    assert case
    assert case.acceptance_due
    for due in (case.acceptance_due, case.acceptance_due - timedelta(days=30)):
        passed = own.TimePassed(case=number, kind="acceptance", due=due)
        assert await _by_itself(desk, passed, due.isoformat()) == Answer(None)


def _refusing() -> Any:
    return AREA.rules.workflow.model_copy(update={"refusal": True})


def _soon(**changes: Any) -> SendRequest:
    return request(wished_date=date.max, **changes)  # the desk has the real clock


async def _sent(desk: CaseDesk, **changes: Any) -> str:
    """Send a request; return its number."""
    case = _outcome(await _one(desk, _soon(**changes), SYSTEM_OF[SENDER], "first")).case
    assert case
    return case.id


def _of(number: str, body: Message) -> Message:
    return body.model_copy(update={"case": number})


def _outcome(answer: Answer) -> Outcome:
    assert answer.outcome
    assert isinstance(answer.outcome.message, Outcome)
    return answer.outcome.message


def _state(store: MemoryStore, number: str) -> tuple[str, str | None]:
    case = case_from(number, store.cases.history(number))
    assert case
    return case.state, case.turn


async def _one(desk: CaseDesk, body: Message, system: str, message_id: str) -> Answer:
    (answer,) = await desk([command(body, system, message_id)])
    assert isinstance(answer, Answer)
    return answer


async def _by_itself(desk: CaseDesk, body: Message, message_id: str) -> Answer:
    (answer,) = await desk([Command(OWN_SYSTEM, message_id, body, "")])
    assert isinstance(answer, Answer)
    return answer


async def _own(desk: CaseDesk, answer: Answer) -> list[Answer]:
    """Do what casework told itself to."""
    return [await _by_itself(desk, e.message, e.message_id) for e in answer.events if isinstance(e.message, own.OWN)]


async def test_before_acceptance_the_recipient_hears_of_no_file_and_afterwards_reads_it() -> None:
    """Only those who participate need to know (Regulation (EU) 1024/2012, Art. 9); nor does who observes it."""
    store = MemoryStore()
    store.known[RECIPIENT] = authority(RECIPIENT, access={AREA.code: Access(coordinator=HU, linked=(STRANGER,))})
    desk = desk_of(store)
    number = await _sent(desk)
    attached = await _one(desk, _of(number, ACTIONS["attach"](SENDER)), SYSTEM_OF[SENDER], "attach")
    assert attached.views == ()
    wrong = _outcome(await _one(desk, _of(number, reply()), SYSTEM_OF[RECIPIENT], "reply")).case
    assert wrong
    assert (wrong.event.code, wrong.files) == ("sent", None)
    mine = _outcome(attached).case
    assert mine
    assert mine.files
    (file,) = mine.files
    assert (file.name, file.media_type, file.by) == ("diploma.pdf", "application/pdf", SENDER)
    case = case_from(number, store.cases.history(number))
    assert case
    assert file_of(case, RECIPIENT, file.id) is None
    await _one(desk, _of(number, accept(propose_date=date.max)), SYSTEM_OF[RECIPIENT], "accept")
    case = case_from(number, store.cases.history(number))
    assert case
    read = file_of(case, RECIPIENT, file.id)
    assert read
    assert read.content == PDF
    assert file_of(case, STRANGER, file.id) is None


async def test_a_case_that_is_told_again_is_told_as_it_was_and_to_who_did_it_too() -> None:
    """Under the same ids, so that whoever has read it drops it; the dates come again, for the notifier."""
    store = MemoryStore()
    desk = desk_of(store)
    (sent,) = await desk([command(_soon(), SYSTEM_OF[SENDER])])
    assert isinstance(sent, Answer)
    asked = command(RepublishCases(since=datetime(2020, 1, 1, tzinfo=UTC)), OPERATOR)
    (told,) = await desk([asked])
    assert isinstance(told, Answer)
    ids = {view.message_id for view in told.views}
    assert {view.message_id for view in sent.views} < ids
    assert {view.to for view in told.views} == {SYSTEM_OF[SENDER], SYSTEM_OF[RECIPIENT]}
    assert [event.message_id for event in told.events if event.routing_key == "dates"] == [
        event.message_id for event in sent.events if event.routing_key == "dates"
    ]
    assert told.outcome
    outcome = told.outcome.message
    assert isinstance(outcome, Outcome)
    assert outcome.republished
    assert (outcome.republished.cases, outcome.republished.messages, outcome.next) == (1, 2, None)


async def test_what_has_not_changed_since_is_not_told_again_and_a_page_names_the_next() -> None:
    """Page by page, in the order of numbers."""
    store = MemoryStore()
    desk = desk_of(store)
    await desk([command(_soon(), SYSTEM_OF[SENDER])])
    for since, limit, cases, ends in ((datetime(2100, 1, 1, tzinfo=UTC), 1, 0, True), (NOW.at, 1, 1, False)):
        (told,) = await desk([command(RepublishCases(since=since, limit=limit), OPERATOR)])
        assert isinstance(told, Answer)
        assert told.outcome
        outcome = told.outcome.message
        assert isinstance(outcome, Outcome)
        assert outcome.republished
        assert (outcome.republished.cases, outcome.next is None) == (cases, ends)


def test_the_helpdesk_reads_who_did_what_when_and_by_which_message_and_no_word_of_it() -> None:
    """With its readers' systems, whose inboxes hold what was told."""
    history = [{"key": f"system/{place}", **entry} for place, entry in enumerate(history_until("accepted"))]
    case = case_from("TA7K-2M9Q-4BXD", history)
    assert case
    traced = traced_of(case, history, SYSTEM_OF, 7)
    assert [step.command for step in traced.steps] == [entry["key"] for entry in history]
    assert (traced.state, traced.epoch, traced.version) == ("accepted", 7, len(history))
    said = traced.model_dump_json()
    personal = [value for entry in history for value in entry.get("personal", {}).values()]
    assert personal
    assert not [value for value in personal if str(value) in said]
    assert {reader.authority: reader.system for reader in traced.readers} == SYSTEM_OF
