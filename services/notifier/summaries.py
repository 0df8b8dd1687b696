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

    async def waits_until(
        self, one: Told | Due, area: str | None, authority: str, planned: datetime
    ) -> datetime | None:
        """Return with which summary this goes out, planned for that moment; nothing if it goes at once.

        So it does if what is asked for would be late.
        """
        reader, preferences = await self._readers.reader(authority), await self._readers.preferences(authority)
        if reader is None or goes_at_once(one, area, preferences):
            return None
        place = (reader.contact.country, reader.region)
        calendar = self._holidays.calendar([place], (planned.year - 1, planned.year, planned.year + 1))
        at = next_summary(planned, preferences.hour, *place, calendar)
        due = one.step.due if isinstance(one, Due) else one.due
        return None if due and due <= at else at
