"""What a replica shows of itself: how far it is, how late its copies may be, where the time of a group goes."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from services.chassis import observing, stages
from services.chassis.feed import Feed
from services.chassis.observing import Observing
from services.chassis.stages import DatabaseTime
from services.chassis.worker import Worker


def shown(name: str, **labels: str) -> float:
    """The value of a sample as this process would show it."""
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None, name
    return value


class FakeFeed:
    """A feed whose queue holds what the test says; a broker that is away raises."""

    def __init__(self, queue: str, lag: float | Exception) -> None:
        self.queue, self.unknown_for = queue, 77.0
        self._lag = lag

    async def lag(self) -> float:
        """What was found."""
        if isinstance(self._lag, Exception):
            raise self._lag
        return self._lag


def looking(ready: Any, feeds: list[FakeFeed]) -> Observing:
    """One that looks at two workers."""
    workers = [SimpleNamespace(consumers=(3, 4), oldest=0.5), SimpleNamespace(consumers=(1, 1), oldest=2.0)]
    return Observing(ready, cast("list[Worker]", workers), cast("list[Feed]", feeds))


async def test_a_look_shows_all_workers_together() -> None:
    """Queues are summed over the workers, the oldest message is that of any of them."""

    async def ready() -> bool:
        return True

    await looking(ready, [FakeFeed("casework.events", 1.5)]).turn()
    assert shown("imi_consumers_ready") == 4
    assert shown("imi_consumers_wanted") == 5
    assert shown("imi_oldest_delivery_seconds") == 2.0
    assert shown("imi_read_model_lag_seconds", queue="casework.events") == 1.5
    assert shown("imi_ready") == 1


async def test_what_cannot_be_asked_counts_as_late_and_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is away leaves the copy unknown since it was last seen whole; one that is silent is not ready."""
    monkeypatch.setattr(observing, "WITHIN", 0.01)

    async def never() -> bool:
        await asyncio.Event().wait()
        return True

    await looking(never, [FakeFeed("notifier.events", ConnectionError("away"))]).turn()
    assert shown("imi_read_model_lag_seconds", queue="notifier.events") == 77.0
    assert shown("imi_ready") == 0


async def test_time_for_the_database_is_not_time_to_decide() -> None:
    """What the database takes in tasks of the handler counts as storing, the rest as deciding."""
    before = {stage: shown("imi_stage_seconds_sum", stage=stage) for stage in ("storing", "deciding", "waiting")}
    took: Any = SimpleNamespace(duration_micros=2_000_000, command_name="find")

    async def ask() -> None:
        DatabaseTime().succeeded(took)

    with stages.handling(time.monotonic() - 5):
        await asyncio.gather(ask(), ask())
    await ask()  # what a loop asks belongs to no group
    # Other tests of this process have added to the sums: what was added here is right but for the last digits.
    added = {stage: round(shown("imi_stage_seconds_sum", stage=stage) - before[stage], 6) for stage in before}
    assert added["storing"] == 4.0
    assert added["deciding"] == 0.0
    assert added["waiting"] >= 5.0
    assert shown("imi_database_seconds_count", operation="find") >= 3


async def test_a_failed_operation_is_counted() -> None:
    """It took its time, too."""
    before = shown("imi_database_failures_total")
    took: Any = SimpleNamespace(duration_micros=1_000, command_name="update")
    DatabaseTime().failed(took)
    assert shown("imi_database_failures_total") == before + 1
