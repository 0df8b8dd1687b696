"""Who waits for the summary of the day, and until when."""

from dataclasses import dataclass
from datetime import datetime

from contracts.notifier import Preferences
from services.chassis.public_holidays import PublicHolidays
from services.notifier.letters import Due
from services.notifier.notices import Told
from services.notifier.readers import Reader, Readers
from services.notifier.wishes import goes_at_once, next_summary


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of the day of one reader, by its wishes and the calendar of its place."""

    reader: Reader | None
    preferences: Preferences
    holidays: PublicHolidays

    def waits_until(self, one: Told | Due, area: str | None, planned: datetime) -> datetime | None:
        """Return with which summary this goes out, planned for that moment; nothing if it goes at once.

        So it does if what is asked for would be late.
        """
        if self.reader is None or goes_at_once(one, area, self.preferences):
            return None
        place = (self.reader.contact.country, self.reader.region)
        calendar = self.holidays.calendar([place], (planned.year - 1, planned.year, planned.year + 1))
        at = next_summary(planned, self.preferences.hour, *place, calendar)
        due = one.step.due if isinstance(one, Due) else one.due
        return None if due and due <= at else at


class Summaries:
    """Asks for the wishes of whoever is written to: once, however much there is to be told."""

    def __init__(self, readers: Readers, holidays: PublicHolidays) -> None:
        """`holidays` are those of all places."""
        self._readers = readers
        self._holidays = holidays

    async def of(self, authority: str) -> Summary:
        """Return the summary of an authority."""
        reader, preferences = await self._readers.reader(authority), await self._readers.preferences(authority)
        return Summary(reader, preferences, self._holidays)
