"""What may be done to a case: every state, every action, everybody who could try."""

import asyncio
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts.casework import AcceptRequest, CloseCase, Reply, SendRequest
from contracts.dates import Dates
from contracts.inbox import CaseUpdate, Outcome
from contracts.refusal import Refusal
from contracts.translation import AreaRules
from contracts.types import Message
from services.casework import handlers
from services.casework.case import Case, Entry, apply, case_from
from services.casework.handlers import CaseDesk
from services.casework.lifecycle import STEPS, Area, Authority, proceed, send
from services.casework.public_holidays import PublicHolidays
from services.casework.settings import Settings
from services.casework.store import Store
from services.chassis.delivery import Later
from services.chassis.desk import Answer
from services.chassis.histories import Change, Decision, Refuse
from tests.unit.memory import MemoryHistories
from tests.unit.samples import (
    AREA,
    CASE,
    KNOWN,
    NOW,
    RECIPIENT,
    SENDER,
    STRANGER,
    SYSTEM_OF,
    accept,
    authority,
    close,
    command,
    later,
    reply,
    request,
    rules,
)

STATES = ("awaiting-acceptance", "accepted", "replied", "closed")
ACTIONS = {"accept": accept, "reply": reply, "close": close}
WHO = {"sender": SENDER, "recipient": RECIPIENT, "stranger": STRANGER}

ALLOWED = {
    ("awaiting-acceptance", "accept", "recipient"): "accepted",
    ("accepted", "reply", "recipient"): "replied",
    ("replied", "close", "sender"): "closed",
}
"""The whole lifecycle. Every other cell of state, action and person is refused."""


class MemoryStore:
    """What casework keeps, in memory, with the rules always at hand."""

    def __init__(self) -> None:
        self.cases = MemoryHistories()
        self.suspended: set[str] = set()

    async def cut_off(self, systems: Iterable[str]) -> frozenset[str]:
        return frozenset(self.suspended.intersection(systems))

    async def authorities(self, ids: Iterable[str]) -> dict[str, Authority]:
        return {number: KNOWN[number] for number in ids if number in KNOWN}

    async def areas(self, codes: Iterable[str]) -> dict[str, Area]:
        return {code: AREA for code in codes if code == AREA.code}

    def rules_at_hand(self, area: str, version: int) -> AreaRules | None:
        return AREA.rules if (area, version) == (AREA.code, AREA.version) else None


def history_until(state: str) -> tuple[Entry, ...]:
    """The shortest history that leads to this state."""
    first = send(request(), KNOWN[SENDER], KNOWN[RECIPIENT], AREA, NOW)
    assert not isinstance(first, Refusal)
    history = [first]
    for body in (accept(), reply(), close())[: STATES.index(state)]:
        entry = proceed(case_of(history), body, AREA.rules, NOW)
        assert not isinstance(entry, Refusal)
        history.append(entry)
    return tuple(history)


def case_of(history: Iterable[Entry]) -> Case:
    """The case that the history tells."""
    case = case_from(CASE, history)
    assert case
    return case


def decide(history: tuple[Entry, ...], body: Message, system: str, **changes: Any) -> Decision:
    """What casework decides on a command."""
    known: Mapping[str, Authority] = changes.get("known", KNOWN)
    decider = handlers._decider(known, {AREA.code: AREA}, cast("Store", MemoryStore()), NOW, frozenset())
    return decider(history, command(body, system, age=changes.get("age", 10.0)))


def expected_refusal(state: str, action: str, who: str) -> str:
    """A stranger learns nothing; a party is told that it is too early or too late, or that it is not its turn."""
    if who == "stranger":
        return "unknown-case"
    in_time = any((state, action) == (s, a) for s, a, _ in ALLOWED)
    return "not-your-step" if in_time else "wrong-state"


CELLS = list(itertools.product(STATES, ACTIONS, WHO))


