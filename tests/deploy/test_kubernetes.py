"""What is rendered for Kubernetes, held against the schemas and against what it promises: no cluster is needed."""

import json
import re
import shutil
import stat
import subprocess
import tomllib
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate  # type: ignore[import-untyped]  # it says nothing of its types
import pytest
import yaml
from jsonschema import Draft202012Validator

from contracts.topology import MAX_MESSAGE_SIZE, SERVICES, exchange_topology, queues_of
from deploy.compose.credentials import ADMINISTRATOR, NAMES
from deploy.kubernetes import credentials as made
from services.chassis.serving import FINISH_WITHIN
from services.notifier import sending
from tests.deploy.rendered import (
    FOLDER,
    OVERLAYS,
    Manifest,
    containers,
    environment,
    named,
    of_kind,
    overlay,
    pods,
)

PROCESSES = (*SERVICES, "provisioner")
VERSION = "1.34"
SCHEMAS = {file.stem: yaml.safe_load(file.read_text()) for file in (FOLDER / "schemas").glob("*.yaml")}
PASSWORDS = {name: f"{name.replace('/', '-')}-word" for name in NAMES}
SMTP = "smtps://user:word@mail.example"
WANTED = {
    "small": made.Wanted("smtp://mail.example:587", members=1),
    "production": made.Wanted(SMTP, tls=True),
}
OVERLAY = pytest.mark.parametrize("name", OVERLAYS)
EACH = pytest.mark.parametrize(("name", "service"), list(product(OVERLAYS, PROCESSES)))
SYSTEMS = ("de-kammer", "parked", "expired", "commands", "views", "own")
"""Names that a coordinator may give, some of which are words of the exchange's own."""


@OVERLAY
def test_every_object_is_one_that_its_api_takes(name: str) -> None:
    """Kubernetes' own kinds against its strict schemas, the others against those in `schemas`: no unknown field."""
    for one in overlay(name):
        if one["kind"] in SCHEMAS:
            errors = [error.message for error in Draft202012Validator(SCHEMAS[one["kind"]]).iter_errors(one)]
            assert not errors, (one["kind"], one["metadata"]["name"])
        else:
            kubernetes_validate.validate(one, VERSION, strict=True)


@pytest.mark.parametrize("kind", list(SCHEMAS))
def test_schemas_of_others_resources_are_schemas(kind: str) -> None:
    """And close every object that they describe, so that a slip of the pen is found."""
    Draft202012Validator.check_schema(SCHEMAS[kind])
    assert SCHEMAS[kind]["additionalProperties"] is False
    assert SCHEMAS[kind]["properties"]["spec"]["additionalProperties"] is False


@OVERLAY
def test_what_the_brokers_operator_is_told_of_pods_is_a_pod(name: str) -> None:
    """The part that is laid over its own: an image added, as it would, Kubernetes takes it."""
    template = named(name, "RabbitmqCluster", "rabbitmq")["spec"]["override"]["statefulSet"]["spec"]["template"]
    spec = {key: [dict(c) for c in of] for key, of in template["spec"].items()}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "broker"}, "spec": spec}
    kubernetes_validate.validate(pod, VERSION, strict=True)


@OVERLAY
def test_every_container_has_no_more_rights_than_it_needs(name: str) -> None:
    """Not root, nothing gained, no capability, nothing to write to, the runtime's seccomp profile, no token."""
    for _, pod in pods(name):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["serviceAccountName"] != "default"
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "hostUsers"}
        own = pod["securityContext"]
        assert own["runAsNonRoot"] is True
        assert own["runAsUser"] > 0
        assert own["seccompProfile"] == {"type": "RuntimeDefault"}
        assert all(is_hardened(container) for container in containers(pod))
        assert not any("hostPath" in volume for volume in pod["volumes"])
    broker = named(name, "RabbitmqCluster", "rabbitmq")["spec"]["override"]["statefulSet"]["spec"]["template"]["spec"]
    assert all(is_hardened(container) for container in containers(broker))


def is_hardened(container: Manifest) -> bool:
    context = container["securityContext"]
    dropped = context["capabilities"] == {"drop": ["ALL"]}
    return bool(context["readOnlyRootFilesystem"]) and not context["allowPrivilegeEscalation"] and dropped


@OVERLAY
def test_the_cluster_refuses_what_has_more_rights(name: str) -> None:
    """The namespace enforces Kubernetes' own strictest standard for pods."""
    (namespace,) = of_kind(name, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {one["metadata"].get("namespace", "imi") for one in overlay(name)} == {"imi"}


@OVERLAY
def test_every_container_has_bounds(name: str) -> None:
    """Of processor and memory, and so has whatever is kept in memory or on a node's disk."""
    for _, pod in pods(name):
        for container in containers(pod):
            assert all(container["resources"][kind].keys() == {"cpu", "memory"} for kind in ("requests", "limits"))
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume)


