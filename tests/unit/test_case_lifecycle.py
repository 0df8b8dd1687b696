"""What may be done to a case: every state, every action, everybody who could try."""

import itertools
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import casework as do
from contracts.refusal import Refusal
from contracts.types import Amount, Role, Span, User
from services.casework.knowledge import Access, Area
from services.casework.lifecycle import STEPS, decide
from tests.unit.samples import (
    ACTIONS,
    ALLOCATOR,
    AREA,
    CASE,
    COLLEAGUE,
    DE,
    HANDLER,
    HU,
    KNOWN,
    NOW,
    PATHS,
    RECIPIENT,
    SENDER,
    STRANGER,
    Known,
    accept,
    authority,
    case_in,
    case_of,
    close,
    history_until,
    item,
    known_in,
    later,
    proceed,
    reply,
    request,
    rules,
    send,
    text,
)

WHO = {"sender": SENDER, "recipient": RECIPIENT, "sender's coordinator": DE, "recipient's coordinator": HU}
SIDES = ("sender", "recipient")
COORDINATORS = ("sender's coordinator", "recipient's coordinator")
SENT = ("awaiting-acceptance", "accepted", "replied", "clarification-requested", "referred")

ALLOWED: dict[tuple[str, str, str], str] = {
    ("draft", "save-draft", "sender"): "draft",
    ("draft", "discard", "sender"): "discarded",
    ("draft", "send-draft", "sender"): "awaiting-approval",
    ("draft", "attach", "sender"): "draft",
    ("awaiting-approval", "approve", "sender's coordinator"): "awaiting-acceptance",
    ("awaiting-approval", "return", "sender's coordinator"): "draft",
    ("awaiting-approval", "withdraw", "sender"): "withdrawn",
    ("awaiting-acceptance", "modify", "sender"): "awaiting-acceptance",
    ("awaiting-acceptance", "withdraw", "sender"): "withdrawn",
    ("awaiting-acceptance", "assign", "recipient"): "awaiting-acceptance",
    ("awaiting-acceptance", "accept", "recipient"): "accepted",
    ("awaiting-acceptance", "refuse", "recipient"): "refused",
    ("awaiting-acceptance", "forward", "recipient"): "awaiting-acceptance",
    ("accepted", "assign", "recipient"): "accepted",
    ("accepted", "forward", "recipient"): "awaiting-acceptance",
    ("accepted", "split", "recipient"): "accepted",
    ("accepted", "save-answers", "recipient"): "accepted",
    ("accepted", "reply", "recipient"): "replied",
    ("replied", "ask", "sender"): "clarification-requested",
    ("replied", "refer", "sender"): "referred",
    ("replied", "close", "sender"): "closed",
    ("clarification-requested", "assign", "recipient"): "clarification-requested",
    ("clarification-requested", "save-answers", "recipient"): "clarification-requested",
    ("clarification-requested", "clarify", "recipient"): "replied",
    ("clarification-requested", "refer", "sender"): "referred",
    ("referred", "comment", "sender's coordinator"): "referred",
    ("referred", "comment", "recipient's coordinator"): "referred",
    ("referred", "decide-closed", "sender's coordinator"): "closed",
    ("referred", "decide-replied", "sender's coordinator"): "replied",
    **{(state, action, who): state for state in SENT for action in ("message", "attach") for who in SIDES},
    **{("referred", "message", who): "referred" for who in COORDINATORS},
    **{
        (state, action, who): state
        for state in (*SENT, "closed", "withdrawn", "refused")
        for action in ("ask-erasure", "ask-correction")
        for who in SIDES
    },
}
"""The whole lifecycle, where nothing has been asked, blocked or split yet. Every other cell is refused."""

REFUSED: dict[tuple[str, str, str], str] = {
    **{("referred", f"decide-{ends}", COORDINATORS[1]): "other-side-not-heard" for ends in ("closed", "replied")},
    **{(state, "unblock", who): "not-blocked" for state in ("closed", "withdrawn", "refused") for who in SIDES},
    **{
        (state, "consent", who): "nothing-to-consent"
        for state in (*SENT, "closed", "withdrawn", "refused")
        for who in SIDES
    },
}
"""Refusals for another reason than the state or the person."""