@pytest.mark.parametrize(("state", "action", "who"), CELLS, ids=[" / ".join(cell) for cell in CELLS])
def test_every_cell_of_state_action_and_person_is_allowed_or_refused_as_the_table_says(
    state: str, action: str, who: str
) -> None:
    """Three cells are allowed; each of the others has its code, and changes nothing."""
    number = WHO[who]
    history = history_until(state)
    decision = decide(history, ACTIONS[action](number), SYSTEM_OF[number])
    if leads_to := ALLOWED.get((state, action, who)):
        assert isinstance(decision, Change)
        assert case_of([*history, decision.entry]).state == leads_to
    else:
        assert isinstance(decision, Refuse)
        assert decision.refusal.code == expected_refusal(state, action, who)
        assert decision.in_document == (who != "stranger"), "only a party's refusal has a place in the case"


def test_the_table_of_steps_is_the_lifecycle() -> None:
    """The code's own table has the allowed cells and no other."""
    names = {AcceptRequest: "accept", Reply: "reply", CloseCase: "close"}
    steps = {(step.state, names[cast("Any", step.action)], step.by): step.leads_to for step in STEPS}
    assert steps == ALLOWED


@pytest.mark.parametrize(
    ("state", "turn"),
    [
        ("awaiting-acceptance", RECIPIENT),
        ("accepted", RECIPIENT),
        ("replied", SENDER),
        ("closed", None),
    ],
)
def test_the_turn_is_with_whoever_has_a_step_to_take(state: str, turn: str | None) -> None:
    """And with nobody once the case is closed."""
    assert case_of(history_until(state)).turn == turn


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
    decision = decide(history_until("awaiting-acceptance"), accept(), system, **changes)
    assert decision == Refuse(Refusal(code, "authority"))


@pytest.mark.parametrize(
    ("age", "kind"), [(0.0, Later), (1.9, Later), (2.0, Refuse)], ids=["at once", "before 2 s", "after 2 s"]
)
def test_a_refusal_that_rests_on_a_copy_waits_for_the_copy(age: float, kind: type) -> None:
    """The registry's event about a new authority may still be on its way: it is given two seconds."""
    assert isinstance(decide((), request(), SYSTEM_OF[SENDER], known={}, age=age), kind)


def test_a_refusal_that_rests_on_the_case_alone_does_not_wait() -> None:
    """However young the command."""
    decision = decide(history_until("closed"), accept(), SYSTEM_OF[RECIPIENT], age=0.0)
    assert decision == Refuse(Refusal("wrong-state"), in_document=True)


SENDING: list[tuple[str, dict[str, Any], dict[str, Any], Refusal | None]] = [
    ("all right", {}, {}, None),
    ("an area that is not published", {}, {"area": None}, Refusal("unknown-area", "area")),
    (
        "a sender without access",
        {},
        {"sender": authority(SENDER, areas=frozenset())},
        Refusal("no-access", "area"),
    ),
    ("no such recipient", {}, {"recipient": None}, Refusal("recipient-not-found", "recipient")),
    (
        "a recipient that is not active",
        {},
        {"recipient": authority(RECIPIENT, active=False)},
        Refusal("recipient-not-found", "recipient"),
    ),
    (
        "a recipient without access",
        {},
        {"recipient": authority(RECIPIENT, areas=frozenset({"services"}))},
        Refusal("recipient-not-found", "recipient"),
    ),
    (
        "a recipient of the same state",
        {},
        {"recipient": authority("DE-00000009")},
        Refusal("own-state", "recipient"),
    ),
    (
        "a recipient of the same state where the area allows it",
        {},
        {
            "recipient": authority("DE-00000009"),
            "area": Area("diplomas", 1, rules(workflow={"own_state_cases": True})),
        },
        None,
    ),
    ("a wish for yesterday", {"wished_date": later(-1)}, {}, Refusal("date-in-the-past", "wished_date")),
    ("a wish for today", {"wished_date": later(0)}, {}, None),
    ("a wish for the end of time", {"wished_date": date.max}, {}, None),
    ("an unknown question", {"questions": ("genuine", "no-such")}, {}, Refusal("unknown-question", "questions.1")),
    ("no particulars", {"particulars": {}}, {}, Refusal("particular-missing", "particulars.holder")),
]


