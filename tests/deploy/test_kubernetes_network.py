"""Which pod may reach which, as rendered for Kubernetes: what its settings name, and nothing else."""

from itertools import product
from urllib.parse import urlsplit

import pytest

from contracts.topology import SERVICES
from deploy.kubernetes import credentials as made
from tests.deploy.rendered import (
    EACH,
    OVERLAY,
    PASSWORDS,
    PROCESSES,
    WANTED,
    Manifest,
    environment,
    named,
    of_kind,
    templates,
)


def admitted(name: str, source: Manifest, target: Manifest) -> set[int]:
    """The ports at which the policies let one pod of the namespace reach another: both must say so."""
    out = allowed_ports(name, "Egress", source, target)
    return out & allowed_ports(name, "Ingress", target, source)


def allowed_ports(name: str, direction: str, pod: Manifest, other: Manifest) -> set[int]:
    side, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    found = set[int]()
    for policy in of_kind(name, "NetworkPolicy"):
        spec = policy["spec"]
        if direction not in spec["policyTypes"] or not selects(spec["podSelector"], pod):
            continue
        for rule in spec.get(side, []):
            if any(selects(p.get("podSelector"), other) and "namespaceSelector" not in p for p in rule.get(peers, [])):
                found |= {one["port"] for one in rule["ports"]}
    return found


def selects(selector: Manifest | None, labels: Manifest) -> bool:
    return selector is not None and selector.get("matchLabels", {}).items() <= labels.items()


def labels_of(name: str, pod: str) -> dict[str, str]:
    (labels,) = (template["metadata"]["labels"] for called, template in templates(name) if called == pod)
    return dict(labels)


BROKER = {"app.kubernetes.io/name": "rabbitmq", "app.kubernetes.io/component": "rabbitmq"}
"""As its operator labels its pods."""


@OVERLAY
def test_nothing_may_talk_to_anything_unless_a_policy_says_so(name: str) -> None:
    """There is one policy that forbids all, for every pod, both ways."""
    spec = named(name, "NetworkPolicy", "nothing")["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@EACH
def test_a_service_reaches_what_its_addresses_name_and_nothing_else(name: str, service: str) -> None:
    """Of the broker and the database, the ports of its own settings; of the other services, none."""
    mine = labels_of(name, service)
    urls = made.secrets(PASSWORDS, WANTED[name])[f"{service}-credentials"]
    parts = {key: urlsplit(url) for key, url in urls.items() if key.endswith("_url")}
    broker = {parts[key].port for key in ("amqp_url", "management_url") if key in parts}
    database = {made.MONGODB_PORT} if "mongo_url" in parts else set()
    assert admitted(name, mine, BROKER) == broker
    assert admitted(name, mine, labels_of(name, "mongodb")) == database
    assert not any(admitted(name, mine, labels_of(name, other)) for other in PROCESSES)


@EACH
def test_only_the_notifier_reaches_the_world_and_only_for_mail(name: str, service: str) -> None:
    """Every other service has the namespace's names and servers, and no address outside."""
    rules = [
        rule
        for policy in of_kind(name, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels_of(name, service))
        for rule in policy["spec"].get("egress", [])
    ]
    outside = [rule for rule in rules if any("ipBlock" in peer for peer in rule.get("to", [{"ipBlock": {}}]))]
    ports = {one["port"] for rule in outside for one in rule["ports"]}
    assert ports == ({25, 465, 587} if service == "notifier" else set())


@OVERLAY
def test_the_jobs_reach_the_server_that_they_prepare(name: str) -> None:
    """The topology's the management API, the users' the database."""
    management = urlsplit(made.management_url("word", WANTED[name])).port
    assert admitted(name, labels_of(name, "topology"), BROKER) == {management}
    users = labels_of(name, "mongodb-users")
    assert admitted(name, users, labels_of(name, "mongodb")) == {made.MONGODB_PORT}
    assert not admitted(name, users, BROKER)


@pytest.mark.parametrize(("work", "service"), list(product(("backup", "restore"), SERVICES)))
def test_a_backup_and_a_restore_reach_the_database_alone(work: str, service: str) -> None:
    """Neither the broker nor any service, and no address outside."""
    mine = labels_of("production", f"{work}-{service}")
    assert admitted("production", mine, labels_of("production", "mongodb")) == {made.MONGODB_PORT}
    assert not admitted("production", mine, BROKER)
    assert not any(admitted("production", mine, labels_of("production", other)) for other in PROCESSES)


@OVERLAY
def test_members_of_the_replica_set_are_told_and_reach_each_other(name: str) -> None:
    """As many as there are replicas, in the Job and in every service's address."""
    replicas = named(name, "StatefulSet", "mongodb")["spec"]["replicas"]
    told = [f"mongodb-{number}.mongodb:{made.MONGODB_PORT}" for number in range(replicas)]
    job = named(name, "Job", "mongodb-users")["spec"]["template"]["spec"]
    assert environment(job)["IMI_MEMBERS"].split(",") == told
    assert f"@{','.join(told)}/" in made.mongo_url("casework", "word", WANTED[name])
    mongodb = labels_of(name, "mongodb")
    assert admitted(name, mongodb, mongodb) == {made.MONGODB_PORT}


@OVERLAY
def test_prometheus_reads_figures_and_nobody_else(name: str) -> None:
    """Of the services and the broker, at the ports that they serve them at, from its own namespace."""
    plain = 15692 if name == "small" else 15691
    for policy, port in (("metrics-of-services", 8000), ("metrics-of-broker", plain)):
        (rule,) = named(name, "NetworkPolicy", policy)["spec"]["ingress"]
        (peer,) = rule["from"]
        assert peer.keys() == {"namespaceSelector", "podSelector"}
        assert rule["ports"] == [{"protocol": "TCP", "port": port}]


def test_only_systems_come_in_from_outside_and_only_encrypted() -> None:
    """One service is reachable from outside the cluster: AMQP over TLS."""
    outside = [
        one["spec"] for one in of_kind("production", "Service") if one["spec"].get("type", "ClusterIP") != "ClusterIP"
    ]
    assert [port["port"] for spec in outside for port in spec["ports"]] == [5671]
    assert not [one for one in of_kind("small", "Service") if one["spec"].get("type", "ClusterIP") != "ClusterIP"]
