"""What the notifier keeps: plans by case, what waits to be told, the mails it sent, and whom it writes to."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from services.chassis.mongo import Database
from services.notifier.deadlines import Plan
from services.notifier.notices import Told
from services.notifier.planning import Deadlines
from services.notifier.rates import Rates
from services.notifier.readers import Readers
from services.notifier.records import Emails
from services.notifier.waiting import Waiting, Waits

LEASE: Final = timedelta(seconds=90)
"""How long a claim lasts unless renewed. More than a connection and a mail may take together (`smtp.SEND_WITHIN`)."""
A_SECOND: Final = 10.0
"""Mails to one domain."""


class Store:
    """The service's database."""

    def __init__(self, database: Database, lease: timedelta = LEASE, domain_rate: float = A_SECOND) -> None:
        """Nothing is read or written here. To one domain go `domain_rate` mails a second."""
        self.deadlines = Deadlines(database["deadlines"], lease)
        self.waiting = Waiting(database, lease)
        self.emails = Emails(database["emails"])
        self.readers = Readers(database)
        self.rates = Rates(database["rates"], domain_rate, burst=max(1, round(2 * domain_rate)))

    async def prepare(self) -> None:
        """Make the indexes."""
        for part in (self.deadlines, self.waiting, self.emails, self.readers, self.rates):
            await part.prepare()

    async def plan(self, plans: Sequence[Plan]) -> None:
        """Replace the plans of cases. What is not newer than what is there changes nothing."""
        await self.deadlines.plan(plans)

    async def notice(self, notices: Sequence[Told], send_at: datetime) -> None:
        """Keep what is to be told. What was kept before, told or not, stays as it is."""
        await self.waiting.add([Waits(one.authority, one, send_at) for one in notices], send_at)
