"""A year of deadlines: every e-mail that the rules call for, none other, none twice. `make prove-emails` plays more."""

from datetime import timedelta
from pathlib import Path

import pytest

from deploy.local.exchange import Exchange
from tests.proof.year import WRONG, prove

pytestmark = pytest.mark.servers


async def test_a_year_of_deadlines_is_what_a_plain_recomputation_says(running: Exchange, tmp_path: Path) -> None:
    """By real broker, database and SMTP server; the clock stops every few days and whenever anything is planned."""
    result = await prove(running, tmp_path, cases=12, every=timedelta(days=4), seed=7)
    assert {name: result[name] for name in WRONG} == dict.fromkeys(WRONG, 0), result["examples"]
    assert result["called_for"] > 100
