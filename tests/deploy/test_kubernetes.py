"""What is rendered for Kubernetes, held against the schemas and against what it promises: no cluster is needed."""

import base64
import re
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it says nothing of its types
import pytest
import yaml
from jsonschema import Draft202012Validator

from contracts.topology import MAX_MESSAGE_SIZE, SERVICES
from deploy.kubernetes import credentials as made
from services.chassis.serving import FINISH_WITHIN
from services.notifier import sending
from tests.deploy.rendered import (
    EACH,
    FOLDER,
    OVERLAY,
    PASSWORDS,
    VERSION,
    WANTED,
    Manifest,
    containers,
    environment,
    named,
    of_kind,
    overlay,
    pods,
    settings,
)
from tools import dashboards, rules

SCHEMAS = {file.stem: yaml.safe_load(file.read_text()) for file in (FOLDER / "schemas").glob("*.yaml")}


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


def test_casework_replicas_share_their_keys() -> None:
    """On several nodes, and outside the database, whose backups must not hold them."""
    claim = named("production", "PersistentVolumeClaim", "casework-keys")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    pod: dict[str, Any] = named("production", "Deployment", "casework")["spec"]["template"]["spec"]
    (volume,) = (one for one in pod["volumes"] if "persistentVolumeClaim" in one)
    mounts = {one["mountPath"]: one["name"] for one in pod["containers"][0]["volumeMounts"]}
    assert mounts[environment(pod)["IMI_KEYS"]] == volume["name"]


def test_the_cluster_alerts_and_shows_as_compose_does() -> None:
    """Its rules are those of the files, group by group, its dashboards the files, found by their label."""
    assert rules.PLACE.read_text() == rules.generated()
    groups = [one for folder in rules.SOURCES for one in groups_in(FOLDER.parent / "prometheus" / folder)]
    assert named("production", "PrometheusRule", "exchange")["spec"]["groups"] == groups
    maps = of_kind("production", "ConfigMap")
    shown = {file: text for one in maps for file, text in one["data"].items()}
    assert shown == {path.name: path.read_text() for path in dashboards.FOLDER.glob("*.json")}
    assert all(one["metadata"]["labels"]["grafana_dashboard"] == "1" for one in maps)
    # `kubectl apply` keeps an object a second time, in an annotation of at most 256 KiB.
    assert all(len(text) < 200_000 for text in shown.values())


def groups_in(folder: Path) -> list[Manifest]:
    return [one for path in sorted(folder.glob("*.yml")) for one in yaml.safe_load(path.read_text())["groups"]]


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_backed_up_every_night_by_whoever_may_only_read(service: str) -> None:
    """Sealed with a key of its own, into a volume of its own; what is written down as a command is one of `imi`'s."""
    job = named("production", "CronJob", f"backup-{service}")["spec"]
    assert (job["concurrencyPolicy"], job["timeZone"]) == ("Forbid", "Etc/UTC")
    assert re.fullmatch(r"\d+ \d+ \* \* \*", job["schedule"])
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    command, of, folder, *options = container["args"]
    assert (command, of, options) == ("backup", service, ["--keep", "14", "--json"])
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert volumes[mounts[folder]]["persistentVolumeClaim"]["claimName"] == f"backups-{service}"
    assert named("production", "PersistentVolumeClaim", f"backups-{service}")
    own = made.secrets(PASSWORDS, WANTED["production"])
    mine = own[volumes["credentials"]["secret"]["secretName"]]
    assert mine["mongo_url"].startswith("mongodb://backup:")
    assert f"authSource={service}&" in mine["mongo_url"]
    assert len(base64.b64decode(mine["backup_key"])) == 32
    assert len({own[f"backup-{one}-credentials"]["backup_key"] for one in SERVICES}) == len(SERVICES)
    assert "IMI_KEYS" not in environment(pod)


@pytest.mark.parametrize("service", SERVICES)
def test_a_lost_database_is_restored_from_a_pod_that_nobody_has_to_write(service: str) -> None:
    """It is not there until it is scaled up, may write that one database and read its backups, and has no more."""
    deployment = named("production", "Deployment", f"restore-{service}")["spec"]
    assert deployment["replicas"] == 0
    pod = deployment["template"]["spec"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    parts = [part["secret"] for part in volumes["credentials"]["projected"]["sources"]]
    given = {one["name"]: [item["key"] for item in one["items"]] for one in parts}
    assert given == {f"{service}-credentials": ["mongo_url"], f"backup-{service}-credentials": ["backup_key"]}
    assert volumes["backups"]["persistentVolumeClaim"] == {"claimName": f"backups-{service}", "readOnly": True}
    told, mounts = environment(pod), {one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    assert told["IMI_MONGO_URL_FILE"] == "/run/secrets/imi/mongo_url"
    assert told["IMI_BACKUP_KEY"] == "/run/secrets/imi/backup_key"
    assert mounts > {"/run/secrets/imi", "/run/tls", "/backups"}
    assert pod["containers"][0]["image"].startswith("imi-client:")


def test_each_backup_begins_at_another_time() -> None:
    """The database reads one of them at a time."""
    schedules = [one["spec"]["schedule"] for one in of_kind("production", "CronJob")]
    assert len(set(schedules)) == len(schedules) == len(SERVICES)
    assert not of_kind("small", "CronJob")
