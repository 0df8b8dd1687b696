"""What replicas follow on Kubernetes: everything that a service reads, and never what is parked."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from contracts.topology import SERVICES, exchange_topology, queues_of
from tests.deploy.rendered import PROCESSES, named, of_kind

SYSTEMS = ("de-kammer", "parked", "expired", "commands", "views", "own")
"""Names that a coordinator may give, some of which are words of the exchange's own."""


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
