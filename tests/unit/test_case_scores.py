"""The scoreboard is right to the case, in whatever order cases are counted, and its colours are IMI's."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.casework.case import Case
from services.casework.history import case_from
from services.casework.scores import FIGURES, facts_of, grade_of, groups_of, merged, score_of
from services.chassis.counting import moved_from
from tests.unit.samples import NOW, history_until

GRADES = [
    ("accepted_in_time", 100, "green"),
    ("accepted_in_time", 80, "green"),
    ("accepted_in_time", 79.9, "yellow"),
    ("accepted_in_time", 60, "yellow"),
    ("accepted_in_time", 59.9, "red"),
    ("days_to_answer", 15.9, "green"),
    ("days_to_answer", 16, "yellow"),
    ("days_to_answer", 25, "yellow"),
    ("days_to_answer", 25.1, "red"),
    ("answered_in_time", 80, "green"),
    ("answered_in_time", 59, "red"),
    ("poor_timeliness", 4.9, "green"),
    ("poor_timeliness", 5, "yellow"),
    ("poor_timeliness", 14.9, "yellow"),
    ("poor_timeliness", 15, "red"),
    ("poor_effort", 0, "green"),
    ("poor_effort", 15, "red"),
]


@pytest.mark.parametrize(("name", "value", "grade"), GRADES, ids=[f"{n} {v}" for n, v, _ in GRADES])
def test_an_indicator_has_the_colour_of_the_scoreboard(name: str, value: float, grade: str) -> None:
    """At every limit, on either side."""
    assert grade_of(name, value) == grade


def figures(**changes: int) -> dict[str, int]:
    """The figures of a hundred requests, all answered well, but for the changes."""
    best = dict.fromkeys(FIGURES, 100) | {"answer_seconds": 100 * 86_400, "poor_timeliness": 0, "poor_effort": 0}
    return best | changes


OVERALL = [
    ("all green", {}, "good"),
    ("three green, two yellow", {"poor_timeliness": 6, "poor_effort": 6}, "good"),
    ("one point", {"poor_timeliness": 20, "poor_effort": 20}, "medium"),
    ("minus one", {"poor_timeliness": 20, "poor_effort": 20, "accepted_in_time": 10}, "medium"),
    (
        "all red but one",
        {"poor_timeliness": 20, "poor_effort": 20, "accepted_in_time": 1, "answered_in_time": 1},
        "poor",
    ),
    ("nobody rated", {"rated": 0}, None),
]


@pytest.mark.parametrize(("changes", "overall"), [o[1:] for o in OVERALL], ids=[o[0] for o in OVERALL])
def test_the_points_of_the_five_add_up(changes: dict[str, int], overall: str | None) -> None:
    """From 2 good, from -2 poor; without all five there is no overall word."""
    assert score_of("HU", None, figures(**changes)).overall == overall


def test_no_cases_no_indicator() -> None:
    """A share of nothing is not shown as nought."""
    score = score_of("HU", "diplomas", dict.fromkeys(FIGURES, 0))
    assert (score.accepted_in_time, score.days_to_answer, score.overall) == (None, None, None)


def told(state: str, **changes: Any) -> Case:
    """A case in this state, as casework tells it, with other moments."""
    case = case_from("x", history_until(state))
    assert case
    return Case(**{**{name: getattr(case, name) for name in case.__dataclass_fields__}, **changes})


@pytest.mark.parametrize(
    ("days", "accepted", "week"), [(0, 1, 1), (7, 1, 1), (8, 0, 0)], ids=["at once", "in 7 days", "in 8 days"]
)
def test_what_a_case_counts_for(days: int, accepted: int, week: int) -> None:
    """Acceptance within seven days of arrival, an answer by the agreed date and within a week, by whoever has it."""
    later = NOW.at + timedelta(days=days)
    case = told("closed", arrived_at=NOW.at, accepted_at=later, replied_at=later, first_agreed=date(2026, 3, 20))
    facts = facts_of(case)
    assert facts
    assert (facts["country"], facts["area"], facts["month"]) == ("HU", "diplomas", "2026-03")
    assert facts["figures"]["accepted_in_time"] == accepted
    assert facts["figures"]["answered_within_a_week"] == week
    assert facts["figures"]["answered_in_time"] == 1
    assert facts["figures"]["answer_seconds"] == days * 86_400


@pytest.mark.parametrize("state", ["draft", "awaiting-approval", "withdrawn", "refused"])
def test_what_nobody_has_to_answer_counts_for_nobody(state: str) -> None:
    """A draft has not arrived; a request that was taken back, or refused as the area allows, is no answer owed."""
    assert facts_of(told(state)) is None


groups = st.tuples(st.sampled_from(["HU", "PL"]), st.sampled_from(["a", "b"]), st.sampled_from(["2026-01", "2026-02"]))
facts = st.none() | st.builds(
    lambda group, figures: {"country": group[0], "area": group[1], "month": group[2], "figures": figures},
    groups,
    st.dictionaries(st.sampled_from(FIGURES), st.integers(0, 5), min_size=1),
)


@given(st.lists(st.tuples(st.integers(0, 5), facts), max_size=30))
def test_counting_what_moved_is_the_same_as_counting_all(moves: list[tuple[int, Any]]) -> None:
    """Whatever cases do, the counters are what a plain count of where they now are would give."""
    counters, counted = Counter[tuple[Any, ...]](), dict[int, Any]()
    for case, now in moves:
        for group, figures in moved_from(groups_of(now), groups_of(counted.get(case))).items():
            counters.update({(*group, name): value for name, value in figures.items()})
        counted[case] = now
    plain = Counter[tuple[Any, ...]]()
    for one in filter(None, counted.values()):
        for name, value in one["figures"].items():
            plain[one["country"], one["area"], one["month"], name] += value
    assert {key: value for key, value in counters.items() if value} == {key: v for key, v in plain.items() if v}


def test_a_state_is_the_sum_of_its_areas_and_months() -> None:
    """Beside each area's own line."""
    made = [
        {"country": "HU", "area": area, "figures": {"requests": count}}
        for area, count in (("a", 2), ("a", 3), ("b", 4))
    ]
    sums = {key: figures["requests"] for key, figures in merged(made).items()}
    assert sums == {("HU", "a"): 5, ("HU", "b"): 4, ("HU", None): 9}
