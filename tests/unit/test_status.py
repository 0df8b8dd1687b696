"""The page that says whether the exchange is well, from what the broker and the replicas say."""

from dataclasses import replace
from typing import Any

import pytest

from client.looking import Queue, Replica, greatest_of
from client.status import EXIT, State, down, kind_of, status_of
from contracts.topology import INBOX_LENGTH, LANE_LENGTH, SERVICES, inbox_of, lanes_of, parked_queue_of

NAMES = [
    "provisioner.tasks",
    *(f"{service}.expired" for service in SERVICES),
    *(lane for service in SERVICES for lane in lanes_of(service, ["hu-hivatal", "de-kammer"])),
]
WELL = [
    *(Queue(name, 0, 0, 2, running=True) for name in NAMES),
    *(Queue(parked_queue_of(service), 0, 0, 0, running=True) for service in SERVICES),
    Queue(inbox_of("hu-hivatal"), 10, 0, 0, running=True),
    Queue("replays", 0, 0, 0, running=True),
]
READY = Replica(
    "http://one", ready=True, metrics={"imi_read_model_lag_seconds": 2.0, "imi_oldest_delivery_seconds": 0.1}
)

CASES: list[tuple[str, dict[str, Any], State, str]] = [
    ("casework.expired", {"consumers": 0}, "down", "no replica of casework"),
    ("casework.parked", {"ready": 3}, "degraded", "3 parked by casework"),
    ("casework.commands.hu-hivatal", {"consumers": 0}, "degraded", "nobody consumes casework.commands.hu-hivatal"),
    ("casework.commands.hu-hivatal", {"ready": LANE_LENGTH}, "degraded", "more than half full"),
    ("casework.commands.hu-hivatal", {"running": False}, "down", "not running"),
    ("inbox.hu-hivatal", {"ready": INBOX_LENGTH}, "degraded", "inbox.hu-hivatal is more than half full"),
]


def test_an_exchange_without_findings_is_well() -> None:
    """Replicas are counted by who consumes; unread messages alone are nothing wrong."""
    status = status_of(WELL, [READY])
    assert (status.state, status.findings) == ("well", ())
    assert {one.name: one.replicas for one in status.services} == dict.fromkeys((*SERVICES, "provisioner"), 2)
    assert (status.lag, status.oldest) == (2.0, 0.1)


@pytest.mark.parametrize(("queue", "change", "state", "text"), CASES, ids=[text for *_, text in CASES])
def test_what_is_wrong_is_said_in_a_sentence(queue: str, change: dict[str, Any], state: State, text: str) -> None:
    """And by the exit status: 1 when something has to be done, 2 when something stands still."""
    status = status_of([replace(one, **change) if one.name == queue else one for one in WELL])
    assert (status.state, EXIT[status.state]) == (state, {"degraded": 1, "down": 2}[state])
    assert any(text in finding.text for finding in status.findings)


def catching_up(queue: Queue) -> Queue:
    """A queue while casework has been restored, with two replicas, and not been reopened."""
    closed = kind_of(queue.name) in ("casework.commands", "casework.expired")
    return replace(queue, consumers=0) if closed else queue


def test_a_service_that_catches_up_after_a_restore_is_not_down() -> None:
    """Its replicas are counted by what is played again; closed lanes are one finding; what else lacks is its own."""
    queues = [Queue("casework.events", 0, 0, 2, running=True), Queue("casework.again", 0, 0, 2, running=True)]
    status = status_of([*map(catching_up, WELL), *queues])
    (casework,) = (one for one in status.services if one.name == "casework")
    assert (casework.replicas, casework.catching_up) == (2, True)
    assert not any(one.catching_up for one in status.services if one is not casework)
    (finding,) = status.findings
    assert (finding.state, "imi reopen casework" in finding.text) == ("degraded", True)
    status = status_of([*map(catching_up, WELL), replace(queues[0], consumers=0), queues[1]])
    assert [finding.text for finding in status.findings][1:] == ["nobody consumes casework.events"]


@pytest.mark.parametrize("lost", [{"running": False}, {}], ids=["stands still", "is missing"])
def test_a_queue_that_is_lost_is_not_taken_for_a_restore(lost: dict[str, Any]) -> None:
    """Whose consumers are none for another reason: that service is down, though it takes what is played again."""
    queues = [replace(one, consumers=0, **lost) if one.name == "casework.expired" else one for one in WELL]
    there = [one for one in queues if lost or one.name != "casework.expired"]
    status = status_of([*there, Queue("casework.again", 0, 0, 2, running=True)])
    assert status.state == "down"
    assert not any(one.catching_up for one in status.services)


def test_a_replica_that_is_not_ready_or_late_is_named() -> None:
    """By its address, with what it says of itself."""
    late = replace(READY, metrics={"imi_read_model_lag_seconds": 100.0})
    for replica in (late, replace(READY, ready=False)):
        (finding,) = status_of(WELL, [replica]).findings
        assert replica.url in finding.text


def test_a_broker_that_cannot_be_asked_is_down() -> None:
    """Nothing else can be said then."""
    assert EXIT[down("ConnectError").state] == 2


def test_queues_of_a_kind_are_counted_together() -> None:
    """With the longest by name."""
    queues = [replace(one, ready=5) if one.name == "casework.commands.de-kammer" else one for one in WELL]
    (kind,) = [one for one in status_of(queues).kinds if one.name == "casework.commands"]
    assert (kind.queues, kind.ready, kind.longest) == (2, 5, "casework.commands.de-kammer")


def test_the_greatest_value_of_a_metric_counts_whatever_its_labels() -> None:
    """Comments and what is no number are left out."""
    text = '# HELP imi_x x\nimi_x{queue="a.b"} 1.5\nimi_x{queue="c"} 1e+01\nimi_y NaN\nimi_z 3\n'
    assert greatest_of(text) == {"imi_x": 10.0, "imi_z": 3.0}
