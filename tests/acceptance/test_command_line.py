"""`imi`, the command line, as an operator or an integrator types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from client.account import new_password
from client.topology import ACCOUNTS
from contracts.topology import OPERATOR, SERVICES, VHOST
from deploy.local.waiting import until
from tests.world import AREA, HOLDER, LEGISLATION, World

IMI = Path(sys.executable).parent / "imi"


def imi(*arguments: str, status: int = 0, given: str | None = None, **environment: str) -> str:
    """Run `imi` and return what it printed. Its exit status must be the given one."""
    done = subprocess.run(
        [IMI, *arguments], input=given, text=True, capture_output=True, env=os.environ | environment, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_a_password_and_its_hash_are_made_on_this_side() -> None:
    """Two calls give two passwords; only the hash is meant to travel."""
    one, other = (json.loads(imi("password", "--json")) for _ in range(2))
    assert one["password"] != other["password"]
    assert len(one["password_hash"]) == 48


def test_the_definitions_hold_no_password(tmp_path: Path) -> None:
    """What a broker imports has every service's account, the operator's system, and hashes alone."""
    passwords = {name: new_password() for name in ACCOUNTS}
    for name, password in passwords.items():
        (tmp_path / name).write_text(password)
    printed = imi("topology", "definitions", "--secrets", str(tmp_path))
    definitions = json.loads(printed)
    assert {user["name"] for user in definitions["users"]} >= {OPERATOR, *(f"service.{name}" for name in SERVICES)}
    assert {vhost["name"] for vhost in definitions["vhosts"]} == {VHOST}
    assert not [password for password in passwords.values() if password in printed]


def test_every_area_is_translated_into_every_language() -> None:
    """`coverage` shows 100 % for all of them, and says so by its exit status."""
    folders = [str(file.parent) for file in LEGISLATION.glob("*/area.yaml")]
    assert "99%" not in imi("legislation", "coverage", *folders)


@pytest.mark.servers
def test_the_topology_is_applied_to_a_running_broker_as_often_as_one_likes(world: World, tmp_path: Path) -> None:
    """What is there stays: the accounts keep their passwords, the exchange goes on."""
    for name in ACCOUNTS:
        (tmp_path / name).write_text(world.exchange.passwords[name])
    admin = world.exchange.addresses.rabbit_admin
    url = world.exchange.addresses.management_url_for(admin.name, admin.password)
    applied = ("topology", "apply", "--secrets", str(tmp_path), "--json")
    nothing: dict[str, list[str]] = {"missing": [], "remade": [], "stand_still": []}
    for said in ((), ("--yes",), ("--yes",)):
        told = json.loads(imi(*applied, *said, IMI_MANAGEMENT_URL=url))
        assert told == {"applied": bool(said), **nothing}
    assert json.loads(imi("topology", "diff", "--json", IMI_MANAGEMENT_URL=url)) == []
    listed = {one["system"]: one for one in json.loads(imi("systems", "--json", IMI_MANAGEMENT_URL=url))}
    assert listed["hu-hivatal"]["state"] == "active"
    world.exchange.wait_until_ready()


@pytest.mark.servers
def test_the_operator_publishes_an_area_again_without_changing_it(world: World) -> None:
    """A version that is published already is left as it is."""
    printed = imi("legislation", "publish", str(LEGISLATION / AREA), IMI_URL=world.url(OPERATOR))
    assert "published in 26 languages" in printed


@pytest.mark.servers
def test_a_system_sends_a_command_from_a_file_and_reads_its_outcome(world: World) -> None:
    """Exit status 0 when it was done, 1 when it was refused; the outcome is printed as JSON either way."""
    search = {"country": "HU", "text": "oktatasi"}
    found = json.loads(imi("send", "registry.search.v1", "-", given=json.dumps(search), IMI_URL=world.url("de-other")))
    assert [one["card"]["id"] for one in found["found"]] == [world.ids["hu-hivatal"]]
    request = world.request(authority=world.ids["de-other"], wished_date="2020-01-01").model_dump_json()
    refused = imi("send", "casework.send_request.v1", "-", given=request, status=1, IMI_URL=world.url("de-other"))
    assert json.loads(refused)["refused"]["code"] == "date-in-the-past"


@pytest.mark.servers
def test_an_authority_reads_its_cases_and_their_proof_and_the_operator_checks_all(world: World, tmp_path: Path) -> None:
    """Listed, exported as JSON and as a page, verified, counted; what a program reads is JSON."""
    sender, operator = world.url("de-kammer"), world.url(OPERATOR)
    authority = world.ids["de-kammer"]
    command = world.request().model_dump_json(exclude_none=True)
    sent = json.loads(imi("send", "casework.send_request.v1", "-", given=command, IMI_URL=sender))
    number = sent["case"]["id"]
    listed = json.loads(imi("cases", "list", "--authority", authority, "--json", IMI_URL=sender))
    assert number in [case["id"] for case in listed]
    assert number in imi("cases", "list", "--authority", authority, IMI_URL=sender, COLUMNS="200")
    imi("cases", "export", number, str(tmp_path), "--authority", authority, IMI_URL=sender)
    proof = json.loads((tmp_path / f"{number}.json").read_text())
    assert proof["whole"]
    assert [step["what"] for step in proof["steps"]] == ["sent"]
    page = (tmp_path / f"{number}.html").read_text()
    assert number in page
    assert "<script" not in page
    assert json.loads(imi("cases", "verify", "--case", number, "--json", IMI_URL=operator)) == {
        "checked": 1,
        "broken": [],
    }
    assert "0 broken" in imi("cases", "verify", IMI_URL=operator)
    imi("cases", "verify", status=1, IMI_URL=sender)
    assert json.loads(imi("retention", "run", "--dry-run", "--json", IMI_URL=operator))["dry_run"]
    month = ("--first", "2026-01", "--last", "2099-12")
    assert imi("scoreboard", *month, "--csv", IMI_URL=operator).startswith("country,area,requests")
    assert isinstance(json.loads(imi("scoreboard", *month, "--json", IMI_URL=operator)), list)
    imi("scoreboard", *month, IMI_URL=operator)


@pytest.mark.servers
def test_the_helpdesk_sees_where_a_case_stands_and_never_what_it_says(world: World) -> None:
    """Who did what, by which message, who reads it; nobody but the operator is told, and of no other case."""
    command = world.request().model_dump_json(exclude_none=True)
    sent = json.loads(
        imi(
            "send",
            "casework.send_request.v1",
            "-",
            "--message-id",
            "traced",
            given=command,
            IMI_URL=world.url("de-kammer"),
        )
    )
    number = sent["case"]["id"]
    printed = imi("cases", "show", number, "--json", IMI_URL=world.url(OPERATOR))
    traced = json.loads(printed)
    assert [(step["what"], step["command"]) for step in traced["steps"]] == [("sent", "de-kammer/traced")]
    assert {one["system"] for one in traced["readers"]} == {"de-kammer", "hu-hivatal"}
    assert traced["parked"] == []
    assert HOLDER not in printed
    assert number in imi("cases", "show", number, IMI_URL=world.url(OPERATOR))
    imi("cases", "show", number, status=1, IMI_URL=world.url("de-kammer"))
    imi("cases", "show", "AAAA-AAAA-AAAA", status=1, IMI_URL=world.url(OPERATOR))


@pytest.mark.servers
@pytest.mark.parametrize("service", ["casework", "translation", "notifier"])
def test_a_services_copies_are_told_again_when_the_operator_asks(world: World, service: str) -> None:
    """All of them, though nothing differs; without --yes nothing is asked, and nobody else may ask."""
    (registry,) = world.exchange.of("registry")

    def told() -> float:
        metrics = httpx.get(f"{registry.url}/metrics", trust_env=False).text.splitlines()
        lines = [line for line in metrics if line.startswith("imi_replayed_total{") and f'"{service}"' in line]
        return sum(float(line.split()[-1]) for line in lines if 'kind="authority"' in line)

    rebuild, before = ("readmodels", "rebuild", service), told()
    assert not json.loads(imi(*rebuild, "--json", IMI_URL=world.url(OPERATOR)))["asked"]
    imi(*rebuild, "--yes", status=1, IMI_URL=world.url("de-kammer"))
    assert told() == before
    assert json.loads(imi(*rebuild, "--yes", "--json", IMI_URL=world.url(OPERATOR)))["asked"]
    until(lambda: told() >= before + len(world.ids), "the registry tells nothing", 20)
