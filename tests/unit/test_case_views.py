"""What each reader sees of a case, and that nobody sees what is not for him."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.case import CaseView
from contracts.dates import Dates
from contracts.refusal import Refusal
from contracts.types import FreeText, ReadText
from services.casework.case import Case, Entry
from services.casework.deadlines import deadlines_of, end_of_day
from services.casework.history import case_from
from services.casework.views import view_of
from tests.unit.samples import (
    AREA,
    CASE,
    KNOWN,
    NOW,
    RECIPIENT,
    SENDER,
    accept,
    close,
    proceed,
    reply,
    request,
    send,
    text,
)

MARK = "personal-"
personal = st.text("abcdefghijklmnop äöüő", min_size=1, max_size=20).map(lambda words: text(MARK + words))
cases = st.fixed_dictionaries(
    {
        "steps": st.integers(1, 4),
        "holder": personal,
        "comment": st.none() | personal,
        "reply_comment": st.none() | personal,
        "born": st.dates(date(1900, 1, 1), date(2008, 12, 31)).map(str),
    }
)


def told(made: dict[str, Any]) -> list[Entry]:
    """A case's history with these personal data, so many steps long."""
    particulars = {"holder": made["holder"], "born": made["born"]}
    first = send(request(particulars=particulars, comment=made["comment"]), KNOWN[SENDER], KNOWN[RECIPIENT], AREA, NOW)
    assert not isinstance(first, Refusal)
    history = [first]
    no: dict[str, str | FreeText] = {"genuine": "no", "why-not": made["holder"]}
    for body in (accept(), reply(answers=no, comment=made["reply_comment"]), close())[: made["steps"] - 1]:
        entry = proceed(case_of(history), body, AREA.rules, NOW)
        assert not isinstance(entry, Refusal)
        history.append(entry)
    return history


def case_of(history: list[Entry]) -> Case:
    """The case that the history tells."""
    case = case_from(CASE, history)
    assert case
    return case


def view(made: dict[str, Any], reader: str) -> CaseView:
    """The case as the reader sees it."""
    history = told(made)
    return view_of(case_of(history), reader, history[-1], epoch=1)


@given(cases)
def test_before_acceptance_the_recipient_sees_no_personal_data_at_all(made: dict[str, Any]) -> None:
    """Neither particulars nor comment, nor anything of them anywhere in what is sent (Regulation 1024/2012, Art. 9)."""
    seen = view(made | {"steps": 1}, RECIPIENT)
    assert (seen.particulars, seen.comment) == (None, None)
    shown = seen.model_dump_json()
    assert MARK not in shown
    assert made["born"] not in shown


@given(cases)
def test_the_sender_always_sees_what_it_sent(made: dict[str, Any]) -> None:
    """From the first version to the last."""
    seen = view(made, SENDER)
    assert seen.particulars is not None
    assert {item.code: item.value for item in seen.particulars} == {"holder": made["holder"], "born": made["born"]}
    assert seen.comment == (ReadText(**dict(made["comment"])) if made["comment"] else None)


@given(cases)
def test_from_acceptance_on_both_sides_see_the_same(made: dict[str, Any]) -> None:
    """What the recipient needs to answer is no longer held back."""
    made["steps"] = max(made["steps"], 2)
    assert view(made, RECIPIENT) == view(made, SENDER)


@given(cases)
def test_dates_never_hold_personal_data(made: dict[str, Any]) -> None:
    """What the notifier is told is who has to do what until when, and nothing that anybody typed."""
    case = case_of(told(made))
    shown = Dates(
        case=case.id, version=case.version, area=case.area, at=NOW.at, deadlines=deadlines_of(case)
    ).model_dump_json()
    assert MARK not in shown
    assert made["born"] not in shown


@given(cases)
def test_views_hold_codes_and_no_texts(made: dict[str, Any]) -> None:
    """Words are filled in later, in the reader's language; before that every text is empty."""
    seen = view(made, SENDER)
    assert all(item.text is None and item.value_text is None for item in (*seen.questions, *(seen.particulars or ())))
    assert [label.text for label in (seen.state, seen.area, seen.sender.country, seen.event)] == [None] * 4


DEADLINES = [
    (1, "acceptance", "2026-03-17T22:59:59+00:00"),
    (2, "answer", "2026-04-01T21:59:59+00:00"),
    (3, None, None),
    (4, None, None),
]


@pytest.mark.parametrize(
    ("steps", "kind", "due"), DEADLINES, ids=["awaiting acceptance", "accepted", "replied", "closed"]
)
def test_only_what_is_still_to_be_done_has_a_date(steps: int, kind: str | None, due: str | None) -> None:
    """Acceptance within the area's period, the answer by the end of the agreed day there; both by the recipient."""
    made = {"steps": steps, "holder": text(), "comment": None, "reply_comment": None, "born": "1980-01-01"}
    found = [(one.kind, one.authority, one.due.isoformat()) for one in deadlines_of(case_of(told(made)))]
    assert found == ([(kind, RECIPIENT, due)] if kind else [])


ENDS = [
    ("IS", date(2026, 7, 1), "2026-07-01T23:59:59"),
    ("IE", date(2026, 1, 15), "2026-01-15T23:59:59"),
    ("IE", date(2026, 7, 1), "2026-07-01T22:59:59"),
    ("HU", date(2026, 1, 15), "2026-01-15T22:59:59"),
    ("HU", date(2026, 3, 28), "2026-03-28T22:59:59"),
    ("HU", date(2026, 3, 29), "2026-03-29T21:59:59"),
    ("HU", date(2026, 10, 25), "2026-10-25T22:59:59"),
    ("EL", date(2026, 1, 15), "2026-01-15T21:59:59"),
    ("EL", date(2026, 7, 1), "2026-07-01T20:59:59"),
]


@pytest.mark.parametrize(("state", "day", "ends"), ENDS, ids=[f"{state} {day}" for state, day, _ in ENDS])
def test_a_day_ends_when_it_ends_in_the_answering_state(state: str, day: date, ends: str) -> None:
    """Summer time runs from the last Sunday of March to the last of October (Directive 2000/84/EC, Art. 2 and 3)."""
    assert end_of_day(day, state) == datetime.fromisoformat(ends).replace(tzinfo=UTC)
