"""The broker's topology as data: it fits together, and nobody's permissions reach what is not his."""

import itertools
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.topology import (
    JOURNAL,
    OPERATOR,
    REPLAY,
    REPLAYS,
    SERVICES,
    Definitions,
    again_lane_of,
    destinations_of,
    exchange_of,
    exchange_topology,
    exchanges_of,
    expired_lane_of,
    inbox_of,
    is_again,
    is_expired,
    is_undelivered,
    lanes_of,
    owner_of,
    parked_queue_of,
    queues_of,
    system_of,
    system_topology,
    undelivered_exchange_of,
)
from contracts.types import SystemId

HASHES = dict.fromkeys((*SERVICES, "provisioner"), "A" * 48)
BASE = exchange_topology(HASHES)
LIKE_EACH_OTHER = (
    OPERATOR,
    "hu-hivatal",
    "hu-hivatal-2",
    "hu-hi",
    "xhu-hivatal",
    "hu--hivatal",
    "in-hu-hivatal",
    "000",
)
KINDS = ("users", "permissions", "exchanges", "queues", "bindings")

ids = st.from_regex(r"[a-z0-9][a-z0-9-]{1,12}[a-z0-9]", fullmatch=True)


def whole(systems: Iterable[str]) -> Definitions:
    """The topology with these systems in it."""
    parts = [BASE, *(system_topology(system, "A" * 48) for system in systems)]
    return {kind: [one for part in parts for one in part.get(kind, [])] for kind in (*KINDS, "policies", "vhosts")}


def names(definitions: Definitions, kind: str) -> list[str]:
    """The names of all of a kind."""
    return [one["name"] for one in definitions[kind]]


def may(definitions: Definitions, user: str, verb: str) -> set[str]:
    """Every exchange (write) or queue (read) that the broker lets this user at, by its pattern."""
    (permission,) = (one for one in definitions["permissions"] if one["user"] == user)
    kind = "exchanges" if verb == "write" else "queues"
    return {name for name in names(definitions, kind) if re.search(permission[verb], name)}


def matching(definitions: Definitions, queue: str) -> list[dict[str, Any]]:
    """The policies whose pattern fits the queue."""
    return [policy for policy in definitions["policies"] if re.search(policy["pattern"], queue)]


ALL = whole(LIKE_EACH_OTHER)
STREAMS = {JOURNAL, REPLAYS}


@pytest.mark.parametrize("kind", ["users", "exchanges", "queues", "policies"])
def test_no_name_stands_twice(kind: str) -> None:
    """Also where systems are called almost the same."""
    found = names(ALL, kind)
    assert len(found) == len(set(found))


def test_every_binding_joins_an_exchange_and_a_queue_that_exist() -> None:
    """And no two are the same."""
    for binding in ALL["bindings"]:
        assert binding["source"] in names(ALL, "exchanges")
        assert binding["destination"] in names(ALL, "queues")
    keys = [(one["source"], one["destination"], one["routing_key"]) for one in ALL["bindings"]]
    assert len(keys) == len(set(keys))


def test_every_exchange_and_queue_named_in_an_argument_exists() -> None:
    """Alternate exchanges of exchanges, dead-letter exchanges of policies."""
    alternates = {exchange["arguments"].get("alternate-exchange") for exchange in ALL["exchanges"]}
    dead = {policy["definition"].get("dead-letter-exchange") for policy in ALL["policies"]}
    assert (alternates | dead) - {None} <= set(names(ALL, "exchanges"))


def test_every_queue_is_bound_and_every_user_has_one_permission() -> None:
    """Nothing is there that nobody can fill or use."""
    assert {one["destination"] for one in ALL["bindings"]} == set(names(ALL, "queues"))
    assert sorted(one["user"] for one in ALL["permissions"]) == sorted(names(ALL, "users"))


def test_everything_survives_a_restart_and_nobody_configures_anything() -> None:
    """Durable, quorum queues but for records; no user may declare, not even a service; none has a tag of the broker."""
    assert all(one["durable"] and not one["auto_delete"] for one in (*ALL["exchanges"], *ALL["queues"]))
    kinds = {queue["name"]: queue["arguments"]["x-queue-type"] for queue in ALL["queues"]}
    assert {name for name, kind in kinds.items() if kind != "quorum"} == STREAMS
    assert {kinds[name] for name in STREAMS} == {"stream"}
    assert {one["configure"] for one in ALL["permissions"]} == {"^$"}
    assert {user["tags"] for user in ALL["users"]} == {""}


