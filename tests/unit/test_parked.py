"""What is parked, as the operator sees it: grouped by what went wrong, safe to print, never what it says."""

from dataclasses import replace
from typing import Any

import pytest

from client.parked import Parked, groups_of, parked_from
from client.replaying import Order, Work, agains_of
from client.wire import NowhereToGo
from contracts.casework import SendRequest
from services.chassis.bus import Outgoing
from services.chassis.parking import parked, unroutable
from tests.unit.deliveries import SYSTEM, delivered

LANE = f"casework.commands.{SYSTEM}"
BODY = b'{"comment": "Planted Person"}'


def as_parked(outgoing: Outgoing, service: str = "casework", **changes: Any) -> tuple[Parked, Any]:
    """The message as it comes out of the parked queue, and what is made of it."""
    message = delivered(
        outgoing.body,
        message_type=outgoing.type,
        message_id=outgoing.message_id,
        headers={**outgoing.headers, **changes},
        user_id=None,
    )
    return parked_from(service, message), message


def a_command(**changes: Any) -> tuple[Parked, Any]:
    """A request that casework could not handle."""
    first = delivered(BODY, message_type=SendRequest.TYPE, routing_key=SendRequest.TYPE)
    return as_parked(parked(LANE, first, "KeyError", "services/casework/views.py:7 view_of"), **changes)


def test_what_failed_in_the_same_way_is_one_group_whoever_sent_it() -> None:
    """Another place, reason, type, service or kind of queue is another."""
    one, _ = a_command()
    same = replace(one, id="2", queue="casework.commands.de-kammer", user="de-kammer", message_id="x")
    changes: list[dict[str, Any]] = [{part: "y"} for part in ("place", "reason", "type", "service", "queue")]
    others = [replace(one, **change) for change in changes]
    groups = groups_of([one, same, *others])
    assert [group.count for group in groups] == [2, 1, 1, 1, 1, 1]
    assert groups[0].example is one


def test_nothing_of_what_it_says_is_kept_and_no_control_character() -> None:
    """Types and ids are a sender's choice: they are shown as text, of bounded length."""
    one, _ = a_command(**{"imi-message-id": "\x1b[31m" + "x" * 500})
    assert "Planted" not in str(one)
    assert one.message_id.startswith("?[31m")
    assert len(one.message_id) == 120


def test_a_command_goes_to_the_lane_for_that_with_its_senders_name_and_its_own_id() -> None:
    """What it says is unchanged, and so is what says who sent it."""
    (again,) = agains_of(*a_command(), "replay")
    assert (again.queue, again.body, again.message_id) == ("casework.again", BODY, "message-1")
    assert again.headers == {"imi-queue": LANE, "imi-routing-key": SendRequest.TYPE, "imi-user": SYSTEM}


def test_a_command_that_is_given_up_is_refused_as_expired() -> None:
    """Its sender gets its one outcome; only when told so is it dropped."""
    (again,) = agains_of(*a_command(), "discard")
    assert again.headers["imi-queue"] == "casework.expired"
    assert again.headers["imi-user"] == SYSTEM
    assert agains_of(*a_command(), "drop") == []


@pytest.mark.parametrize("work", ["replay", "discard"])
def test_what_a_service_had_listened_to_goes_to_the_same_queue(work: Work) -> None:
    """Nobody waits for an outcome of it: given up, it is simply gone."""
    feed = Outgoing("parked", "registry.authority.v1", b"{}", "event", headers={"imi-queue": "casework.events"})
    agains = agains_of(*as_parked(feed), work)
    assert [(one.queue, one.message_id) for one in agains] == (
        [("casework.events", "event")] if work == "replay" else []
    )


def test_what_had_nowhere_to_go_goes_where_it_was_for() -> None:
    """To the inbox that was missing, to whoever listens to what was said; or it stays."""

    def agains(service: str, key: str) -> list[str]:
        lost = Outgoing(key, "x", b"{}", "lost")
        return [one.queue for one in agains_of(*as_parked(unroutable("translation.views", lost), service), "replay")]

    assert agains("translation", "inbox.hu-hivatal") == ["inbox.hu-hivatal"]
    assert agains("casework", "dates") == ["notifier.dates"]
    with pytest.raises(NowhereToGo):
        agains("casework", "nobody")


def test_a_message_is_chosen_by_its_fault_or_its_id() -> None:
    """Without a name every one is."""
    one, _ = a_command()
    assert one.fits([one.fingerprint])
    assert one.fits(["x", one.id])
    assert one.fits([])
    assert not one.fits(["x"])
    assert Order("replay", lambda parked: parked.fits(["x"]), "me").rate > 0
