"""Counters take in what a document counts for now, and give back what it counted for before."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.casework.counting import moved, standing_of
from services.chassis.counting import additions, moved_from

Counts = dict[tuple[str, ...], dict[str, int]]
GROUPS = st.sampled_from([("a", "draft"), ("a", "closed"), ("b", "draft")])
COUNTED = st.dictionaries(GROUPS, st.dictionaries(st.sampled_from(["open", "overdue"]), st.integers(0, 3)))


@given(COUNTED, COUNTED)
def test_what_moves_leaves_nothing_behind(before: Counts, after: Counts) -> None:
    """What is added to counters that hold `before` makes them hold `after`; what stays is not written at all."""
    sums = {(group, name): value for group, figures in before.items() for name, value in figures.items()}
    for group, figures in moved_from(after, before).items():
        for name, value in figures.items():
            assert value
            sums[group, name] = sums.get((group, name), 0) + value
    wanted = {(group, name): value for group, figures in after.items() for name, value in figures.items()}
    assert {key: value for key, value in sums.items() if value} == {key: v for key, v in wanted.items() if v}


def test_changes_of_many_documents_are_one_write_a_counter() -> None:
    """Whatever they are, the counter's document gets their sum, and its group's fields when it is made."""
    (write,) = additions(("area", "state"), [{("a", "draft"): {"open": 1}}, {("a", "draft"): {"open": 2}}])
    assert write._filter == {"_id": "a/draft"}
    assert write._doc == {"$inc": {"figures.open": 3}, "$setOnInsert": {"area": "a", "state": "draft"}}


def test_a_closed_case_stands_nowhere() -> None:
    """It is taken from where it stood when it was last counted; a case that has not moved is not written."""
    stood = {"area": "a", "state": "accepted", "overdue": True}
    closed = {"open": False, "area": "a", "state": "closed", "overdue": False, "standing": stood}
    assert standing_of(closed) is None
    (write,) = moved([closed])
    change: Any = write._doc
    assert change["$inc"] == {"figures.open": -1, "figures.overdue": -1}
    assert moved([{"open": True, **stood, "standing": stood}]) == []
