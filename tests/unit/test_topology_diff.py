"""A broker held against the topology that it should have."""

import copy
from typing import Any

import pytest

from client import topology
from client.topology_diff import Difference, differences, with_systems
from contracts.topology import OPERATOR, VHOST, system_topology

WANTED = topology.definitions(dict.fromkeys(topology.ACCOUNTS, ""))


def found() -> dict[str, list[dict[str, Any]]]:
    """What a broker lists that has all of it, one connected system, and what every broker has."""
    system = system_topology("hu-hivatal", "A")
    kinds = ("exchanges", "queues", "bindings", "policies", "permissions")
    whole = {kind: copy.deepcopy(WANTED.get(kind, []) + system.get(kind, [])) for kind in kinds}
    whole["exchanges"] += [{"name": name} for name in ("", "amq.topic")]
    whole["bindings"].append({"source": "", "destination": "casework.own", "routing_key": "casework.own"})
    whole["permissions"].append({"user": "monitoring"})
    return whole


def diff(broker: dict[str, list[dict[str, Any]]]) -> list[Difference]:
    """What differs."""
    return differences(with_systems(WANTED, broker, VHOST), broker)


def test_a_broker_that_has_all_differs_in_nothing() -> None:
    """With its connected systems, the broker's own exchanges, and accounts that are nobody's of the exchange."""
    assert diff(found()) == []


@pytest.mark.parametrize("kind", ["exchanges", "bindings", "policies", "queues"])
def test_what_is_missing_is_named(kind: str) -> None:
    """Of the exchange and of a connected system alike: one thing gone, one difference."""
    broker = found()
    gone = broker[kind].pop(0)
    assert [(one.kind, one.what) for one in diff(broker)] == [(kind, "missing")], gone


def test_what_is_otherwise_or_unknown_is_named() -> None:
    """Another argument, another pattern, another right, and what nobody knows of."""
    broker = found()
    broker["queues"][0]["arguments"] = {}
    broker["policies"][0]["definition"] = {}
    next(one for one in broker["permissions"] if one["user"] == OPERATOR)["read"] = ".*"
    broker["exchanges"].append({"name": "mine", "type": "topic", "durable": True, "internal": False, "arguments": {}})
    assert sorted((one.kind, one.what) for one in diff(broker)) == [
        ("exchanges", "unknown"),
        ("permissions", "other"),
        ("policies", "other"),
        ("queues", "other"),
    ]


def test_a_suspended_system_lacks_its_permission_rightly_and_a_service_does_not() -> None:
    """What this account may not know of is not compared."""
    broker = found()
    broker["permissions"] = [
        one for one in broker["permissions"] if one["user"] not in ("hu-hivatal", "service.casework")
    ]
    assert diff(broker) == [Difference("permissions", "service.casework", "missing")]
    del broker["permissions"]
    assert diff(broker) == []
