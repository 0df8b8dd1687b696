"""Replicas that are killed, a mail server that fails: nothing lost or twice. `make prove-emails` does it longer."""

from pathlib import Path

import pytest

from deploy.local.exchange import Exchange
from tests.proof.emails import WRONG, prove

pytestmark = pytest.mark.servers


@pytest.mark.slow
async def test_each_mail_arrives_once_whoever_is_killed_and_whatever_the_mail_server_says(
    running: Exchange, tmp_path: Path
) -> None:
    """One of three killed every few seconds; 4xx, 5xx, dropped connections. A repeat has the same identity."""
    result = await prove(running, tmp_path, cases=80, seconds=13, seed=3)
    assert {name: result[name] for name in WRONG} == dict.fromkeys(WRONG, 0), result
    assert result["kills"] >= 2
