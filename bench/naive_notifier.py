"""The notifier in plain FastStream: one update for each message of dates. It mails nobody: no date is near."""

import functools
from typing import Final

import uvloop
from pymongo.errors import DuplicateKeyError

from bench.naive_broker import open_broker, subscriber
from contracts.dates import Dates
from services.chassis import mongo
from services.chassis.mongo import Collection
from services.chassis.service import Parts, serve
from services.chassis.settings import ServiceSettings

NAME: Final = "notifier"


async def keep(deadlines: Collection, dates: Dates) -> None:
    """Store what is newer than what is there."""
    older = {"_id": dates.case, "version": {"$lt": dates.version}}
    fields = {"version": dates.version, "area": dates.area, "deadlines": dates.model_dump()["deadlines"]}
    try:
        await deadlines.update_one(older, {"$set": fields}, upsert=True)
    except DuplicateKeyError:
        return  # there already, in this version or a newer one


async def main() -> None:
    """Run until told to stop."""
    settings = ServiceSettings.load()
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    broker = open_broker(settings.amqp_url.get_secret_value())

    @subscriber(broker, f"{NAME}.dates")
    async def on_dates(body: Dates) -> None:
        await keep(database["naive_deadlines"], body)

    await serve("notifier", Parts(broker, probes=[functools.partial(broker.ping, 5.0)]), settings)


if __name__ == "__main__":
    uvloop.run(main())