@OVERLAY
def test_every_image_has_a_version(name: str) -> None:
    """Ours the distribution's own, and none is `latest`, or comes from a registry that nobody chose."""
    project = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text())["project"]
    images = [container["image"] for _, pod in pods(name) for container in containers(pod)]
    images.append(named(name, "RabbitmqCluster", "rabbitmq")["spec"]["image"])
    for image in images:
        repository, _, tag = image.partition(":")
        assert re.match(r"\d", tag), image
        assert "/" not in repository
        assert tag == project["version"] or not repository.startswith("imi-")


@EACH
def test_a_service_is_watched_and_has_time_to_finish(name: str, service: str) -> None:
    """Probes on its own word, a budget of disruption, a new replica before an old one goes, none left behind."""
    deployment = named(name, "Deployment", service)
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    paths = {kind: container[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    live, ready = "/health/live", "/health/ready"
    assert paths == {"startupProbe": live, "livenessProbe": live, "readinessProbe": ready}
    assert pod["terminationGracePeriodSeconds"] > 2 * FINISH_WITHIN + sending.FINISH_WITHIN
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = named(name, "PodDisruptionBudget", service)["spec"]
    assert budget["maxUnavailable"] == 1, "a budget that forbids the only replica to go would hold up its node"
    assert budget["selector"] == deployment["spec"]["selector"]


@OVERLAY
def test_every_secret_is_a_file_that_is_handed_out(name: str) -> None:
    """No password stands in a manifest or an environment; what a pod looks for, `credentials` makes."""
    handed_out = made.secrets(PASSWORDS, WANTED[name])
    certificates = {"services-tls", "mongodb-tls"}
    for pod_name, pod in pods(name):
        mounted = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
        assert mounted <= handed_out.keys() | certificates
        for container in containers(pod):
            assert not container.get("envFrom")
            assert all(one.keys() == {"name", "value"} for one in container.get("env", []))
        own = {key for secret in mounted - certificates for key in handed_out[secret]}
        looked_for = {value for value in environment(pod).values() if value.startswith("/run/secrets/imi/")}
        assert {path.rsplit("/", 1)[1] for path in looked_for} <= own, pod_name
        secret = [one for one in environment(pod) if re.search("URL|PASS|KEY|USER|TOKEN", one)]
        assert all(one.endswith("_FILE") or one in {"IMI_PASSWORDS", "IMI_KEYS", "IMI_HTTP_KEY"} for one in secret)
    assert not of_kind(name, "Secret")
    assert not any(word in yaml.safe_dump(list(overlay(name))) for word in PASSWORDS.values())
    assert named(name, "RabbitmqCluster", "rabbitmq")["spec"]["secretBackend"]["externalSecret"]["name"] in handed_out


@OVERLAY
def test_what_is_handed_out_are_secrets(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the form that `kubectl apply` takes; a second time the same passwords, and nobody else can read the folder."""
    options = [str(tmp_path / "kept"), "--smtp-url", WANTED[name].smtp_url, "--members", str(WANTED[name].members)]
    made.main(options + ["--tls"] * WANTED[name].tls)
    first = capsys.readouterr().out
    made.main(options + ["--tls"] * WANTED[name].tls)
    assert capsys.readouterr().out == first
    for secret in json.loads(first)["items"]:
        kubernetes_validate.validate(secret, VERSION, strict=True)
        assert secret["metadata"]["namespace"] == "imi"
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700


def test_no_part_is_handed_anothers_password() -> None:
    """A password stands in its owner's Secret alone, besides what prepares the server that checks it."""
    files = {name: "".join(of.values()) for name, of in made.secrets(PASSWORDS, WANTED["production"]).items()}
    for name, password in PASSWORDS.items():
        where, _, owner = name.partition("/")
        holders = {secret for secret, text in files.items() if password in text}
        allowed = {f"{owner}-credentials"}
        if where == "broker":
            allowed |= {"topology-credentials"}
        if where == "database":
            allowed |= {"mongodb-users-credentials", "mongodb-credentials"}
        if owner == ADMINISTRATOR:
            allowed |= {"rabbitmq-administrator", "provisioner-credentials"}
        assert holders <= allowed, name


def test_the_accounts_file_is_what_the_topology_is_applied_with() -> None:
    """A file for each account of the topology's, named as `imi topology apply --secrets` wants it."""
    from client.topology import ACCOUNTS  # noqa: PLC0415 - here alone

    assert set(ACCOUNTS) < made.secrets(PASSWORDS, WANTED["small"])["topology-credentials"].keys()


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
    (labels,) = (
        one["spec"]["template"]["metadata"]["labels"]
        for one in of_kind(name, "Deployment", "StatefulSet", "Job")
        if one["metadata"]["name"] == pod
    )
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


QUERY = re.compile(
    r'sum\(max by \(queue\) \(rabbitmq_detailed_queue_messages\{vhost="imi", queue=~"(?P<queues>.*)"\}\)\)'
)


@pytest.mark.parametrize("service", SERVICES)
def test_replicas_follow_what_the_service_may_read_and_never_what_is_parked(service: str) -> None:
    """The regular expression of its ScaledObject takes exactly the queues that its broker account may read."""
    (trigger,) = named("production", "ScaledObject", service)["spec"]["triggers"]
    found = QUERY.fullmatch(trigger["metadata"]["query"])
    assert found, trigger["metadata"]["query"]
    # Prometheus anchors a regular expression on both sides; in a string of its language a backslash is written twice.
    pattern = re.compile(found["queues"].replace("\\\\", "\\"))
    topology = exchange_topology(dict.fromkeys(PROCESSES, ""))
    (reads,) = (one["read"] for one in topology["permissions"] if one["user"] == f"service.{service}")
    inside = [queue["name"] for queue in topology["queues"]]
    queues = [*inside, *(queue for system in SYSTEMS for queue in queues_of(system))]
    scaled = {queue for queue in queues if pattern.fullmatch(queue)}
    assert scaled == {queue for queue in queues if re.search(reads, queue)}
    assert not {queue for queue in inside if queue.endswith(".parked")} & scaled
    assert f"{service}.commands.parked" in scaled, "a system may be called so"


def test_what_scaling_asks_is_a_query(tmp_path: Path) -> None:
    """Prometheus' own tool can read every one."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool on this machine")
    asked = [one["spec"]["triggers"][0]["metadata"]["query"] for one in of_kind("production", "ScaledObject")]
    rules = [{"record": f"asked:{number}", "expr": query} for number, query in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    subprocess.run([promtool, "check", "rules", str(tmp_path / "rules.yml")], check=True, capture_output=True)


@pytest.mark.parametrize("service", SERVICES)
def test_scaling_has_bounds_and_an_answer_to_no_figures(service: str) -> None:
    """Never none, never beyond the most; and nothing else sets the number of replicas."""
    spec = named("production", "ScaledObject", service)["spec"]
    assert 2 == spec["minReplicaCount"] <= spec["fallback"]["replicas"] < spec["maxReplicaCount"]
    assert spec["triggers"][0]["metadata"]["ignoreNullValues"] == "false"
    assert spec["scaleTargetRef"]["name"] == service
    assert "replicas" not in named("production", "Deployment", service)["spec"]


def test_figures_that_scaling_asks_for_are_read_from_the_broker() -> None:
    """Each queue's length stands in RabbitMQ's detailed figures alone."""
    endpoints = named("production", "PodMonitor", "rabbitmq")["spec"]["podMetricsEndpoints"]
    (detailed,) = (one for one in endpoints if one["path"] == "/metrics/detailed")
    assert "queue_coarse_metrics" in detailed["params"]["family"]
    assert detailed["params"]["vhost"] == ["imi"]


def test_servers_outlive_a_node() -> None:
    """Three of each, on different nodes, of which one at a time may be taken away."""
    broker = named("production", "RabbitmqCluster", "rabbitmq")["spec"]
    database = named("production", "StatefulSet", "mongodb")["spec"]
    assert broker["replicas"] == database["replicas"] == 3
    for name, affinity in (("rabbitmq", broker["affinity"]), ("mongodb", database["template"]["spec"]["affinity"])):
        (rule,) = affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert rule["topologyKey"] == "kubernetes.io/hostname"
        assert named("production", "PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1


@OVERLAY
def test_the_broker_is_configured_as_elsewhere(name: str) -> None:
    """The same message size and the same watermark as in compose, below the container's limit."""
    spec = named(name, "RabbitmqCluster", "rabbitmq")["spec"]
    here = settings(spec["rabbitmq"]["additionalConfig"])
    compose = settings((FOLDER.parent / "rabbitmq" / "rabbitmq.conf").read_text())
    assert here["max_message_size"] == str(MAX_MESSAGE_SIZE)
    same = ("max_message_size", "vm_memory_high_watermark.absolute", "raft.wal_max_size_bytes")
    assert {key: here[key] for key in same} == {key: compose[key] for key in same}
    assert here["cluster_partition_handling"] == "pause_minority"


def settings(text: str) -> dict[str, str]:
    """The lines of a configuration of RabbitMQ's."""
    lines = [line.partition("=") for line in text.splitlines() if line and not line.startswith("#")]
    return {key.strip(): value.strip() for key, _, value in lines}


def test_in_production_nothing_is_said_in_the_clear() -> None:
    """No process takes an address without TLS, no server listens without it, and no probe or scrape goes without."""
    for name, pod in pods("production"):
        told = environment(pod)
        if name != "mongodb":
            assert told["IMI_CA"] == "/run/tls/ca.crt"
        for container in pod["containers"]:
            probes = [of["httpGet"] for kind, of in container.items() if kind.endswith("Probe") and "httpGet" in of]
            assert all(probe["scheme"] == "HTTPS" for probe in probes)
            assert not probes or told.keys() >= {"IMI_HTTP_CERTIFICATE", "IMI_HTTP_KEY"}
    assert environment(named("production", "Deployment", "notifier")["spec"]["template"]["spec"])["IMI_SMTP_ENCRYPTED"]
    for monitor in of_kind("production", "PodMonitor"):
        assert all(one["scheme"] == "https" and one["tlsConfig"] for one in monitor["spec"]["podMetricsEndpoints"])
    (mongod,) = named("production", "StatefulSet", "mongodb")["spec"]["template"]["spec"]["containers"]
    plain = set(named("small", "StatefulSet", "mongodb")["spec"]["template"]["spec"]["containers"][0]["args"])
    assert plain < set(mongod["args"])
    assert {"--tlsMode=requireTLS", "--tlsCAFile=/run/tls/ca.crt"} < set(mongod["args"])
    for secret, of in made.secrets(PASSWORDS, WANTED["production"]).items():
        for key, url in of.items():
            if key.endswith("_url"):
                assert re.match(r"(amqps|https|smtps)://|mongodb://.*[&?]tls=true", url), (secret, key)


def test_the_broker_listens_as_it_was_shown_to() -> None:
    """What test_encryption.py ran with: certificates are verified, and open the account of their name."""
    spec = named("production", "RabbitmqCluster", "rabbitmq")["spec"]
    assert spec["tls"] == {
        "secretName": "rabbitmq-tls",
        "caSecretName": "rabbitmq-tls",
        "disableNonTLSListeners": True,
    }
    assert "rabbitmq_auth_mechanism_ssl" in spec["rabbitmq"]["additionalPlugins"]
    here = settings(spec["rabbitmq"]["additionalConfig"])
    shipped = settings((FOLDER.parent / "rabbitmq" / "tls.conf").read_text())
    plain = settings(named("small", "RabbitmqCluster", "rabbitmq")["spec"]["rabbitmq"]["additionalConfig"])
    assert here == plain | shipped


def test_every_certificate_that_is_needed_is_made() -> None:
    """For the names by which each server is reached, renewed in time, by an authority whose key no pod has."""
    made_here = {one["spec"]["secretName"]: one["spec"] for one in of_kind("production", "Certificate")}
    mounted = {v["secret"]["secretName"] for _, pod in pods("production") for v in pod["volumes"] if "secret" in v}
    assert {"mongodb-tls", "services-tls"} <= mounted & made_here.keys()
    assert "exchange-authority" in made_here.keys() - mounted
    assert set(made.MEMBERS) < set(made_here["mongodb-tls"]["dnsNames"])
    assert {"rabbitmq", "rabbitmq.imi.svc"} < set(made_here["rabbitmq-tls"]["dnsNames"])
    names = {
        one["tlsConfig"]["serverName"]
        for m in of_kind("production", "PodMonitor")
        for one in m["spec"]["podMetricsEndpoints"]
    }
    assert names == {"rabbitmq.imi.svc", "services.imi.svc"}
    assert names < {name for one in made_here.values() for name in one.get("dnsNames", [])}
    assert all(hours(one["renewBefore"]) < hours(one["duration"]) for one in made_here.values())


def hours(duration: str) -> int:
    return int(duration.removesuffix("h"))


def test_casework_replicas_share_their_keys() -> None:
    """On several nodes, and outside the database, whose backups must not hold them."""
    (claim,) = of_kind("production", "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    pod: dict[str, Any] = named("production", "Deployment", "casework")["spec"]["template"]["spec"]
    (volume,) = (one for one in pod["volumes"] if "persistentVolumeClaim" in one)
    mounts = {one["mountPath"]: one["name"] for one in pod["containers"][0]["volumeMounts"]}
    assert mounts[environment(pod)["IMI_KEYS"]] == volume["name"]
