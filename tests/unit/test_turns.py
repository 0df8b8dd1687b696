from collections import Counter, defaultdict
from typing import Any, cast

from aiormq.abc import DeliveredMessage
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.delivery import Delivery
from services.chassis.turns import Turns

LANES = ["flood", "a", "b", "c"]


def delivery(lane: str, number: int) -> Delivery:
    return Delivery(lane, cast("DeliveredMessage", number))


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
                taken[one.queue].append(one.message)
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
