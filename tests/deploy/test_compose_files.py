import base64
import hashlib
import json
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from client.topology import ACCOUNTS
from contracts.topology import OPERATOR, SERVICES
from deploy.compose import credentials as made
from deploy.compose.images import REAL, pip_configuration
from services.chassis.serving import FINISH_WITHIN
from services.notifier import sending
from tools.locks import IMAGES

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = ("credentials", "mongodb-users", "imi")
PROCESSES = (*SERVICES, "provisioner")
WATCHING = {name for name, container in CONTAINERS.items() if container.get("profiles") == ["watching"]}
RECIPES = {name: (ROOT / "services" / name / "Dockerfile").read_text() for name in SERVICES}
EVERY_RECIPE = {image: (folder / "Dockerfile").read_text() for image, folder in IMAGES.items()}
PASSWORDS = {name: hashlib.sha256(name.encode()).hexdigest() for name in made.NAMES}


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_has_no_more_rights_than_it_needs(name: str) -> None:
    """Read-only root, no capability, no way to gain one, bounded memory and processes; root only to chown a key."""
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["init"] is True
    assert container["mem_limit"]
    assert container["pids_limit"]
    assert container.get("cap_add", []) == (["CHOWN"] if name == "credentials" else [])
    assert "privileged" not in container


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name not in ONCE])
def test_what_runs_on_is_watched_and_restarted(name: str) -> None:
    """A health check and a restart policy on all but those that end."""
    container = CONTAINERS[name]
    assert container["restart"] == "unless-stopped"
    assert container["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", PROCESSES)
def test_any_service_can_be_scaled(name: str) -> None:
    """No name and no port of this machine is taken, and a service has time to finish what it has in hand."""
    container = CONTAINERS[name]
    assert not container.keys() & {"container_name", "hostname", "ports"}
    assert int(container["stop_grace_period"].removesuffix("s")) > 2 * FINISH_WITHIN + sending.FINISH_WITHIN


