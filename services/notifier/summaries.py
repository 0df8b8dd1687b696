"""Who waits for the summary of the day, and until when."""

from datetime import datetime

from services.chassis.public_holidays import PublicHolidays
from services.notifier.letters import Due
from services.notifier.notices import Told
from services.notifier.readers import Readers
from services.notifier.wishes import goes_at_once, next_summary


class Summaries:
    """Asks for the wishes of whoever is written to, and looks in the calendar of its place."""

    def __init__(self, readers: Readers, holidays: PublicHolidays) -> None:
        """`holidays` are those of all places."""
        self._readers = readers
        self._holidays = holidays

    async def waits_until(self, one: Told | Due, area: str | None, authority: str, now: datetime) -> datetime | None:
        """Return when this goes out with the summary; nothing if it goes at once: what is asked for would be late."""
        reader, preferences = await self._readers.reader(authority), await self._readers.preferences(authority)
        if reader is None or goes_at_once(one, area, preferences):
            return None
        place = (reader.contact.country, reader.region)
        calendar = self._holidays.calendar([place], (now.year - 1, now.year, now.year + 1))
        at = next_summary(now, preferences.hour, *place, calendar)
        due = one.step.due if isinstance(one, Due) else one.due
        return None if due and due <= at else at
