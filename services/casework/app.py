"""Casework's process."""

import functools
from datetime import timedelta

import uvloop

from contracts.casework import COMMANDS
from contracts.directory import AuthorityState, Replayed, SystemState
from contracts.own import OWN
from contracts.topology import OPERATOR, again_lane_of, expired_lane_of, lanes_of
from contracts.translation import AreaPublished
from services.casework.counting import Scoreboard
from services.casework.handlers import CaseDesk
from services.casework.keys import KeyFolder
from services.casework.metrics import EVERY, Figures
from services.casework.questions import Questions
from services.casework.settings import Settings
from services.casework.store import Store
from services.casework.sweeping import Sweeper
from services.casework.vault import Vault
from services.chassis import logs, mongo, tracing
from services.chassis.copies import Comparing
from services.chassis.desk import Desk, OwnDesk
from services.chassis.feed import Feed, open_broker
from services.chassis.loops import Loop
from services.chassis.public_holidays import PublicHolidays
from services.chassis.restored import Restored
from services.chassis.service import Parts, serve
from services.chassis.worker import Worker

NAME = "casework"


async def main() -> None:
    """Run casework until it is told to stop."""
    settings = Settings.load()
    logs.configure(NAME, settings.log_level)
    tracing.configure(NAME, settings.otlp_endpoint, settings.trace_share)
    holidays = PublicHolidays.load(settings.calendar)
    keys = KeyFolder(settings.keys, settings.roots())
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    restored = Restored(database)
    settings = settings.model_copy(update={"epoch": await restored.epoch(settings.epoch)})
    store, url = Store(database, Vault(keys)), settings.amqp_url.get_secret_value()
    broker = open_broker(url)
    feed, replay = Feed(broker, NAME, f"{NAME}.events"), Feed(broker, NAME, f"{NAME}.replayed")
    feed.on(AuthorityState, store.authority_changed)
    feed.on(SystemState, store.system_connected)
    feed.on(Replayed, store.replayed)
    feed.on(AreaPublished, store.area_published)
    replay.on(Replayed, store.replayed)
    replay.on(AreaPublished, store.area_published)
    comparing = Comparing(replay, store.compare, settings.compare_every)
    sweeper, scoreboard = (
        Sweeper(store, replay, keys, settings.epoch),
        Scoreboard(store, rest=timedelta(seconds=settings.count_every)),
    )
    loops = [
        Loop("sweeping", restored.when_caught_up(sweeper.turn), settings.sweep_every),
        Loop("figures", Figures(scoreboard).turn, EVERY),
        Loop("counting", scoreboard.turn, settings.count_every),
    ]

    async def lanes() -> list[str]:
        return await restored.open(
            [again_lane_of(NAME), expired_lane_of(NAME), *lanes_of(NAME, [OPERATOR, *await store.systems()])]
        )

    async def own_queue() -> list[str]:
        return [f"{NAME}.own"]

    handle = CaseDesk(store, settings, holidays, Questions(store, settings, sweeper, scoreboard))
    desk = Desk(COMMANDS, settings.max_body, handle)
    parts = Parts(
        broker,
        workers=[Worker(url, NAME, lanes, desk), Worker(url, NAME, own_queue, OwnDesk(OWN, handle))],
        probes=[
            functools.partial(mongo.answers, database),
            feed.ready,
            replay.ready,
            comparing.runs,
            *(loop.runs for loop in loops),
        ],
        prepare=[store.prepare, scoreboard.begin_counting],
        begin=[comparing.begin, *(loop.begin for loop in loops)],
        end=[comparing.end, *(loop.end for loop in loops)],
        copies=[feed, replay],
    )
    await serve(NAME, parts, settings)


if __name__ == "__main__":
    uvloop.run(main())