@pytest.mark.parametrize(("changes", "data", "refusal"), [s[1:] for s in SENDING], ids=[s[0] for s in SENDING])
def test_a_request_is_sent_or_refused_with_the_field_that_is_wrong(
    changes: dict[str, Any], data: dict[str, Any], refusal: Refusal | None
) -> None:
    """Whom, what, about whom, until when: the first fault is named."""
    sides: dict[str, Any] = {"sender": KNOWN[SENDER], "recipient": KNOWN[RECIPIENT], "area": AREA} | data
    entry = send(request(**changes), now=NOW, **sides)
    assert entry == refusal if refusal else isinstance(entry, Mapping)


def test_a_case_keeps_the_version_of_the_area_with_which_it_began() -> None:
    """And the names that its sides had."""
    case = case_of(history_until("awaiting-acceptance"))
    assert (case.area, case.area_version) == (AREA.code, AREA.version)
    assert case.sender == KNOWN[SENDER].side


DATES: list[tuple[str, date, date | None, int, date | Refusal]] = [
    ("the wish stands", later(20), None, 0, later(20)),
    ("another day is proposed", later(20), later(30), 0, later(30)),
    ("an earlier day is proposed", later(20), later(5), 0, later(5)),
    ("today is proposed", later(20), later(0), 0, later(0)),
    ("yesterday is proposed", later(20), later(-1), 0, Refusal("date-in-the-past", "propose_date")),
    ("the wish has passed: today", later(2), None, 10, later(10)),
    ("the wish has passed, a day is proposed", later(2), later(12), 10, later(12)),
]


@pytest.mark.parametrize(("wished", "proposed", "days", "agreed"), [d[1:] for d in DATES], ids=[d[0] for d in DATES])
def test_the_agreed_date_is_the_proposal_else_the_wish_and_never_in_the_past(
    wished: date, proposed: date | None, days: int, agreed: date | Refusal
) -> None:
    """An answer is due by the last second of the agreed day, as the recipient's clocks show it (Hungary's here)."""
    first = send(request(wished_date=wished), KNOWN[SENDER], KNOWN[RECIPIENT], AREA, NOW)
    assert not isinstance(first, Refusal)
    now = replace(NOW, at=NOW.at + timedelta(days=days))
    entry = proceed(case_of([first]), accept(propose_date=proposed), AREA.rules, now)
    if isinstance(agreed, Refusal):
        assert entry == agreed
        return
    assert not isinstance(entry, Refusal)
    case = case_of([first, entry])
    assert case.agreed_date == agreed
    assert case.answer_due
    assert case.answer_due.utcoffset() == timedelta(0)
    assert case.answer_due.astimezone(ZoneInfo("Europe/Budapest")).replace(tzinfo=None) == datetime.combine(
        agreed, time(23, 59, 59)
    )


@pytest.mark.parametrize("state", STATES)
def test_a_command_that_saw_another_version_is_refused_before_anything_else(state: str) -> None:
    """Whatever the state and whoever it is: what the user decided on is no longer there."""
    case = case_of(history_until(state))
    for body in (accept(version=99), reply(version=99), close(version=99), close(RECIPIENT, version=99)):
        assert proceed(case, body, AREA.rules, NOW) == Refusal("version-passed", "version")


bodies = st.one_of(
    st.builds(accept, st.sampled_from(list(WHO.values())), propose_date=st.none() | st.just(later(3))),
    st.builds(reply, st.sampled_from(list(WHO.values())), answers=st.sampled_from([{"genuine": "yes"}, {}])),
    st.builds(close, st.sampled_from(list(WHO.values())), version=st.none() | st.integers(1, 5)),
)
attempts = st.lists(st.tuples(bodies, st.sampled_from(list(SYSTEM_OF.values()))), max_size=12)


