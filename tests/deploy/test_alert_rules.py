"""The rules by which Prometheus alerts: promtool fires each, and leaves it; each says what to do first."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.topology import INBOX_LENGTH, LANE_LENGTH, SERVICES
from deploy.local.watching import FOLDER, hurried, program

RULES: list[dict[str, Any]] = [
    rule
    for folder in ("rules", "kubernetes")
    for path in sorted((FOLDER / folder).glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
CASES: list[dict[str, Any]] = [
    case for path in sorted((FOLDER / "tests").glob("*.yml")) for case in yaml.safe_load(path.read_text())["tests"]
]
OPERATIONS = FOLDER.parents[1] / "docs" / "operations.md"
needs_promtool = pytest.mark.skipif(program("promtool") is None, reason="no promtool: apt-get install prometheus")


@needs_promtool
def test_promtool_takes_the_rules_and_their_tests_hold() -> None:
    """Every rule parses; every alert fires on what should fire it, with its words, and on no more."""
    rules = [*_files("rules"), *_files("kubernetes")]
    for arguments in (["check", "rules", *rules], ["test", "rules", *_files("tests")]):
        done = subprocess.run([str(program("promtool")), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _files(folder: str) -> list[str]:
    return sorted(str(path) for path in (FOLDER / folder).glob("*.yml"))


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_is_tested_both_ways(name: str) -> None:
    """At least one test fires it, and at least one does not, with a sentence that says why."""
    expected = [
        bool(one["exp_alerts"]) for case in CASES for one in case["alert_rule_test"] if one["alertname"] == name
    ]
    assert set(expected) == {True, False}
    assert all(": " in case["name"] for case in CASES)


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_says_how_bad_it_is_and_what_to_do_first(name: str) -> None:
    """A severity that has a meaning, a summary, a description, and a section of its own in docs/operations.md."""
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}"
    section = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", OPERATIONS.read_text(), re.DOTALL | re.MULTILINE)
    assert section, f"no section {name}"
    assert "**First:**" in section[1]


def test_no_section_is_left_of_an_alert_that_is_gone() -> None:
    """What stands under "Alerts" is what can fire."""
    alerts = OPERATIONS.read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^### (\w+)$", alerts, re.MULTILINE)) == sorted(ALERTS)


def test_limits_are_those_of_the_broker() -> None:
    """An inbox is nearly full at four fifths of what the broker's policy lets it hold; it is full at all of it."""
    assert ALERTS["InboxNearlyFull"]["expr"].endswith(f"> {INBOX_LENGTH * 4 // 5}")
    assert ALERTS["InboxDropping"]["expr"].endswith(f">= {INBOX_LENGTH}")
    assert f"{LANE_LENGTH:,}" in ALERTS["BacklogGrowing"]["annotations"]["description"]


def test_every_service_is_looked_for() -> None:
    """Prometheus asks each, and a service that is gone altogether is missed."""
    asked = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"][0]["dns_sd_configs"][0]["names"]
    assert set(asked) == {*SERVICES, "provisioner"}
    missed = re.findall(r'absent\(imi_ready\{service="(\w+)"\}\)', ALERTS["NoReadyReplica"]["expr"])
    assert set(missed) == set(asked)


def test_hurrying_changes_times_and_named_limits_alone() -> None:
    """Whatever runs in the tests is what ships, but for how long it takes."""
    rules = "expr: a > 80000\n  for: 5m\nexpr: rate(b[5m]) > 60 and last_over_time(c[1h])\n  for: 30s\n"
    wanted = "expr: a > 40\n  for: 1s\nexpr: rate(b[20s]) > 60 and last_over_time(c[1h])\n  for: 1s\n"
    assert hurried(rules, {"80000": "40"}) == wanted


@needs_promtool
def test_prometheus_takes_its_configuration() -> None:
    """The file that the container starts with."""
    command = [str(program("promtool")), "check", "config", "--syntax-only", str(Path(FOLDER) / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
