"""docker-compose.yml under docker-compose.tls.yml, as `docker compose config` merges them; that needs no engine."""

import json
import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.topology import SERVICES
from deploy.compose import credentials as made
from deploy.compose.command import CommandError, run
from deploy.compose.smoke import compose_command
from tests.deploy.rendered import settings
from tests.deploy.test_compose_files import CONTAINERS, PASSWORDS, ROOT

CERTIFICATES = "/etc/imi/certificates"
PROCESSES = (*SERVICES, "provisioner")


@cache
def merged() -> dict[str, Any]:
    """Both files as one; skips the test where `docker compose` is not to be had."""
    files = [word for name in ("docker-compose.yml", "docker-compose.tls.yml") for word in ("-f", str(ROOT / name))]
    try:
        compose = compose_command()
    except CommandError as reason:
        pytest.skip(f"no docker compose: {reason}")
    options = ("--profile", "watching", "--profile", "operator", "config", "--format", "json")
    text = run(*compose, *files, *options, environment={"IMI_CERTIFICATES": CERTIFICATES})
    containers: dict[str, Any] = json.loads(text)["services"]
    return containers


def mounts(container: str) -> dict[str, str]:
    """What of this machine a container sees, by where."""
    return {one["target"]: one["source"] for one in merged()[container]["volumes"] if one["type"] == "bind"}


def test_every_process_trusts_the_one_authority_and_serves_over_tls() -> None:
    """With IMI_CA it takes no address that is not encrypted; all is read-only; its health is asked over TLS."""
    for name in PROCESSES:
        told = merged()[name]["environment"]
        files = {told[key] for key in ("IMI_CA", "IMI_HTTP_CERTIFICATE", "IMI_HTTP_KEY")}
        assert files == {target for target in mounts(name) if target.startswith("/run/tls/")}
        assert all(source.startswith(CERTIFICATES) for target, source in mounts(name).items() if target in files)
        assert "https://localhost:8000/health/ready" in merged()[name]["healthcheck"]["test"][-1]
        for volume in merged()[name]["volumes"]:
            assert volume.get("read_only") or volume["target"] == "/keys"
    assert merged()["notifier"]["environment"]["IMI_SMTP_ENCRYPTED"] == "true"


def test_every_address_that_is_handed_out_is_encrypted() -> None:
    """Whatever `credentials` writes when it is told to, as the override tells it."""
    assert merged()["credentials"]["environment"] == {"IMI_TLS": "true"}
    for container, files in made.credentials(PASSWORDS, tls=True).items():
        for name, url in files.items():
            if name.endswith("_url"):
                assert re.match(r"(amqps|https|smtps)://|mongodb://.*&tls=true", url), (container, name)


def test_the_operators_command_line_trusts_the_one_authority() -> None:
    """And so takes no address that is not encrypted."""
    assert merged()["imi"]["environment"]["IMI_CA"] in mounts("imi")


def test_servers_take_nothing_in_the_clear() -> None:
    """The broker has no listener without TLS, and what test_encryption.py ran with; MongoDB and the mail server too."""
    listens = settings((ROOT / "deploy/compose/tls.conf").read_text())
    assert listens["listeners.tcp"] == "none"
    assert {one["target"] for one in merged()["rabbitmq"]["ports"]} == {
        int(listens["listeners.ssl.default"]),
        int(listens["management.ssl.port"]),
    }
    assert {one["host_ip"] for one in merged()["rabbitmq"]["ports"]} == {"127.0.0.1"}
    named = {path for key, path in listens.items() if key.endswith("file")}
    assert named == {target for target in mounts("rabbitmq") if target.startswith("/run/tls/")}
    assert f"{ROOT}/deploy/rabbitmq/tls.conf" in mounts("rabbitmq").values()
    assert "rabbitmq_auth_mechanism_ssl" in Path(mounts("rabbitmq")["/etc/rabbitmq/enabled_plugins"]).read_text()
    command = merged()["mongodb"]["command"]
    assert command[: len(CONTAINERS["mongodb"]["command"])] == CONTAINERS["mongodb"]["command"]
    assert command[command.index("--tlsMode") + 1] == "requireTLS"
    assert merged()["mailpit"]["environment"]["MP_SMTP_REQUIRE_TLS"] == "true"


def test_what_watches_asks_over_tls_for_the_same() -> None:
    """The file with TLS is the other one, with a scheme, an authority and a name, and the broker's other port."""
    folder = ROOT / "deploy/prometheus"
    plain, tls = (yaml.safe_load((folder / name).read_text()) for name in ("prometheus.yml", "prometheus-tls.yml"))
    assert mounts("prometheus")["/etc/prometheus/prometheus.yml"] == str(folder / "prometheus-tls.yml")
    stripped = deepcopy(tls)
    for job in stripped["scrape_configs"]:
        assert job.pop("scheme") == "https"
        assert job.pop("tls_config")["ca_file"] in mounts("prometheus")
    assert yaml.safe_dump(stripped).replace("15691", "15692") == yaml.safe_dump(plain)


def test_nobody_gets_more_rights_by_it() -> None:
    """All that hardens a container, its networks and its user are those of docker-compose.yml."""
    for name, container in CONTAINERS.items():
        same = ("read_only", "cap_drop", "security_opt", "user")
        assert {key: merged()[name].get(key) for key in same} == {key: container.get(key) for key in same}
        if "networks" in container:
            assert set(merged()[name]["networks"]) == set(container["networks"])
