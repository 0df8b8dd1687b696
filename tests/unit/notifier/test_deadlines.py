"""Which mails the dates of a case call for, and when."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from contracts.dates import Dates, Deadline
from services.notifier.deadlines import (
    WEEK,
    WEEKS,
    Plan,
    Stage,
    Step,
    in_milliseconds,
    is_pointless,
    next_try,
    plan_of,
    until,
)

CASE = "7Q4M-0000-1111"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def dates(*deadlines: Deadline, version: int = 1) -> Dates:
    return Dates(case=CASE, version=version, area="services", at=NOW, deadlines=deadlines)


def acceptance(due: datetime, authority: str = "HU-ABCD1234") -> Deadline:
    return Deadline(kind="acceptance", authority=authority, due=due)


def in_stage(plan: Plan, stage: Stage) -> list[timedelta]:
    return [step.at - NOW for step in plan.steps if step.stage == stage]


@pytest.mark.parametrize(
    ("due", "remind", "reminders"),
    [
        pytest.param(NOW + 7 * DAY, (2,), [5 * DAY], id="in good time"),
        pytest.param(NOW + 9 * DAY, (7, 1), [2 * DAY, 8 * DAY], id="two steps"),
        pytest.param(NOW + 5 * DAY, (7, 1), [4 * DAY], id="one of them has passed"),
        pytest.param(NOW + 2 * DAY, (2,), [0 * DAY], id="just in time"),
        pytest.param(NOW + HOUR, (7, 2), [0 * DAY], id="too near for either: one, at once"),
        pytest.param(NOW + DAY, (0,), [DAY], id="no time before"),
        pytest.param(NOW + DAY, (), [], id="none wanted"),
        pytest.param(NOW, (2,), [], id="now"),
        pytest.param(NOW - DAY, (2,), [], id="passed before it was heard of"),
    ],
)
def test_each_deadline_has_its_reminders_before_it(
    due: datetime, remind: tuple[int, ...], reminders: list[timedelta]
) -> None:
    """One that would have been in the past is left out; where all would have been, the last goes out at once."""
    deadline = acceptance(due).model_copy(update={"remind": remind})
    plan = plan_of(dates(deadline), NOW)
    assert in_stage(plan, "reminder") == reminders
    assert {step.due for step in plan.steps} == {due}
    assert plan.awaited == ("acceptance/HU-ABCD1234", until("acceptance", due, "HU-ABCD1234"), "in/*")


def test_what_is_overdue_is_told_weekly_and_from_the_first_week_on_to_the_coordinator_too() -> None:
    """At once to the authority alone; for eight weeks, and then nobody is told any more."""
    deadline = acceptance(NOW + DAY).model_copy(update={"coordinators": ("HU-C00RD1NA",)})
    plan = plan_of(dates(deadline), NOW)
    weeks = [DAY + number * WEEK for number in range(WEEKS + 1)]
    assert in_stage(plan, "overdue") == weeks
    assert in_stage(plan, "escalated") == weeks[1:]
    assert {step.authority for step in plan.steps if step.stage == "escalated"} == {"HU-C00RD1NA"}


def test_dates_without_deadlines_plan_nothing() -> None:
    """A case in which everything is done gets an empty plan, which cancels the one before."""
    plan = plan_of(dates(version=9), NOW)
    assert (plan.case, plan.version, plan.steps) == (CASE, 9, ())


def test_every_deadline_has_its_own_steps() -> None:
    """Two kinds and two authorities do not mix; the same deadline named twice is one."""
    answer = Deadline(kind="answer", authority="HU-ABCD1234", due=NOW + 9 * DAY)
    deadlines = (acceptance(NOW + 7 * DAY), acceptance(NOW + 7 * DAY, "DE-ABCD1234"), answer, answer)
    steps = plan_of(dates(*deadlines), NOW).steps
    assert len(steps) == len({step.key for step in steps}) == 3 * (1 + WEEKS + 1)


@pytest.mark.parametrize("later", [0 * DAY, DAY, 6 * DAY, 8 * DAY])
def test_a_step_keeps_its_key_whenever_it_is_planned(later: timedelta) -> None:
    """What was done under an older plan is recognised in a newer one."""
    before = {step.key for step in plan_of(dates(acceptance(NOW + 7 * DAY)), NOW).steps}
    after = {step.key for step in plan_of(dates(acceptance(NOW + 7 * DAY), version=2), NOW + later).steps}
    assert after <= before


def test_another_due_date_is_another_step() -> None:
    """A deadline that was moved is reminded of again."""
    before, after = (plan_of(dates(acceptance(NOW + days * DAY)), NOW).steps for days in (7, 8))
    assert not {step.key for step in before} & {step.key for step in after}


@pytest.mark.parametrize(
    ("stage", "now", "pointless"),
    [
        ("reminder", -HOUR, False),
        ("reminder", 0 * HOUR, True),
        ("reminder", HOUR, True),
        ("overdue", -HOUR, False),
        ("overdue", HOUR, False),
        ("overdue", WEEK, True),
        ("escalated", HOUR, False),
        ("escalated", WEEK, True),
    ],
)
def test_a_reminder_of_what_is_overdue_is_pointless(stage: Stage, now: timedelta, pointless: bool) -> None:
    """Nobody is asked to do something by a moment that has passed, and of two weeks' mails the later says more."""
    step = Step("answer", stage, "HU-ABCD1234", NOW, NOW)
    assert is_pointless(step, NOW + now) is pointless


def test_tries_come_ever_more_slowly_but_at_least_each_half_hour() -> None:
    """A mail that is postponed is tried again soon at first, and never gets out of sight."""
    pauses = [next_try(NOW, tries) - NOW for tries in (*range(20), 10_000)]
    assert pauses[0] == timedelta(seconds=5)
    assert all(later in (min(2 * pause, HOUR / 2), pause) for pause, later in pairwise(pauses))
    assert pauses[-1] == HOUR / 2


def test_moments_are_compared_as_the_database_keeps_them() -> None:
    """A moment in any zone and with microseconds is the one that comes back from the database."""
    moment = datetime(2026, 3, 2, 10, 0, 0, 123_999, timezone(HOUR))
    assert in_milliseconds(moment) == datetime(2026, 3, 2, 9, 0, 0, 123_000, UTC)
    assert in_milliseconds(moment).tzinfo is UTC
