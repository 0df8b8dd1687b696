"""The notifier in plain FastStream: for each message of dates a write of its plan, and one for each notice.

How a plan is made, what is told, and the loop that mails it are the notifier's own, with the same settings. What is
kept is kept apart, so that each variant works off what it has planned itself, in its later rounds too.
"""

import functools
from typing import Final, cast

import uvloop

from bench.naive_broker import open_broker, subscriber
from contracts.dates import Dates
from services.chassis import mongo
from services.chassis.mongo import Collection, Database
from services.chassis.service import Parts, serve
from services.notifier.app import sending_of
from services.notifier.deadlines import in_milliseconds, plan_of
from services.notifier.notices import told_by
from services.notifier.sending import now
from services.notifier.settings import Settings
from services.notifier.store import Store

NAME: Final = "notifier"
_APART: Final = frozenset({"deadlines", "notices", "turns", "emails", "rates"})


class Apart:
    """The notifier's database, with collections of its own for all that a round plans and sends."""

    def __init__(self, database: Database) -> None:
        """Who is written to, and how, is read where the notifier keeps it."""
        self._database = database

    def __getitem__(self, name: str) -> Collection:
        """Return a collection."""
        return self._database[f"naive_{name}" if name in _APART else name]


async def never() -> bool:
    """Nothing is waited for before mails are sent."""
    return False


async def main() -> None:
    """Run until told to stop."""
    settings = Settings.load()
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    store = Store(cast("Database", Apart(database)), settings.lease, settings.domain_rate)
    broker, sending = open_broker(settings.amqp_url.get_secret_value()), sending_of(settings, store, never)

    @subscriber(broker, f"{NAME}.dates")
    async def on_dates(body: Dates) -> None:
        at = in_milliseconds(now())
        await store.plan([plan_of(body, at)])
        for told in told_by(body):
            await store.notice([told], at + settings.gather_for)

    parts = Parts(
        broker,
        probes=[functools.partial(broker.ping, 5.0), sending.runs],
        prepare=[store.prepare],
        begin=[sending.begin],
        end=[sending.end],
    )
    await serve("notifier", parts, settings)


if __name__ == "__main__":
    uvloop.run(main())
