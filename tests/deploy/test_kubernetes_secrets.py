"""Secrets and certificates, as rendered for Kubernetes: each part has its own, and nothing is said in the clear."""

import json
import re
import stat
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]  # it says nothing of its types
import pytest
import yaml

from deploy.compose.credentials import ADMINISTRATOR
from deploy.kubernetes import credentials as made
from tests.deploy.rendered import (
    FOLDER,
    OVERLAY,
    PASSWORDS,
    VERSION,
    WANTED,
    containers,
    environment,
    named,
    of_kind,
    overlay,
    pods,
    secrets_of,
    settings,
)

_FILES = {"IMI_PASSWORDS", "IMI_KEYS", "IMI_HTTP_KEY", "IMI_BACKUP_KEY"}
"""Settings that name a file or a folder by themselves."""


@OVERLAY
def test_every_secret_is_a_file_that_is_handed_out(name: str) -> None:
    """No password stands in a manifest or an environment; what a pod looks for, `credentials` makes."""
    handed_out = made.secrets(PASSWORDS, WANTED[name])
    certificates = {"services-tls", "mongodb-tls"}
    for pod_name, pod in pods(name):
        mounted = secrets_of(pod)
        assert mounted <= handed_out.keys() | certificates
        for container in containers(pod):
            assert not container.get("envFrom")
            assert all(one.keys() == {"name", "value"} for one in container.get("env", []))
        own = {key for secret in mounted - certificates for key in handed_out[secret]}
        looked_for = {value for value in environment(pod).values() if value.startswith("/run/secrets/imi/")}
        assert {path.rsplit("/", 1)[1] for path in looked_for} <= own, pod_name
        secret = [one for one in environment(pod) if re.search("URL|PASS|KEY|USER|TOKEN", one)]
        assert all(one.endswith("_FILE") or one in _FILES for one in secret)
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
    mounted = {secret for _, pod in pods("production") for secret in secrets_of(pod)}
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
