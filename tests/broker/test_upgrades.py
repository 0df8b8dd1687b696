"""Replicas come and go, of this release and of the one before, while cases go on: a short run of each proof."""

import functools
from pathlib import Path

import pytest

from tests.chaos.report import stories
from tests.proof import upgrading
from tests.proof.moving import Seen, under_load
from tests.proof.scaling import scale

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def whole(seen: Seen) -> None:
    """Nothing that the systems should have seen is missing or doubled, and each replica had its part."""
    assert not seen.found, "\n".join(stories(seen.record, seen.found))
    assert len(seen.record.cases) > 10


async def test_replicas_come_and_go_under_load_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Each service goes from one replica to two and back, and is rolled over, while cases go on."""
    move = functools.partial(scale, times=1, most=2, rest=0.5)
    seen = await under_load(tmp_path, move, rate=4, seed=1, tell=lambda _: None)
    whole(seen)
    assert len(seen.handled) > 8


@pytest.mark.skipif(not upgrading.has_previous(), reason="the previous release is not in this clone")
async def test_the_previous_release_and_this_one_work_in_any_mix(tmp_path: Path) -> None:
    """Service by service back to the release before and forward again, under load."""
    upgrading.unpack(tmp_path / "previous")
    seen = await under_load(
        tmp_path, upgrading.Upgrade(tmp_path / "previous", 1, rest=0.5), rate=4, seed=1, tell=lambda _: None
    )
    whole(seen)
    assert {one.release for one in seen.handled} == {"this", "previous"}