def test_ports_are_open_to_this_machine_alone() -> None:
    """What is published is published on loopback."""
    ports = [port for container in CONTAINERS.values() for port in container.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:${IMI_") for port in ports)


def test_each_container_sees_its_own_credentials_alone() -> None:
    """No two share a volume of credentials, they are read-only, and only what makes them has them all."""
    readers = {name: of["volumes"] for name, of in CONTAINERS.items() if name not in {"credentials", *WATCHING}}
    mounts = [volume for volumes in readers.values() for volume in volumes if "-credentials:" in volume]
    assert all(mount.endswith("-credentials:/run/secrets:ro") for mount in mounts)
    assert len(mounts) == len(set(mounts)) == len(readers)


def test_what_watches_has_no_credential_and_reads_what_is_checked() -> None:
    """It starts when it is asked for, knows no password, and mounts the files of this checkout, read-only."""
    assert {"prometheus", "alertmanager", "alert-mails", "grafana"} == WATCHING
    mounts = [volume for name in WATCHING for volume in CONTAINERS[name]["volumes"]]
    files = [volume for volume in mounts if volume.startswith("./")]
    assert not [volume for volume in mounts if "credentials" in volume]
    assert all(volume.endswith(":ro") and (ROOT / volume.split(":")[0]).exists() for volume in files)
    assert len(files) == 5
    variables = CONTAINERS["grafana"]["environment"]
    assert variables["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    home = variables["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "deploy/grafana/dashboards" / Path(home).name).exists()


def test_what_watches_reaches_what_it_watches() -> None:
    """Prometheus shares a network with every process and the broker; each of the others with what it talks to."""
    asked = {*PROCESSES, "rabbitmq"}
    assert all(set(CONTAINERS[name]["networks"]) & set(CONTAINERS["prometheus"]["networks"]) for name in asked)
    talks = [("prometheus", "alertmanager"), ("grafana", "prometheus"), ("alertmanager", "alert-mails")]
    internal = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    for one, other in talks:
        assert set(CONTAINERS[one]["networks"]) & set(CONTAINERS[other]["networks"]) & internal
    assert CONTAINERS["grafana"]["networks"] == ["watching", "edge"]


def test_no_credential_is_written_down() -> None:
    """Every address with a password comes from a file."""
    variables = [name for of in CONTAINERS.values() for name in of.get("environment", {})]
    secret = [name for name in variables if re.search("URL|PASS|AUTH_FILE|USER", name)]
    assert secret
    assert all(name.endswith("_FILE") for name in secret)


def test_services_are_cut_off_from_the_world() -> None:
    """They are on internal networks alone; the provisioner does not even reach the database."""
    internal = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    assert all(set(CONTAINERS[name]["networks"]) <= internal for name in PROCESSES)
    assert CONTAINERS["provisioner"]["networks"] == ["broker"]


@pytest.mark.parametrize("name", SERVICES)
def test_image_holds_one_service_and_what_it_locks(name: str) -> None:
    """Its own lock with hashes, its own code, a base that can be chosen, not root; any builder can build it."""
    recipe = RECIPES[name]
    assert recipe.count("\nFROM ") == 1
    assert "\nARG PYTHON_IMAGE=python:3.13-slim\nFROM ${PYTHON_IMAGE}\n" in recipe
    assert f"COPY services/{name}/requirements.lock services/{name}/\n" in recipe
    assert "--require-hashes" in recipe
    assert set(re.findall(r"services/(\w+) services/", recipe)) == {"chassis", name}
    assert "\nUSER 10001:10001\n" in recipe
    assert not re.search(r"# syntax=|<<|--mount", recipe)


@pytest.mark.parametrize("image", list(EVERY_RECIPE))
def test_every_image_says_what_it_is_and_is_nobody(image: str) -> None:
    """Name, version and base in its labels; a base with a version; packages by their hashes; a user without rights."""
    recipe = EVERY_RECIPE[image]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'org.opencontainers.image.title="{image}"' in recipe
    assert f"\nARG VERSION={version}\n" in recipe
    assert re.search(r"^ARG PYTHON_IMAGE=python:\d+\.\d+-slim$", recipe, re.MULTILINE)
    assert recipe.count("pip install") == recipe.count("--no-deps --require-hashes") == 1
    assert re.findall(r"^USER (.+)$", recipe, re.MULTILINE) == ["10001:10001"]
    assert not re.search(r"^(ADD|ENV .*(PASS|KEY|SECRET|TOKEN))", recipe, re.MULTILINE)


def test_every_image_has_a_version() -> None:
    """A release with its second number at least; ours its tag. What the smoke test pulls is what is started."""
    images = {container["image"] for container in CONTAINERS.values()}
    ours = {f"imi-{name}:${{IMI_TAG:-local}}" for name in (*SERVICES, "client")}
    theirs = {name: image for one in images - ours for name, image in re.findall(r"^\$\{(\w+_IMAGE):-(.+)\}$", one)}
    assert len(theirs) == len(images - ours)
    assert all(re.fullmatch(r"[\w/]+:v?\d+\.\d+(\.\d+)?(-\w+)?", image) for image in theirs.values())
    assert theirs == theirs | {name: image for name, image in REAL.items() if name in theirs}


def test_volumes_get_a_file_for_every_setting_that_names_one() -> None:
    """What a container looks for under /run/secrets is handed out to it."""
    handed_out = made.credentials(PASSWORDS)
    for name, container in CONTAINERS.items():
        wanted = {v for v in container.get("environment", {}).values() if v.startswith("/run/secrets/")}
        assert {Path(file).name for file in wanted} <= handed_out.get(name, {}).keys()


def test_no_container_is_handed_anothers_password() -> None:
    """A password stands in one service's files, besides those of the server that checks it."""
    files = {volume: "".join(of.values()) for volume, of in made.credentials(PASSWORDS).items()}
    for name, password in PASSWORDS.items():
        owner = name.partition("/")[2]
        holders = {volume for volume, text in files.items() if password in text}
        allowed = {owner, "mongodb-users", "mailpit", "mongodb"} | ({"imi"} if opens_something(name) else set())
        assert holders <= (allowed | {"provisioner"} if owner == made.ADMINISTRATOR else allowed)


def opens_something(name: str) -> bool:
    """An account of the broker or of a service's database: the operator's command line has those, and no other."""
    where, _, owner = name.partition("/")
    return where == "broker" or (where == "database" and owner in SERVICES)


def test_the_operators_command_line_has_what_its_commands_want() -> None:
    """A file for each account, as the topology is applied with; addresses; and of each service database and key."""
    mine = made.credentials(PASSWORDS)["imi"]
    assert set(ACCOUNTS) < mine.keys()
    assert all(mine[name] == PASSWORDS[f"broker/{name}"] for name in ACCOUNTS)
    assert f"//{OPERATOR}:{PASSWORDS['broker/operator']}@rabbitmq:" in mine["amqp_url"]
    assert f"//{made.ADMINISTRATOR}:" in mine["management_url"]
    for service in SERVICES:
        assert f"//{service}:{PASSWORDS[f'database/{service}']}@mongodb:" in mine[f"{service}_mongo_url"]
        assert len(base64.b64decode(mine[f"{service}_backup_key"])) == 32
    assert len({mine[f"{service}_backup_key"] for service in SERVICES}) == len(SERVICES)


def test_the_operators_command_line_reaches_the_servers_and_runs_when_it_is_asked_for() -> None:
    """Broker and database by the services' own networks, neither of which leads out; backups outlive the container."""
    container = CONTAINERS["imi"]
    assert container["profiles"] == ["operator"]
    assert container["networks"] == ["broker", "database"]
    assert "${IMI_BACKUPS:-backups}:/backups" in container["volumes"]
    assert "chown 10001:10001 /backups" in EVERY_RECIPE["imi-client"]
    assert container["environment"]["IMI_BY"], "the container's user has no name that could go on record"


@pytest.mark.parametrize("account", [OPERATOR, made.ADMINISTRATOR])
def test_who_is_at_this_machine_can_read_the_operators_passwords(
    account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`docker compose run --rm credentials operator`, or `administrator`, prints it and hands nothing out."""
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr(made, "FOLDER", tmp_path)
    made.main([account])
    assert capsys.readouterr().out.strip() == made.kept_passwords(tmp_path / "kept")[f"broker/{account}"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["kept"]


def test_broker_is_given_hashes_and_one_administrator() -> None:
    """No password is in the definitions, their hashes fit, and services and systems administer nothing."""
    definitions = made.definitions(PASSWORDS)
    assert not any(password in json.dumps(definitions) for password in PASSWORDS.values())
    users = {user["name"]: user for user in definitions["users"]}
    salted = base64.b64decode(users["operator"]["password_hash"])
    assert salted[4:] == hashlib.sha256(salted[:4] + PASSWORDS["broker/operator"].encode()).digest()
    assert [name for name, user in users.items() if user["tags"]] == [made.ADMINISTRATOR]
    assert made.ADMINISTRATOR not in {permission["user"] for permission in definitions["permissions"]}


def test_passwords_are_made_once(tmp_path: Path) -> None:
    """A second start has the same, what a newer version needs besides is added, and nobody else may read them."""
    (tmp_path / "passwords.json").write_text('{"broker/registry": "kept"}')
    first = made.kept_passwords(tmp_path)
    assert first["broker/registry"] == "kept"
    assert first.keys() == set(made.NAMES)
    assert made.kept_passwords(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "passwords.json").stat().st_mode) == 0o400


def test_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Even one that its owner may not write, and even after a write that was cut off."""
    (tmp_path / "key.new").write_text("half")
    for text in ("one", "two"):
        made.write(tmp_path / "key", text, 0o400)
    assert (tmp_path / "key").read_text() == "two"
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_containers_reach_the_package_registry_as_this_machine_does() -> None:
    """The index is taken over; folders of this machine are not, for a container does not have them."""
    listed = ":env:.find-links='/wheels'\nglobal.extra-index-url='file:///x'\nglobal.index-url='https://index.example/simple'\n"
    certificates = "cert = /etc/ssl/certs/ca-certificates.crt\n"
    assert pip_configuration(listed) == f"[global]\n{certificates}index-url = https://index.example/simple\n"
    assert pip_configuration("") == f"[global]\n{certificates}"
