"""Dates in, plans out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from contracts.dates import Dates, Deadline
from services.chassis.delivery import Delivery, Handled
from services.notifier.deadlines import Plan
from services.notifier.handlers import Planner

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Plans:
    """A store that keeps what it was given."""

    def __init__(self) -> None:
        self.written: list[list[Plan]] = []

    async def plan(self, plans: Sequence[Plan]) -> None:
        self.written.append(list(plans))


def delivery(body: bytes, kind: str = Dates.TYPE) -> Delivery:
    channel: Any = None
    header = ContentHeader(properties=Basic.Properties(message_type=kind))
    message = DeliveredMessage(Basic.Deliver(delivery_tag=1), header, body, channel)
    return Delivery("notifier.dates", message)


def dates(case: str, version: int, *days: int) -> Delivery:
    due = [NOW + timedelta(days=day) for day in days]
    deadlines = tuple(Deadline(kind="answer", authority="HU-ABCD1234", due=one) for one in due)
    return delivery(
        Dates(case=case, version=version, area="services", at=NOW, deadlines=deadlines).model_dump_json().encode()
    )


async def test_a_group_is_planned_with_one_write_and_each_case_by_its_newest_dates() -> None:
    """Of several versions in one group, in any order, the newest counts; every delivery is then done."""
    plans, one, two = Plans(), "AAAA-0000-1111", "BBBB-0000-1111"
    group = [dates(one, 1, 5), dates(two, 2), dates(one, 3, 7, 9), dates(one, 2, 6), dates(two, 1, 5)]
    results = await Planner(plans, timedelta(days=2), lambda: NOW)(group)
    assert results == [Handled()] * 5
    (written,) = plans.written
    assert {plan.case: (plan.version, len(plan.steps)) for plan in written} == {one: (3, 4), two: (2, 0)}


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(delivery(b"{}"), id="wrong shape"),
        pytest.param(delivery(b"\xff"), id="no JSON"),
        pytest.param(delivery(b"{}", "casework.other.v1"), id="another type"),
    ],
)
async def test_what_are_no_dates_raises_and_writes_nothing(wrong: Delivery) -> None:
    """The worker then shows each alone, and parks the one that is at fault."""
    plans = Plans()
    with pytest.raises(ValueError, match=r"Dates|casework"):
        await Planner(plans, timedelta(days=2), lambda: NOW)([dates("AAAA-0000-1111", 1, 5), wrong])
    assert plans.written == []
