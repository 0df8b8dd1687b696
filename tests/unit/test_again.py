"""What the operator has handled again is taken as it had come first, and only where the operator alone can write."""

from typing import Any

import pytest

from contracts.registry import Search
from contracts.topology import lanes_of
from services.chassis.again import first_sent
from services.chassis.intake import Command, Faulty, Intake
from tests.unit.deliveries import SYSTEM, delivered

LANE = f"registry.commands.{SYSTEM}"
CAME = {"imi-queue": LANE, "imi-routing-key": Search.TYPE, "imi-user": SYSTEM}
INTAKE = Intake([Search], 1_000)


def again(**headers: Any) -> Command | Faulty:
    """What the registry makes of a search that the operator has handled again."""
    message = delivered(exchange="replay", routing_key="registry.again", user_id="operator", headers=CAME | headers)
    delivery = first_sent("registry.again", message)
    return INTAKE.check(delivery.lane, delivery.message)


def test_a_command_is_its_first_senders_with_the_same_identity_and_digest() -> None:
    """So its outcome goes to whom it always would have, under the same id."""
    assert again() == INTAKE.check(LANE, delivered())


def test_what_had_been_wrong_with_it_still_is() -> None:
    """A sender that had given no user id, or another routing key, is refused as it would have been."""
    for header, wrong in (("imi-user", ""), ("imi-routing-key", "registry.show.v1")):
        found = again(**{header: wrong})
        assert isinstance(found, Faulty)
        assert found.system == SYSTEM


def test_what_had_expired_is_not_begun() -> None:
    """Its sender is known by the broker's word, which was kept."""
    found = again(**{"imi-queue": "registry.expired"})
    assert isinstance(found, Command)
    assert (found.expired, found.system) == (True, SYSTEM)


@pytest.mark.parametrize(
    "lane", ["", "registry.again", "registry.parked", "inbox.operator", *lanes_of("casework", [SYSTEM])]
)
def test_what_names_no_lane_of_this_service_is_nobodys(lane: str) -> None:
    """It cannot be answered: it is parked."""
    with pytest.raises(ValueError, match="no lane"):
        again(**{"imi-queue": lane})


def test_it_keeps_its_place_in_the_queue_that_it_came_by_now() -> None:
    """Turns are taken by queue: what is played again from many systems stays in the order in which it is played."""
    delivery = first_sent("registry.again", delivered(headers=CAME))
    assert (delivery.queue, delivery.lane) == ("registry.again", LANE)


def test_the_same_headers_mean_nothing_in_any_other_message() -> None:
    """A system that forges them in its own lane speaks for itself all the same."""
    forged = delivered(headers={"imi-queue": "registry.commands.operator", "imi-user": "operator"})
    found = INTAKE.check(LANE, forged)
    assert isinstance(found, Command)
    assert found.system == SYSTEM