CELLS = list(itertools.product(PATHS, ACTIONS, WHO))


def expected_refusal(state: str, action: str, who: str) -> str:
    """A party is told that it is too early or too late, or that it is somebody else's step."""
    if found := REFUSED.get((state, action, who)):
        return found
    in_time = any((state, action) == cell[:2] for cell in (*ALLOWED, *REFUSED))
    return "not-your-step" if in_time else "wrong-state"


@pytest.mark.parametrize(("state", "action", "who"), CELLS, ids=[" / ".join(cell) for cell in CELLS])
def test_every_cell_of_state_action_and_person_is_allowed_or_refused_as_the_table_says(
    state: str, action: str, who: str
) -> None:
    """What is not listed here as allowed is refused, with a code that says whether the time or the person is wrong."""
    history = history_until(state)
    entry = decide(case_of(history), ACTIONS[action](WHO[who]), known_in(state), NOW)
    if leads_to := ALLOWED.get((state, action, who)):
        assert not isinstance(entry, Refusal), entry
        assert case_of([*history, entry]).state == leads_to
    else:
        assert isinstance(entry, Refusal)
        assert entry.code == expected_refusal(state, action, who)


def test_every_row_of_the_table_by_a_person_is_covered_by_a_cell() -> None:
    """No row without a test: each is the reason why a cell here is allowed, or stands on its own below."""
    covered = {(type(ACTIONS[action](SENDER)), state) for state, action, _ in (*ALLOWED, *REFUSED)}
    alone = {(do.SaveDraft, "nothing"), (do.SendRequest, "nothing")}
    rows = {(step.action, state) for step in STEPS if step.by != "exchange" for state in step.of}
    assert rows - covered - alone == set()


TURNS = {
    "draft": SENDER,
    "awaiting-approval": DE,
    "awaiting-acceptance": RECIPIENT,
    "accepted": RECIPIENT,
    "replied": SENDER,
    "clarification-requested": RECIPIENT,
    "referred": DE,
    "closed": None,
    "withdrawn": None,
    "refused": None,
}


@pytest.mark.parametrize(("state", "turn"), TURNS.items())
def test_the_turn_is_with_whoever_has_a_step_to_take(state: str, turn: str | None) -> None:
    """In a referral with the coordinator who has not spoken last; with nobody once the case has ended."""
    assert case_in(state).turn == turn


ROLES: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("awaiting-acceptance", "accept", RECIPIENT, ("request-handler",)),
    ("awaiting-acceptance", "assign", RECIPIENT, ("allocator",)),
    ("referred", "comment", DE, ("referral-handler",)),
    ("accepted", "message", SENDER, ("request-handler", "allocator", "referral-handler")),
]


@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize(("state", "action", "by", "roles"), ROLES, ids=[row[1] for row in ROLES])
def test_a_user_needs_the_role_that_the_step_asks_for(
    state: str, action: str, by: str, roles: tuple[str, ...], role: Any
) -> None:
    """A handler handles, an allocator assigns, a referral handler disputes; whoever only reads does none of it."""
    body = ACTIONS[action](by).model_copy(update={"user": User(id="somebody", role=role)})
    entry = decide(case_in(state), body, known_in(state), NOW)
    assert (entry == Refusal("wrong-role", "user.role")) == (role not in roles)


def test_once_a_case_is_assigned_only_those_named_handle_it() -> None:
    """Until it is assigned to nobody, which is to all; the sender has no say in it."""
    case, other = case_in("awaiting-acceptance"), User(id="other", role="request-handler")
    assign = do.AssignHandlers(authority=RECIPIENT, case=case.id, users=("handler",), user=ALLOCATOR)
    assigned = _after(case, assign)
    by_other = accept().model_copy(update={"user": other})
    assert proceed(assigned, by_other, AREA.rules, NOW) == Refusal("not-assigned", "user.id")
    assert not isinstance(proceed(assigned, accept(), AREA.rules, NOW), Refusal)
    free = _after(assigned, assign.model_copy(update={"users": ()}))
    assert not isinstance(proceed(free, by_other, AREA.rules, NOW), Refusal)


