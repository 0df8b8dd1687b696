"""What is on its way to a replica is bounded in bytes, not in number alone."""

import pytest

from services.chassis.ahead import AT_FIRST, BYTES_AHEAD, FEWEST, Ahead

MOST = 40
QUEUE, OTHER = "registry.commands.hu-hivatal", "registry.commands.de-kammer"
KIB = 1024


@pytest.mark.parametrize(
    ("size", "ahead"),
    [
        (0, MOST),
        (2 * KIB, MOST),
        (BYTES_AHEAD // MOST, MOST),
        (16 * KIB, 16),
        (64 * KIB, 4),
        (256 * KIB, FEWEST),
        (4096 * KIB, FEWEST),
    ],
)
def test_of_large_messages_fewer_are_on_their_way(size: int, ahead: int) -> None:
    """As many as fit into a quarter of a mebibyte; never less than two, so that one comes while another is handled."""
    here = Ahead()
    for _ in range(100):
        here.note(QUEUE, size)
    assert here.give(QUEUE, MOST) == pytest.approx(ahead, abs=1)


def test_of_a_queue_of_which_nothing_has_come_yet_few_are_on_their_way() -> None:
    """What has piled up may be large; once its messages are seen to be small, more are taken."""
    here = Ahead()
    assert here.give(QUEUE, 400) == AT_FIRST
    here.note(QUEUE, KIB // 2)
    assert here.off({QUEUE: ""}) == [QUEUE]
    assert here.give(QUEUE, 400) == 400


def test_of_a_queue_that_holds_less_than_two_no_more_are_taken() -> None:
    """What the replica allows is the most."""
    assert Ahead().give(QUEUE, 1) == 1


def test_a_queue_is_consumed_anew_when_it_has_become_much_larger_or_smaller() -> None:
    """And not for a single large message, nor over and over; the others stay as they are."""
    here = Ahead()
    consumed = dict.fromkeys((QUEUE, OTHER))
    for queue in consumed:
        here.give(queue, MOST)
    here.note(QUEUE, 200 * KIB)
    assert here.off(consumed) == []
    for _ in range(20):
        here.note(QUEUE, 200 * KIB)
        here.note(OTHER, KIB)
    assert here.off(consumed) == [QUEUE]
    assert here.off({OTHER: ""}) == []
    assert here.give(QUEUE, MOST) < MOST // 4
    assert here.off(consumed) == []
    for _ in range(100):
        here.note(QUEUE, KIB)
    assert here.off(consumed) == [QUEUE]
    assert here.give(QUEUE, MOST) == MOST
    assert here.off(consumed) == []
