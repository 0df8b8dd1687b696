"""What a group has to show, put into few messages."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from contracts.inbox import Outcome, SystemUpdate, View
from contracts.topology import MAX_MESSAGE_SIZE
from services.chassis.bus import Outgoing
from services.chassis.delivery import Handled, Later
from services.chassis.together import AT_ONCE, DATES, Said, together

sizes = st.lists(st.one_of(st.none(), st.integers(1, 3)), max_size=12)


def said(number: int, views: int) -> Said:
    """What one delivery has to tell: so many views."""
    return Said.of(
        [
            View(to="de-kammer", message_id=f"{number}/{n}", message=SystemUpdate(system=f"s-{number}"))
            for n in range(views)
        ]
    )


@given(sizes)
def test_every_view_goes_out_once_and_in_its_order(group: list[int | None]) -> None:
    """Whatever waits for later stays where it is, and nothing is told for it."""
    telling = [Later(1.0) if views is None else said(number, views) for number, views in enumerate(group)]
    results = together(telling)
    assert [isinstance(result, Later) for result in results] == [views is None for views in group]
    messages = [out for result in results if isinstance(result, Handled) for out in result.outgoing]
    told = [view["message_id"] for message in messages for view in from_json(message.body)["views"]]
    assert told == [f"{number}/{n}" for number, views in enumerate(group) for n in range(views or 0)]
    assert len(messages) <= 1


def test_messages_stay_small() -> None:
    """Many large views make several messages; one that is larger than that by itself is not cut."""
    large = View(
        to="de-kammer", message_id="x", message=Outcome(command="y" * (AT_ONCE // 3), command_type=None, status="done")
    )
    huge = View(
        to="de-kammer", message_id="z", message=Outcome(command="y" * AT_ONCE, command_type=None, status="done")
    )
    results = together([Said.of([view]) for view in (large, large, large, huge)])
    counts = [len(from_json(out.body)["views"]) for r in results if isinstance(r, Handled) for out in r.outgoing]
    assert counts == [2, 1, 1]


def test_one_delivery_may_tell_more_than_the_broker_takes_in_one_message() -> None:
    """Its outcome and each reader's view go out by themselves, where together they would be too large."""
    large = Outcome(command="y" * (MAX_MESSAGE_SIZE - 1_000), command_type=None, status="done")
    (result,) = together([Said.of([View(to="de-kammer", message_id=str(n), message=large) for n in range(3)])])
    assert isinstance(result, Handled)
    assert [len(from_json(out.body)["views"]) for out in result.outgoing] == [1, 1, 1]
    assert max(len(out.body) for out in result.outgoing) <= MAX_MESSAGE_SIZE


@given(sizes)
def test_a_repetition_of_the_group_has_the_same_ids(group: list[int | None]) -> None:
    """The ids follow from what is told."""
    telling = [Later(1.0) if views is None else said(number, views) for number, views in enumerate(group)]
    first, second = together(telling), together(telling)
    assert [r.outgoing for r in first if isinstance(r, Handled)] == [
        r.outgoing for r in second if isinstance(r, Handled)
    ]


def test_the_dates_of_many_deliveries_are_one_message_and_other_events_stay_alone() -> None:
    """In the order of the deliveries; what is not about dates goes out as it is, with its own delivery."""
    dates = [Outgoing(DATES, "casework.dates.v1", b'{"case":"%d"}' % number, str(number)) for number in range(3)]
    other = Outgoing("own.open_child", "casework.own.open_child.v1", b"{}", "x")
    telling: list[Said | Later] = [
        Said.of([], (dates[0],)),
        Later(1.0),
        Said.of([], (other, dates[1])),
        Said.of([], (dates[2],)),
    ]
    first, _, second, third = together(telling)
    assert isinstance(first, Handled)
    (one,) = first.outgoing
    assert (one.routing_key, one.type) == (DATES, "casework.all_dates.v1")
    assert from_json(one.body) == {"dates": [{"case": "0"}, {"case": "1"}, {"case": "2"}]}
    assert second == Handled((other,))
    assert third == Handled()
    assert together(telling)[0] == first
