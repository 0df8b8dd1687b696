"""Dates in, plans out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from contracts.dates import AllDates, Dates, Deadline, Notice
from services.chassis.delivery import Delivery, Handled
from services.notifier.deadlines import WEEKS, Plan
from services.notifier.handlers import Planner
from services.notifier.notices import Told

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
GATHER_FOR = timedelta(minutes=1)


class Plans:
    """A store that keeps what it was given."""

    def __init__(self) -> None:
        self.written: list[list[Plan]] = []
        self.told: list[tuple[Told, datetime]] = []

    async def plan(self, plans: Sequence[Plan]) -> None:
        self.written.append(list(plans))

    async def notice(self, notices: Sequence[Told], send_at: datetime) -> None:
        self.told += [(one, send_at) for one in notices]


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
    results = await Planner(plans, GATHER_FOR, lambda: NOW)(group)
    assert results == [Handled()] * 5
    (written,) = plans.written
    assert {plan.case: (plan.version, len(plan.steps)) for plan in written} == {
        one: (3, 2 * (1 + WEEKS + 1)),
        two: (2, 0),
    }


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
        await Planner(plans, GATHER_FOR, lambda: NOW)([dates("AAAA-0000-1111", 1, 5), wrong])
    assert plans.written == []


async def test_what_has_happened_is_told_whatever_followed_and_once_however_often_it_comes() -> None:
    """Older dates of a case plan nothing, but what they tell of has happened; the same one has the same identity."""
    plans = Plans()
    happened = [Notice(kind="arrived", authority="HU-ABCD1234"), Notice(kind="accepted", authority="DE-ABCD1234")]
    group = [
        delivery(
            Dates(case="AAAA-0000-1111", version=version, area="services", at=NOW, deadlines=(), notices=(notice,))
            .model_dump_json()
            .encode()
        )
        for version, notice in enumerate(happened, start=1)
    ]
    planner = Planner(plans, GATHER_FOR, lambda: NOW)
    await planner([group[1], group[0]])
    await planner(group)
    assert {one.kind for one, _ in plans.told} == {"arrived", "accepted"}
    assert len({one.id for one, _ in plans.told}) == 2
    assert {at for _, at in plans.told} == {NOW + GATHER_FOR}


async def test_the_dates_of_several_cases_come_in_one_message() -> None:
    """Each is planned by itself."""
    plans, cases = Plans(), ("AAAA-0000-1111", "BBBB-0000-1111")
    several = AllDates(dates=tuple(Dates(case=one, version=1, area="a", at=NOW, deadlines=()) for one in cases))
    await Planner(plans, GATHER_FOR, lambda: NOW)([delivery(several.model_dump_json().encode(), AllDates.TYPE)])
    (written,) = plans.written
    assert tuple(plan.case for plan in written) == cases


async def test_a_notice_says_until_when_what_it_asks_for_is_awaited_of_whom_it_is_for() -> None:
    """The date of that deadline and of that authority, and the case's version; a notice that asks nothing has none."""
    plans, due = Plans(), NOW + timedelta(days=7)
    deadlines = (
        Deadline(kind="answer", authority="HU-ABCD1234", due=NOW),
        Deadline(kind="acceptance", authority="DE-ABCD1234", due=NOW),
        Deadline(kind="acceptance", authority="HU-ABCD1234", due=due),
    )
    notices = (Notice(kind="arrived", authority="HU-ABCD1234"), Notice(kind="message", authority="DE-ABCD1234"))
    event = Dates(case="AAAA-0000-1111", version=3, area="services", at=NOW, deadlines=deadlines, notices=notices)
    await Planner(plans, GATHER_FOR, lambda: NOW)([delivery(event.model_dump_json().encode())])
    assert [(one.kind, one.version, one.due) for one, _ in plans.told] == [("arrived", 3, due), ("message", 3, None)]