SERVICE_READS = {
    "registry": {
        "registry.provisioned",
        "registry.copies",
        "registry.expired",
        "registry.again",
        *lanes_of("registry", LIKE_EACH_OTHER),
    },
    "provisioner": {"provisioner.tasks"},
    "casework": {
        "casework.events",
        "casework.replayed",
        "casework.own",
        "casework.expired",
        "casework.again",
        *lanes_of("casework", LIKE_EACH_OTHER),
    },
    "translation": {
        "translation.events",
        "translation.replayed",
        "translation.expired",
        "translation.again",
        "translation.views",
        "translation.copies",
        *lanes_of("translation", LIKE_EACH_OTHER),
    },
    "notifier": {
        "notifier.events",
        "notifier.replayed",
        "notifier.expired",
        "notifier.again",
        "notifier.dates",
        *lanes_of("notifier", LIKE_EACH_OTHER),
    },
}


@pytest.mark.parametrize("service", SERVICE_READS)
def test_a_service_writes_its_own_exchange_and_reads_its_own_queues_alone(service: str) -> None:
    """Computed over all names that there are: its lanes, what it listens to, and nothing that was parked."""
    assert may(ALL, f"service.{service}", "write") == {service}
    assert may(ALL, f"service.{service}", "read") == SERVICE_READS[service]


def test_every_queue_has_exactly_one_reader() -> None:
    """What is parked, and the record of what was done about it, the operator reads."""
    users = names(ALL, "users")
    for queue in names(ALL, "queues"):
        assert len([user for user in users if queue in may(ALL, user, "read")]) == 1, queue


def test_the_operator_alone_has_messages_handled_again_and_reads_what_is_parked() -> None:
    """Besides its own inbox and exchange it has that, and neither any lane nor anybody's inbox."""
    assert [user for user in names(ALL, "users") if REPLAY in may(ALL, user, "write")] == [OPERATOR]
    assert may(ALL, OPERATOR, "write") == {exchange_of(OPERATOR), REPLAY}
    parked = {parked_queue_of(name) for name in (*SERVICES, "provisioner")}
    assert may(ALL, OPERATOR, "read") == {inbox_of(OPERATOR), *parked, *STREAMS}
    assert routed(ALL, REPLAY, "anything else") == set()


def test_what_was_parked_can_be_handled_again_wherever_it_had_come_by() -> None:
    """By the service's own lane for that, by the queue that it had been in, by the inbox that it could not reach."""
    again = {again_lane_of(service) for service in SERVICES}
    inside = {name for name in names(BASE, "queues") if not name.endswith((".parked", ".expired"))} - again - STREAMS
    for queue in again | inside | {inbox_of(system) for system in LIKE_EACH_OTHER}:
        assert routed(ALL, REPLAY, queue) == {queue}


@given(st.lists(st.sampled_from([*SERVICES, "nobody", "journal", "x", "v1", ""]), min_size=1, max_size=4))
def test_the_journal_makes_nothing_arrive_that_no_lane_takes(words: list[str]) -> None:
    """Else the alternate exchange would not get it, and its sender no outcome."""
    for system in LIKE_EACH_OTHER[:2]:
        taken = routed(ALL, exchange_of(system), ".".join(words))
        assert taken in (set(), {JOURNAL, f"{words[0]}.commands.{system}"})


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_handled_again_keeps_its_order_and_pushes_back(service: str) -> None:
    """One replica at a time takes it; whoever fills it faster than it is worked off gets a negative confirm."""
    (queue,) = (one for one in ALL["queues"] if one["name"] == again_lane_of(service))
    assert queue["arguments"]["x-single-active-consumer"]
    (policy,) = matching(ALL, queue["name"])
    assert policy["definition"]["overflow"] == "reject-publish"
    assert is_again(queue["name"])
    assert not any(is_again(lane) for lane in lanes_of(service, LIKE_EACH_OTHER))


