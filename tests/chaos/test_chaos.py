"""A short run of `make chaos`, with faults of every layer."""

from pathlib import Path

import pytest

from deploy.local.rabbitmq import SERVER
from tests.chaos.report import stories
from tests.chaos.run import Options, run

pytestmark = [pytest.mark.servers, pytest.mark.slow]

FAULTS = ("killed at a point", "node killed", "primary steps down")
SEED = 9
"""By this one each of them comes within a few seconds, and a process of casework is the one that dies."""


@pytest.mark.skipif(not SERVER.exists(), reason="there is no RabbitMQ on this machine to be run three times")
async def test_faults_of_every_layer_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    """On three nodes and three members: each command has one outcome, each inbox and mailbox everything, once."""
    result = await run(tmp_path, Options(seed=SEED, seconds=12, rate=4, only=FAULTS), lambda _: None)
    assert not result.found, "\n".join(stories(result.record, result.found))
    assert not result.record.never_met
    assert {fault.name for fault in result.record.faults} == set(FAULTS)
    at_points = [fault.target for fault in result.record.faults if fault.name == "killed at a point"]
    assert any(target.startswith("casework: ") for target in at_points)
    assert len(result.record.cases) > 20
