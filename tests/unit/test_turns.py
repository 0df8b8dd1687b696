from collections import Counter, defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.delivery import Delivery
from services.chassis.turns import BYTES_A_TURN, LONG, Turns
from tests.unit.deliveries import delivered

LANES = ["flood", "a", "b", "c"]


def delivery(lane: str, number: int, size: int = 0) -> Delivery:
    return Delivery(lane, delivered(bytes(size), tag=number))


@given(st.lists(st.sampled_from(LANES) | st.integers(1, 10), max_size=200))
def test_everything_is_taken_once_and_each_lane_keeps_its_order(steps: list[Any]) -> None:
    """Whatever comes in between: a lane's name puts one there, a number takes a group of so many."""
    turns, put, taken = Turns(), Counter[str](), defaultdict[str, list[Any]](list)
    for step in [*steps, *[1000] * 60]:
        if isinstance(step, str):
            turns.put(delivery(step, put[step]))
            put[step] += 1
        else:
            group = turns.take(step)
            assert len(group) <= step
            for one in group:
                taken[one.queue].append(one.tag)
    assert not turns
    assert {lane: list(range(count)) for lane, count in put.items()} == dict(taken)


@given(st.integers(0, 500), st.integers(4, 100))
def test_a_lone_command_is_in_the_next_group_whatever_waits_elsewhere(flood: int, group: int) -> None:
    """As long as a group has room for one of each lane."""
    turns = Turns()
    for number in range(flood):
        turns.put(delivery("flood", number))
    for lane in ("a", "b", "c"):
        turns.put(delivery(lane, 0))
    assert {"a", "b", "c"} <= {one.queue for one in turns.take(group)}


def test_no_lane_fills_a_group_while_another_is_active() -> None:
    """A second after the other's last command it may: nobody is waited for then."""
    now = 0.0
    turns = Turns(lambda: now)
    for number in range(100):
        turns.put(delivery("flood", number))
    turns.put(delivery("a", 0))
    assert Counter(one.queue for one in turns.take(16)) == {"flood": 8, "a": 1}
    now = 0.9
    turns.put(delivery("flood", 100))
    assert len(turns.take(16)) == 8
    now = 1.1
    turns.put(delivery("flood", 101))
    assert len(turns.take(16)) == 16


def test_after_a_long_group_a_lane_has_less_beyond_what_the_others_have() -> None:
    """Down to one, as long as others are active; it grows again with each that was quick."""
    turns = Turns(lambda: 0.0)
    for number in range(1_000):
        turns.put(delivery("flood", number))
    turns.put(delivery("a", 0))
    assert Counter(one.queue for one in turns.take(16)) == {"flood": 8, "a": 1}
    for _ in range(10):
        turns.took(2 * LONG)
    assert len(turns.take(16)) == 1
    for number in range(3):
        turns.put(delivery("a", number))
    assert Counter(one.queue for one in turns.take(16)) == {"flood": 4, "a": 3}
    for _ in range(3):
        turns.took(LONG / 2)
    assert len(turns.take(16)) == 4
    for _ in range(10):
        turns.took(LONG / 2)
    assert len(turns.take(16)) == 8


def test_a_lane_that_is_alone_fills_its_groups_however_long_they_take() -> None:
    """Nobody waits for them."""
    turns = Turns(lambda: 0.0)
    for number in range(100):
        turns.put(delivery("flood", number))
    for _ in range(10):
        turns.took(2 * LONG)
    assert len(turns.take(16)) == 16


@given(st.integers(1, 3))
def test_a_small_group_goes_on_where_the_last_one_stopped(group: int) -> None:
    """With more lanes than room, each has its turn before any has its second."""
    turns = Turns()
    for number in range(10):
        for lane in LANES:
            turns.put(delivery(lane, number))
    first = [one.queue for _ in range(12 // group) for one in turns.take(group)]
    assert first[:4] == LANES
    assert max(Counter(first).values()) - min(Counter(first).values()) <= 1


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.integers(4, 100))
def test_a_group_is_bounded_by_bytes_and_takes_one_that_is_larger_alone(turns_each: list[int], at_most: int) -> None:
    """It ends with the one that fills it; what is left comes next, in order."""
    turns, waiting = Turns(), list(turns_each)
    for number, size in enumerate(turns_each):
        turns.put(delivery("large", number, size * BYTES_A_TURN))
    while turns:
        group = turns.take(at_most)
        costs = [1 + size for size in waiting[: len(group)]]
        assert sum(costs[:-1]) < at_most
        assert [one.tag for one in group] == list(range(len(turns_each) - len(waiting), len(turns_each)))[: len(group)]
        waiting = waiting[len(group) :]
    assert not waiting


@given(st.integers(1, 64))
def test_large_commands_take_no_more_of_a_group_than_many_small_ones(size: int) -> None:
    """Beside another lane that is active a lane has its share, in bytes as in number, or a single one."""
    turns = Turns(lambda: 0.0)
    for number in range(50):
        turns.put(delivery("large", number, size * BYTES_A_TURN))
        turns.put(delivery("small", number))
    group = Counter(one.queue for one in turns.take(16))
    assert group["large"] == max(1, -(-8 // (1 + size)))
    while not group["small"]:  # a single one was all there was room for
        group = Counter(one.queue for one in turns.take(16))
    assert group["small"] >= 1