@given(ids, ids)
@example("abc", "abcd")
@example("abc", "a-abc")
@example("a-b", "a--b")
@example("in-abc", "abc")
@example("abc", "inbox-abc")
def test_a_systems_patterns_match_its_own_exchange_and_inbox_and_no_other_name(one: str, other: str) -> None:
    """However the systems are called: the id stands unescaped in the pattern, which its alphabet makes safe."""
    assume(one != other)
    both = whole([one, other])
    assert may(both, one, "write") == {exchange_of(one)}
    assert may(both, one, "read") == {inbox_of(one)}


@given(ids, ids)
def test_no_two_systems_share_a_name_of_anything(one: str, other: str) -> None:
    """Neither with each other nor with the exchange itself; and a service's name cannot be taken."""
    assume(one != other)
    both = whole([one, other])
    for kind in ("users", "exchanges", "queues"):
        assert len(set(names(both, kind))) == len(both[kind])


FORBIDDEN = ["a.b", "a_b", "A-b", "ab*", "a|b", ".*x", "a b", "-ab", "ab-", "ab", "", "a" * 41, "a\nb", "abc\n", "é-é"]


@pytest.mark.parametrize("system", FORBIDDEN, ids=repr)
def test_a_system_id_holds_nothing_that_means_something_in_a_pattern(system: str) -> None:
    """Three to forty small letters, digits and dashes, a dash neither first nor last."""
    with pytest.raises(ValidationError):
        TypeAdapter(SystemId).validate_python(system)


@given(ids)
def test_a_lane_names_its_system_and_its_kind(system: str) -> None:
    """That is how a sender is known: by the queue that its message came from."""
    for service in SERVICES:
        for lane in lanes_of(service, [system]):
            assert system_of(lane) == system
            assert is_undelivered(lane) == lane.startswith("registry.undelivered.")


@given(ids)
def test_what_a_system_has_names_its_owner_and_nothing_else_does(system: str) -> None:
    """That is how what is left of a system is found; the exchange's own queues belong to no system."""
    own = system_topology(system, None)
    assert {one["name"] for one in own["queues"]} == set(queues_of(system))
    assert {one["name"] for one in own["exchanges"]} == set(exchanges_of(system))
    assert {owner_of(name) for name in (*queues_of(system), *exchanges_of(system))} == {system}
    assert {owner_of(name) for kind in ("queues", "exchanges") for name in names(BASE, kind)} == {None}


def test_a_suspended_system_can_do_nothing_and_keeps_what_is_its_own() -> None:
    """No permission, no password, no connection; exchanges, queues and bindings as before."""
    active = system_topology("hu-hivatal", "A" * 48)
    suspended = system_topology("hu-hivatal", "A" * 48, suspended=True)
    (account,) = suspended["users"]
    assert (account["password_hash"], account["limits"]["max-connections"]) == ("", 0)
    assert suspended["permissions"] == []
    kept = ("exchanges", "queues", "bindings")
    assert {kind: suspended[kind] for kind in kept} == {kind: active[kind] for kind in kept}


