"""Translation's process."""

import functools
from pathlib import Path

import uvloop

import contracts
from contracts.directory import AuthorityState, Replayed, SystemState
from contracts.sentences import SENTENCES
from contracts.topology import OPERATOR, again_lane_of, expired_lane_of, lanes_of
from contracts.translation import COMMANDS
from services.chassis import catalogue, logs, mongo, tracing
from services.chassis.copies import Comparing
from services.chassis.desk import Desk
from services.chassis.feed import Feed, open_broker
from services.chassis.loops import Loop
from services.chassis.service import Parts, serve
from services.chassis.settings import ServiceSettings
from services.chassis.worker import Worker
from services.translation.handlers import CatalogueDesk, Translator
from services.translation.metrics import EVERY, Figures
from services.translation.store import Store

NAME = "translation"


async def main() -> None:
    """Run translation until it is told to stop."""
    settings = ServiceSettings.load()
    logs.configure(NAME, settings.log_level)
    tracing.configure(NAME, settings.otlp_endpoint)
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    store, url = Store(database), settings.amqp_url.get_secret_value()
    sentences = catalogue.read_all(Path(contracts.__file__).parent / "locale", SENTENCES)
    broker = open_broker(url)
    feed, replay = Feed(broker, NAME, f"{NAME}.events"), Feed(broker, NAME, f"{NAME}.replayed")
    feed.on(AuthorityState, store.authority_changed)
    feed.on(SystemState, store.system_connected)
    feed.on(Replayed, store.replayed)
    replay.on(Replayed, store.replayed)
    comparing = Comparing(replay, store.compare, settings.compare_every)
    figures = Loop("figures", Figures(store).turn, EVERY)

    async def lanes() -> list[str]:
        return [again_lane_of(NAME), expired_lane_of(NAME), *lanes_of(NAME, [OPERATOR, *await store.systems()])]

    async def views() -> list[str]:
        return [f"{NAME}.views"]

    desk = Desk(COMMANDS, settings.max_body, CatalogueDesk(store))
    workers = [Worker(url, NAME, lanes, desk), Worker(url, NAME, views, Translator(store, sentences))]
    parts = Parts(
        broker,
        workers,
        probes=[functools.partial(mongo.answers, database), feed.ready, replay.ready, comparing.runs, figures.runs],
        prepare=[store.prepare],
        begin=[comparing.begin, figures.begin],
        end=[comparing.end, figures.end],
        copies=[feed, replay],
    )
    await serve(NAME, parts, settings)


if __name__ == "__main__":
    uvloop.run(main())
