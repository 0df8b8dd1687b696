"""Casework's process."""

import functools

import uvloop

from contracts.casework import COMMANDS
from contracts.directory import AuthorityState, Replayed, SystemState
from contracts.topology import OPERATOR, expired_lane_of, lanes_of
from contracts.translation import AreaPublished
from services.casework.handlers import CaseDesk
from services.casework.public_holidays import PublicHolidays
from services.casework.settings import Settings
from services.casework.store import Store
from services.chassis import logs, mongo
from services.chassis.copies import Comparing
from services.chassis.desk import Desk
from services.chassis.feed import Feed, open_broker
from services.chassis.service import Parts, serve
from services.chassis.worker import Worker

NAME = "casework"


async def main() -> None:
    """Run casework until it is told to stop."""
    settings = Settings.load()
    logs.configure(NAME, settings.log_level)
    holidays = PublicHolidays.load(settings.calendar)
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    store, url = Store(database), settings.amqp_url.get_secret_value()
    broker = open_broker(url)
    feed, replay = Feed(broker, NAME, f"{NAME}.events"), Feed(broker, NAME, f"{NAME}.replayed")
    feed.on(AuthorityState, store.authority_changed)
    feed.on(SystemState, store.system_connected)
    feed.on(Replayed, store.replayed)
    feed.on(AreaPublished, store.area_published)
    replay.on(Replayed, store.replayed)
    comparing = Comparing(replay, store.compare, settings.compare_every)

    async def lanes() -> list[str]:
        return [expired_lane_of(NAME), *lanes_of(NAME, [OPERATOR, *await store.systems()])]

    desk = Desk(COMMANDS, settings.max_body, CaseDesk(store, settings, holidays))
    parts = Parts(
        broker,
        workers=[Worker(url, NAME, lanes, desk)],
        probes=[functools.partial(mongo.answers, database), feed.ready, replay.ready, comparing.runs],
        prepare=[store.prepare],
        begin=[comparing.begin],
        end=[comparing.end],
    )
    await serve(parts, settings)


if __name__ == "__main__":
    uvloop.run(main())