def _after(case: Any, body: Any, known: Known | None = None) -> Any:
    """The case after one more command."""
    from services.casework.history import apply  # noqa: PLC0415 - of use here alone

    entry = decide(case, body, known or Known(), NOW)
    assert not isinstance(entry, Refusal), entry
    return apply(case, entry)


SENDING: list[tuple[str, dict[str, Any], dict[str, Any], Refusal | None]] = [
    ("all right", {}, {}, None),
    ("an area that is not published", {}, {"area": None}, Refusal("unknown-area", "area")),
    ("a sender without access", {}, {"sender": authority(SENDER, access={})}, Refusal("no-access", "area")),
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
        {"recipient": authority(RECIPIENT, access={"services": Access()})},
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
    (
        "a recipient without any of the area's competences",
        {},
        {
            "sender": authority(SENDER, access={"diplomas": Access(competences=frozenset({"dentist"}))}),
            "area": Area("diplomas", 1, rules(participants={"competences": ["dentist", "doctor"]})),
        },
        Refusal("recipient-not-found", "recipient"),
    ),
    (
        "a sender without any of the area's competences",
        {},
        {"area": Area("diplomas", 1, rules(participants={"competences": ["dentist", "doctor"]}))},
        Refusal("no-access", "area"),
    ),
    ("itself", {}, {"recipient": KNOWN[SENDER]}, Refusal("recipient-not-found", "recipient")),
    ("a date in the past", {"wished_date": later(-1)}, {}, Refusal("date-in-the-past", "wished_date")),
    ("today", {"wished_date": later(0)}, {}, None),
    ("a question that the area lacks", {"questions": ("x",)}, {}, Refusal("unknown-question", "questions.0")),
    ("a particular that is missing", {"particulars": {}}, {}, Refusal("particular-missing", "particulars.holder")),
]


@pytest.mark.parametrize(("changes", "around", "refusal"), [s[1:] for s in SENDING], ids=[s[0] for s in SENDING])
def test_a_request_goes_only_where_it_may_go(
    changes: dict[str, Any], around: dict[str, Any], refusal: Refusal | None
) -> None:
    """To an active authority of another state with access to the area, with questions that the area has."""
    known: dict[str, Any] = {"sender": KNOWN[SENDER], "recipient": KNOWN[RECIPIENT], "area": AREA, **around}
    entry = send(request(**changes), known["sender"], known["recipient"], known["area"], NOW)
    if refusal:
        assert entry == refusal
    else:
        assert not isinstance(entry, Refusal)