@given(attempts)
def test_whatever_anybody_tries_a_case_stays_legal_and_only_the_entitled_change_it(
    tries: list[tuple[AcceptRequest | Reply | CloseCase, str]],
) -> None:
    """After each command the state is legal, its history tells the same, and the version went up by at most one."""
    history = history_until("awaiting-acceptance")
    case = case_of(history)
    for body, system in tries:
        decision = decide(history, body, system)
        if not isinstance(decision, Change):
            continue
        before, case, history = case, apply(case, decision.entry), (*history, decision.entry)
        step = next(step for step in STEPS if step.state == before.state)
        assert isinstance(body, step.action)
        assert system == SYSTEM_OF[body.authority], "a system speaks for its own authority alone"
        assert body.authority == getattr(before, step.by).authority, "whose turn it was"
        assert (case.state, case.version) == (step.leads_to, before.version + 1)
        assert case == case_of(history), "step by step it is what its history tells"


@given(
    st.lists(st.tuples(st.sampled_from(["send", "accept", "reply", "close"]), st.sampled_from(list(WHO))), max_size=8)
)
def test_every_command_has_one_outcome_and_every_change_is_told_to_the_other_side(tries: list[tuple[str, str]]) -> None:
    """The case goes to the other side, the dates to whoever reminds; a refusal to nobody but who asked."""
    asyncio.run(_told(tries))


async def _told(tries: list[tuple[str, str]]) -> None:
    settings = Settings(amqp_url=SecretStr("amqp://x"), mongo_url=SecretStr("mongodb://x"), mongo_database="x")
    store = MemoryStore()
    desk = CaseDesk(cast("Store", store), settings, PublicHolidays())
    sent = await _one(desk, _soon(), SYSTEM_OF[SENDER], "first")
    assert isinstance(sent.outcome.message, Outcome)
    assert sent.outcome.message.case
    number = sent.outcome.message.case.id
    for position, (action, who) in enumerate(tries):
        acting, system = WHO[who], SYSTEM_OF[WHO[who]]
        body = _soon() if action == "send" else ACTIONS[action](acting, case=number)
        before = sum(map(len, store.cases.documents.values()))
        answer = await _one(desk, body, system, str(position))
        changed = sum(map(len, store.cases.documents.values())) - before
        _check(answer, system, changed)


async def test_nothing_is_done_for_a_system_that_was_cut_off_meanwhile() -> None:
    """What it had sent before is refused; the authority may act again through another system."""
    settings = Settings(amqp_url=SecretStr("amqp://x"), mongo_url=SecretStr("mongodb://x"), mongo_database="x")
    store = MemoryStore()
    desk = CaseDesk(cast("Store", store), settings, PublicHolidays())
    store.suspended.add(SYSTEM_OF[SENDER])
    answer = await _one(desk, _soon(), SYSTEM_OF[SENDER], "first")
    assert isinstance(answer.outcome.message, Outcome)
    assert answer.outcome.message.refused
    assert answer.outcome.message.refused.code == "system-suspended"
    assert store.cases.documents == {}


def _soon() -> SendRequest:
    return request(wished_date=date.max)  # the desk has the real clock


async def _one(desk: CaseDesk, body: Message, system: str, message_id: str) -> Answer:
    (answer,) = await desk([command(body, system, message_id)])
    assert isinstance(answer, Answer)
    return answer


def _check(answer: Answer, system: str, changed: int) -> None:
    outcome = answer.outcome.message
    assert isinstance(outcome, Outcome)
    assert answer.outcome.to == system
    assert changed == (1 if outcome.status == "done" else 0)
    assert len(answer.views) == len(answer.events) == changed
    for view in answer.views:
        assert isinstance(view.message, CaseUpdate)
        assert view.to == SYSTEM_OF[view.message.reader] != system
    for event in answer.events:
        assert isinstance(event.message, Dates)
