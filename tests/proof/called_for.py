"""What the rules call for in a year, recomputed from the stories alone, as plainly as it can be said."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import holidays

from contracts.dates import Dates, Deadline, DeadlineKind
from contracts.identity import derived_uuid
from contracts.languages import ZONES
from tests.proof.stories import DAY, Party, Story

END: Final = datetime(2027, 1, 1, tzinfo=UTC)
WEEK: Final = timedelta(weeks=1)
GATHER_FOR: Final = timedelta(minutes=1)
WEEKS: Final = 8
ASKS: Final[dict[str, DeadlineKind]] = {
    "arrived": "acceptance",
    "forwarded": "acceptance",
    "clarification-asked": "clarification",
}


class Sent(NamedTuple):
    """One thing told to one address at one moment: `what` names the step, or the news."""

    to: str
    what: str
    at: datetime


def summary_after(moment: datetime, who: Party) -> datetime:
    """Return the first moment after this one at which the party's clock shows its hour on a working day there."""
    library = holidays.country_holidays({"EL": "GR"}.get(who.country, who.country))
    for number in range(30):
        at = who.at_hour(moment + number * DAY)
        day = at.astimezone(ZoneInfo(ZONES[who.country])).date()
        if at > moment and day.weekday() < 5 and day not in library:
            return at
    raise LookupError(who.country)


def _waits(who: Party, area: str, kind: str) -> bool:
    wish = who.wishes.areas.get(area, who.wishes.general)
    return wish.gathered and kind not in wish.at_once


def news_called_for(told: Story, by_id: dict[str, Party]) -> Iterator[Sent]:
    """What has happened is told a minute later, or with the summary, unless what it asks for is done by then."""
    for dates in told.told:
        for notice in dates.notices:
            who, at = by_id[notice.authority], dates.at + GATHER_FOR
            wanted = ASKS.get(notice.kind)
            due = next((d.due for d in dates.deadlines if (d.kind, d.authority) == (wanted, who.id)), None)
            if _waits(who, told.area, notice.kind):
                summary = summary_after(at, who)
                at = at if due and due <= summary else summary
            then = told.now(at)
            if wanted and not any((d.kind, d.authority) == (wanted, who.id) for d in then.deadlines):
                continue
            if notice.kind == "referred" and then.state != "referred":
                continue
            news = derived_uuid("notice", told.id, "1", str(dates.version), notice.kind, who.id)
            yield from (Sent(address, news, at) for address in who.addresses)


def steps_called_for(told: Story, by_id: dict[str, Party]) -> Iterator[Sent]:
    """Each deadline: its reminders, or the last of them at once; what is overdue weekly, the coordinator then too."""
    known = set[tuple[str, str, datetime]]()
    for dates in told.told:
        for one in dates.deadlines:
            key = (one.kind, one.authority, one.due)
            if key in known:
                continue
            known.add(key)
            gone = next(
                (d.at for d in told.told if d.at > dates.at and one.due not in [x.due for x in d.deadlines]), END
            )
            for stage, number, whom, at, urgent in _moments(one, dates.at):
                who = by_id[whom]
                if not urgent and _waits(who, told.area, "reminder"):
                    summary = summary_after(at, who)
                    when = at if one.due <= summary else summary
                else:
                    when = at
                if at < gone and when < gone:
                    what = f"{told.id}/{one.kind}/{stage}/{whom}/{one.due.isoformat()}/{number}"
                    yield from (Sent(address, what, when) for address in who.addresses)


def _keys(dates: Dates) -> set[tuple[str, str, datetime]]:
    return {(one.kind, one.authority, one.due) for one in dates.deadlines}


def _moments(one: Deadline, heard: datetime) -> Iterator[tuple[str, int, str, datetime, bool]]:
    ahead = [days for days in one.remind if one.due - days * DAY >= heard]
    for days in ahead or [min(one.remind)]:
        yield "reminder", days, one.authority, max(one.due - days * DAY, heard), days == min(one.remind)
    for week in range(WEEKS + 1):
        yield "overdue", week, one.authority, one.due + week * WEEK, True
        for above in one.coordinators if week else ():
            yield "escalated", week, above, one.due + week * WEEK, True