DATES: list[tuple[str, date, date | None, int, date | Refusal]] = [
    ("the wish", later(20), None, 0, later(20)),
    ("the proposal", later(20), later(30), 0, later(30)),
    ("an earlier proposal", later(20), later(3), 0, later(3)),
    ("a wish that has passed", later(2), None, 5, later(5)),
    ("a proposal in the past", later(20), later(4), 5, Refusal("date-in-the-past", "propose_date")),
    ("a proposal for today", later(20), later(5), 5, later(5)),
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


@pytest.mark.parametrize("state", PATHS)
def test_a_command_that_saw_another_version_is_refused_before_anything_else(state: str) -> None:
    """Whatever the state and whoever it is: what the user decided on is no longer there."""
    for body in (accept(version=99), reply(version=99), close(version=99), close(RECIPIENT, version=99)):
        assert decide(case_in(state), body, known_in(state), NOW) == Refusal("version-passed", "version")


def test_a_draft_may_lack_what_sending_needs_and_nothing_that_it_has_may_be_wrong() -> None:
    """Two-level validation: saved without a recipient or a date, not with a question that the area lacks."""
    empty = do.SaveDraft(authority=SENDER, area=AREA.code, user=HANDLER)
    draft = case_of([decide(None, empty, Known(), NOW)])  # type: ignore[list-item]
    assert (draft.state, draft.turn, draft.parties) == ("draft", SENDER, (SENDER,))
    sent = do.SendDraft(authority=SENDER, case=draft.id, user=HANDLER)
    assert proceed(draft, sent, AREA.rules, NOW) == Refusal("recipient-not-found", "recipient")
    wrong = empty.model_copy(update={"questions": ("x",)})
    assert decide(None, wrong, Known(), NOW) == Refusal("unknown-question", "questions.0")
    said = request().model_copy(update={"comment": None})
    rest = {name: getattr(said, name) for name in ("questions", "particulars", "wished_date", "recipient")}
    filled = _after(draft, empty.model_copy(update={**rest, "case": draft.id}))
    assert _after(filled, sent).state == "awaiting-acceptance"


def test_a_recipient_hears_of_a_request_only_once_it_is_sent() -> None:
    """While it is a draft, or a coordinator has not approved it, it is no party."""
    assert RECIPIENT not in case_in("draft").parties
    assert case_in("awaiting-approval").parties == (SENDER, DE)
    assert RECIPIENT in case_in("awaiting-acceptance").parties


def test_a_forwarded_request_begins_anew_with_its_new_recipient() -> None:
    """It is to accept, with a period of its own; what the other had kept is gone, and the number is the same."""
    saved = _after(case_in("accepted"), ACTIONS["save-answers"](RECIPIENT))
    forwarded = _after(saved, ACTIONS["forward"](RECIPIENT))
    assert (forwarded.state, forwarded.turn, forwarded.id) == ("awaiting-acceptance", COLLEAGUE, saved.id)
    assert (forwarded.kept_answers, forwarded.agreed_date, forwarded.answer_due) == ({}, None, None)
    assert not forwarded.is_party(RECIPIENT)


FORWARDS = [
    ("to nobody", "HU-99999999", Refusal("recipient-not-found", "to")),
    ("back to the sender", SENDER, Refusal("recipient-not-found", "to")),
    ("to itself", RECIPIENT, Refusal("recipient-not-found", "to")),
    ("to the sender's state", DE, Refusal("own-state", "to")),
    ("to its coordinator", HU, None),
    ("to a third state", STRANGER, None),
]


@pytest.mark.parametrize(("to", "refusal"), [f[1:] for f in FORWARDS], ids=[f[0] for f in FORWARDS])
def test_a_request_is_forwarded_only_to_whom_it_could_have_been_sent(to: str, refusal: Refusal | None) -> None:
    """Or to one's own coordinator, whether that has access to the area or not."""
    known = Known()
    known.authorities[HU] = authority(HU, access={})
    body = do.ForwardRequest(authority=RECIPIENT, case=case_in("accepted").id, to=to, user=HANDLER)
    entry = decide(case_in("accepted"), body, known, NOW)
    assert entry == refusal if refusal else not isinstance(entry, Refusal)


def test_a_coordinator_decides_once_the_other_has_been_heard() -> None:
    """Either may; one who stands behind both sides has only itself to hear."""
    referred = case_in("referred")  # Hungary's has spoken
    assert _after(referred, ACTIONS["decide-replied"](DE)).state == "replied"
    both = replace(referred, coordinators=(DE, DE), heard=frozenset())
    assert _after(both, ACTIONS["decide-closed"](DE)).state == "closed"


def test_what_is_said_again_in_a_clarification_takes_the_place_of_the_answer() -> None:
    """And must fit together with the answers that stay."""
    case = case_in("clarification-requested")
    body = do.Clarify(authority=RECIPIENT, case=case.id, text=text(), answers={"genuine": "no"}, user=HANDLER)
    assert proceed(case, body, AREA.rules, NOW) == Refusal("answer-missing", "answers.why-not")
    both = body.model_copy(update={"answers": {"genuine": "no", "why-not": text("forged")}})
    assert _after(case, both).answers["genuine"] == "no"


def test_answers_kept_earlier_count_in_the_reply_and_newer_ones_go_before_them() -> None:
    """A reply says only what is not kept yet."""
    saved = _after(case_in("accepted"), ACTIONS["save-answers"](RECIPIENT))
    assert _after(saved, reply(answers={})).answers == {"genuine": "yes"}
    unknown = _after(saved, reply(answers={"genuine": "unknown"}))
    assert unknown.answers == {"genuine": "unknown"}


@given(st.sampled_from(list(PATHS)), st.sampled_from(list(ACTIONS)))
def test_a_stranger_is_no_party_in_any_state(state: str, action: str) -> None:
    """Whatever it tries: the desk tells it that there is no such case, and the table has no row for it."""
    case = case_in(state)
    assert not case.is_party(STRANGER)
    entry = decide(case, ACTIONS[action](STRANGER), known_in(state), NOW)
    assert isinstance(entry, Refusal)


@pytest.mark.parametrize(("size", "version"), [(10_000_000, 5), (0, 5_000)], ids=["bytes", "steps"])
def test_a_case_that_holds_as_much_as_it_can_is_only_brought_to_an_end(size: int, version: int) -> None:
    """The database takes no larger document: further messages are refused, closing and withdrawing are not."""
    full = replace(case_in("replied"), size=size, version=version)
    assert proceed(full, ACTIONS["message"](SENDER), AREA.rules, NOW) == Refusal("case-full")
    assert not isinstance(proceed(full, close(), AREA.rules, NOW), Refusal)


FILES = [
    ("all right", {}, None),
    ("nothing in it", {"content": "=="}, Refusal("file-unfit", "content")),
    ("no base64", {"content": "%PDF-"}, Refusal("file-unfit", "content")),
    ("a picture that says it is a document", {"media_type": "image/png"}, Refusal("file-unfit", "content")),
    ("plain text begins with anything", {"media_type": "text/plain"}, None),
]


@pytest.mark.parametrize(("changes", "refusal"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_file_is_what_its_type_says(changes: dict[str, Any], refusal: Refusal | None) -> None:
    """As far as its first bytes tell; what a reader opens must not be something else."""
    body = ACTIONS["attach"](SENDER).model_copy(update=changes)
    entry = proceed(case_in("accepted"), body, AREA.rules, NOW)
    assert entry == refusal if refusal else not isinstance(entry, Refusal)


def test_the_same_file_is_kept_once_and_no_more_than_twenty() -> None:
    """A case is no archive."""
    once = _after(case_in("accepted"), ACTIONS["attach"](SENDER))
    assert proceed(once, ACTIONS["attach"](RECIPIENT), AREA.rules, NOW) == Refusal("too-many-files", "content")
    many = replace(once, files=once.files * 20)
    other = ACTIONS["attach"](SENDER).model_copy(update={"content": "JVBERi0x"})
    assert proceed(many, other, AREA.rules, NOW) == Refusal("too-many-files", "content")


def test_amounts_and_periods_are_kept_as_they_came_in() -> None:
    """Stored as plain JSON, and checked again as what they are when the reply is whole."""
    paid, spent = Amount(amount="12.50", currency="EUR"), Span(begin="2026-01-01", end="2026-02-01")
    asked = (item("paid", "amount"), item("spent", "period"), item("activity", "code-list", list="nace"))
    made = rules(questions=asked)
    known = Known(in_force=Area(AREA.code, AREA.version, made))
    first = decide(None, request(questions=("paid", "spent", "activity")), known, NOW)
    assert not isinstance(first, Refusal)
    accepted = _after(case_of([first]), accept(), known)
    saved = _after(
        accepted,
        do.SaveAnswers(authority=RECIPIENT, case=CASE, answers={"paid": paid, "spent": spent}, user=HANDLER),
        known,
    )
    replied = _after(saved, reply(answers={"activity": "86.23"}), known)
    kept = {"amount": "12.50", "currency": "EUR"}, {"begin": "2026-01-01", "end": "2026-02-01"}
    assert (replied.answers["paid"], replied.answers["spent"], replied.answers["activity"]) == (*kept, "86.23")
