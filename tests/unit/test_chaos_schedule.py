"""Which faults come when, in `make chaos`."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.faulty import POINTS as OF_THE_CHAIN
from tests.chaos.faults import AT_POINTS, POINTS, kinds
from tests.chaos.process import OF_MAILS
from tests.chaos.schedule import CALM, schedule

KINDS = kinds(["de-bench", "hu-bench"])


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
    """A run that is long enough has them all."""
    counts = Counter(one.name for one in schedule(KINDS, seed, 600))
    assert set(counts) == set(KINDS)
    assert max(counts.values()) - min(counts.values()) <= 1


@given(st.integers())
def test_what_comes_together_is_done_to_different_parts(seed: int) -> None:
    """Two faults that overlap are never done to the same thing: each could undo the other."""
    planned = schedule(KINDS, seed, 300)
    for first, second in pairwise(planned):
        if second.at < first.at + first.length:
            assert first.part != second.part


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
