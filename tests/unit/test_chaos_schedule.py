"""Which faults come when, in `make chaos`."""

from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.faulty import POINTS as OF_THE_CHAIN
from tests.chaos.faults import Kind, kinds
from tests.chaos.points import AT_POINTS, POINTS
from tests.chaos.process import OF_MAILS
from tests.chaos.schedule import CALM, is_same, schedule

KINDS = kinds(["de-bench", "hu-bench"])
IN_TURN = {name: kind for name, kind in KINDS.items() if not kind.beside}


@given(st.integers(), st.floats(10, 600))
def test_a_seed_makes_the_same_schedule_and_all_in_time(seed: int, seconds: float) -> None:
    """Each fault begins within the time, is of its kind's length, and is done to one of its targets."""
    planned = schedule(KINDS, seed, seconds)
    assert planned == schedule(KINDS, seed, seconds)
    assert planned == sorted(planned, key=lambda one: one.at)
    for one in planned:
        kind = KINDS[one.name]
        assert one.at >= CALM
        assert kind.lengths[0] <= one.length <= kind.lengths[1] + 0.01
        assert one.target in kind.targets


@given(st.integers())
def test_every_kind_comes_before_any_comes_again(seed: int) -> None:
    """A run that is long enough has them all; those beside them have their own times."""
    counts = Counter(one.name for one in schedule(KINDS, seed, 600))
    in_turn = [counts[name] for name, kind in KINDS.items() if not kind.beside]
    assert min(in_turn) > 0
    assert max(in_turn) - min(in_turn) <= 1
    assert sum(counts[name] for name in set(KINDS) - IN_TURN.keys()) > 0


@given(st.integers())
def test_what_lasts_beside_the_others_changes_nothing_of_them(seed: int) -> None:
    """The same faults come at the same times, and it is done to none of their parts meanwhile."""
    planned = schedule(KINDS, seed, 300)
    others = [one for one in planned if one.name in IN_TURN]
    assert others == schedule(IN_TURN, seed, 300)
    for one in planned:
        for other in others if one.name not in IN_TURN else ():
            apart = one.at > other.at + other.length or other.at > one.at + one.length
            assert apart or not one.part.startswith(other.part)


ONE_LINE = {name: KINDS[name] for name in ("cut from the database", "silence to a member")}
"""Lines to all of the database, and to one member of it, which is among them."""


@given(st.integers(), st.sampled_from([KINDS, ONE_LINE]))
def test_what_comes_together_is_done_to_different_parts(seed: int, among: dict[str, Kind]) -> None:
    """Two faults that overlap are never done to the same thing, nor one to a part of the other: each could undo it."""
    planned = schedule(among, seed, 300)
    for first, second in combinations(planned, 2):
        if second.at < first.at + first.length:
            assert not is_same(first.part, second.part)


@pytest.mark.parametrize(
    ("part", "other", "same"),
    [
        ("line casework mongodb", "line casework mongodb-1", True),
        ("line casework mongodb-1", "line casework mongodb-2", False),
        ("line casework mongodb", "line notifier mongodb-1", False),
        ("casework", "clock of casework", False),
        ("rabbitmq", "rabbitmq", True),
    ],
)
def test_a_part_of_a_thing_is_the_same_thing(part: str, other: str, same: bool) -> None:
    """A line to one member is among the lines to the database, whichever of both comes first."""
    assert is_same(part, other) is is_same(other, part) is same


def test_some_come_together() -> None:
    """Not every fault is alone."""
    planned = schedule(KINDS, 1, 300)
    assert any(b.at < a.at + a.length for a, b in pairwise(planned))


@pytest.mark.parametrize("target", AT_POINTS)
def test_every_point_is_in_the_code_of_the_process(target: str) -> None:
    """A point at which a service is to die is one that its process knows."""
    service, point = target.split(": ")
    assert point in POINTS[service]
    assert point in OF_THE_CHAIN | OF_MAILS