def test_a_certificate_opens_an_account_that_no_password_opens() -> None:
    """RabbitMQ takes no password, not even an empty one, where it has no hash."""
    (account,) = system_topology("hu-hivatal", None)["users"]
    assert account["password_hash"] == ""
    assert system_topology("hu-hivatal", None)["permissions"] == system_topology("hu-hivatal", "A" * 48)["permissions"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_lane_of_the_expired_is_told_from_the_lanes_of_systems(service: str) -> None:
    """There the sender is known by its user id instead."""
    assert is_expired(expired_lane_of(service))
    assert not any(is_expired(lane) for lane in lanes_of(service, LIKE_EACH_OTHER))


def routed(definitions: Definitions, exchange: str, key: str) -> set[str]:
    """The queues that a topic or fanout exchange gives a message with this key."""
    (kind,) = (one["type"] for one in definitions["exchanges"] if one["name"] == exchange)
    bound = [one for one in definitions["bindings"] if one["source"] == exchange]
    return {one["destination"] for one in bound if kind == "fanout" or _fits(one["routing_key"], key)}


def _fits(pattern: str, key: str) -> bool:
    steps = [re.escape(step).replace(r"\*", r"[^.]+") for step in pattern.split(".")]
    return bool(re.fullmatch(r"\.".join(steps).replace(r"\.\#", r"(\..+)?"), key))


ROUTES: list[tuple[str, str, set[str]]] = [
    (exchange_of(OPERATOR), "casework.send_request.v1", {f"casework.commands.{OPERATOR}", JOURNAL}),
    (exchange_of(OPERATOR), "registry.search.v1", {f"registry.commands.{OPERATOR}", JOURNAL}),
    (exchange_of(OPERATOR), "nobody.search.v1", set()),
    (exchange_of(OPERATOR), "caseworkers.x", set()),
    ("expired", "casework.send_request.v1", {"casework.expired", JOURNAL}),
    ("expired", "registry.undelivered", {"registry.expired", JOURNAL}),
    (undelivered_exchange_of(OPERATOR), "anything", {f"registry.undelivered.{OPERATOR}"}),
    ("casework", "views", {"translation.views"}),
    ("casework", "dates", {"notifier.dates"}),
    ("casework", "own.time_passed", {"casework.own"}),
    ("casework", "parked", {"casework.parked"}),
    ("casework", inbox_of(OPERATOR), set()),
    ("registry", "terms", {"translation.events"}),
    ("registry", "event.authority", {"casework.events", "translation.events", "notifier.events"}),
    ("registry", "provision", {"provisioner.tasks"}),
    ("registry", "reconcile", {"provisioner.tasks"}),
    ("provisioner", "provisioned", {"registry.provisioned"}),
    ("provisioner", "reconciled", {"registry.provisioned"}),
    *((service, "compare", {"registry.copies"}) for service in ("translation", "notifier")),
    ("casework", "compare", {"registry.copies", "translation.copies"}),
    ("translation", "replay.casework", {"casework.replayed"}),
    *(
        ("registry", f"replay.{service}", {f"{service}.replayed"})
        for service in ("casework", "translation", "notifier")
    ),
    ("translation", "event.area", {"casework.events"}),
    (REPLAY, inbox_of("hu-hi"), {inbox_of("hu-hi")}),
    ("translation", inbox_of(OPERATOR), {inbox_of(OPERATOR)}),
    ("translation", inbox_of("hu-hi"), {inbox_of("hu-hi")}),
]


SAID = [(exchange, key) for exchange, key, _ in ROUTES if exchange in (*SERVICES, "provisioner")]


@pytest.mark.parametrize(("exchange", "key"), SAID, ids=[f"{exchange}: {key}" for exchange, key in SAID])
def test_where_what_a_service_says_goes_to_is_known_without_a_broker(exchange: str, key: str) -> None:
    """So that what once went nowhere can be sent there again."""
    found = [queue for queue in destinations_of(exchange, key) if queue in names(ALL, "queues")]
    assert set(found) == routed(ALL, exchange, key)


@pytest.mark.parametrize(("exchange", "key", "queues"), ROUTES, ids=[f"{e}: {k}" for e, k, _ in ROUTES])
def test_a_message_reaches_whom_it_is_for(exchange: str, key: str, queues: set[str]) -> None:
    """Only translation writes into inboxes."""
    assert routed(ALL, exchange, key) == queues


def test_every_queue_has_limits_by_exactly_one_policy() -> None:
    """Of two that fit with the same priority the broker would take either."""
    for queue in names(ALL, "queues"):
        assert len(matching(ALL, queue)) == 1, queue


def test_a_lane_pushes_back_and_an_inbox_drops_its_oldest() -> None:
    """A sender that floods is told; a reader that is away does not stop the others."""
    for system, service in itertools.product(LIKE_EACH_OTHER, SERVICES):
        for lane in lanes_of(service, [system]):
            (policy,) = matching(ALL, lane)
            assert policy["definition"]["overflow"] == "reject-publish"
            assert policy["definition"]["dead-letter-exchange"] == "expired"
            assert policy["definition"]["dead-letter-strategy"] == "at-least-once", "what expires is told, too"
        (policy,) = matching(ALL, inbox_of(system))
        assert policy["definition"]["overflow"] == "drop-head"
        assert policy["definition"].keys() >= {"max-length", "max-length-bytes"}
