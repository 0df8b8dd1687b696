"""What waits is kept: which faults of the database are none, and which pass."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import BulkWriteError

from services.chassis.faults import passes
from services.notifier.notices import Told
from services.notifier.waiting import Waiting, Waits

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
THERE_ALREADY, NOT_PRIMARY, INVALID = 11000, 10107, 121


@dataclass
class Failing:
    """A database whose inserts fail for these reasons."""

    codes: list[int]
    unconfirmed: bool = False

    def __getitem__(self, _name: str) -> "Failing":
        return self

    def with_options(self, **_options: Any) -> "Failing":
        return self

    async def insert_many(self, _documents: Any, **_options: Any) -> None:
        unconfirmed = [{"code": 64}] if self.unconfirmed else []
        errors = [{"code": code, "errmsg": ""} for code in self.codes]
        raise BulkWriteError({"writeErrors": errors, "writeConcernErrors": unconfirmed})


async def add(database: Any) -> None:
    told = Told("one", "replied", "7Q4M-0000-1111", "HU-ABCD1234")
    await Waiting(database, timedelta(minutes=1)).add([Waits(told.authority, told, NOW)], NOW)


async def test_what_is_kept_already_is_no_fault() -> None:
    """It stays as it is."""
    await add(Failing([THERE_ALREADY, THERE_ALREADY]))


@pytest.mark.parametrize(
    ("failing", "again"),
    [
        (Failing([THERE_ALREADY, NOT_PRIMARY]), True),
        (Failing([THERE_ALREADY], unconfirmed=True), True),
        (Failing([THERE_ALREADY, INVALID]), False),
    ],
    ids=["a change of primary", "not confirmed", "refused"],
)
async def test_what_else_was_not_kept_decides_whether_to_try_again(failing: Failing, again: bool) -> None:
    """Whatever was there already among it."""
    with pytest.raises(BulkWriteError) as caught:
        await add(failing)
    assert passes(caught.value) is again
