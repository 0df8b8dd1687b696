"""Translation's process."""

import functools
from pathlib import Path

import uvloop

import contracts
from contracts.directory import AuthorityState, Compare, Replayed, SystemState, TermsChanged
from contracts.sentences import SENTENCES
from contracts.topology import OPERATOR, again_lane_of, expired_lane_of, lanes_of
from contracts.translation import COMMANDS
from services.chassis import catalogue, logs, mongo, tracing
from services.chassis.copies import Comparing
from services.chassis.desk import Desk
from services.chassis.feed import Feed, open_broker
from services.chassis.loops import Loop
from services.chassis.restored import Restored
from services.chassis.service import Parts, serve
from services.chassis.worker import Worker
from services.translation.again import AreasAgain
from services.translation.guard import Guard
from services.translation.handlers import CatalogueDesk, Translator
from services.translation.machine import Machine
from services.translation.metrics import EVERY, Figures
from services.translation.settings import Settings
from services.translation.store import Store

NAME = "translation"


async def main() -> None:
    """Run translation until it is told to stop."""
    settings = Settings.load()
    logs.configure(NAME, settings.log_level)
    tracing.configure(NAME, settings.otlp_endpoint, settings.trace_share)
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    store, url = Store(database), settings.amqp_url.get_secret_value()
    sentences = catalogue.read_all(Path(contracts.__file__).parent / "locale", SENTENCES)
    restored = Restored(database)
    broker = open_broker(url)
    feed, replay = Feed(broker, NAME, f"{NAME}.events"), Feed(broker, NAME, f"{NAME}.replayed")
    feed.on(AuthorityState, store.authority_changed)
    feed.on(SystemState, store.system_connected)
    feed.on(Replayed, store.replayed)
    replay.on(Replayed, store.replayed)
    feed.on(TermsChanged, store.terms_changed)
    copies = Feed(broker, NAME, f"{NAME}.copies")
    copies.on(Compare, AreasAgain(store, copies).compare)
    comparing = Comparing(replay, store.compare, settings.compare_every)
    figures = Loop("figures", Figures(store).turn, EVERY)

    async def lanes() -> list[str]:
        return await restored.open(
            [again_lane_of(NAME), expired_lane_of(NAME), *lanes_of(NAME, [OPERATOR, *await store.systems()])]
        )

    async def views() -> list[str]:
        return [f"{NAME}.views"]

    desk = Desk(COMMANDS, settings.max_body, CatalogueDesk(store))
    machine = _machine(settings)
    guard = Guard() if settings.language_guard else None
    translator = Translator(store, sentences, guard, machine, catching_up=restored.catching_up)
    workers = [Worker(url, NAME, lanes, desk), Worker(url, NAME, views, translator)]
    parts = Parts(
        broker,
        workers,
        probes=[
            functools.partial(mongo.answers, database),
            feed.ready,
            replay.ready,
            copies.ready,
            comparing.runs,
            figures.runs,
        ],
        prepare=[store.prepare],
        begin=[comparing.begin, figures.begin],
        end=[comparing.end, figures.end, *([machine.end] if machine else [])],
        copies=[feed, replay],
    )
    await serve(NAME, parts, settings)


def _machine(settings: Settings) -> Machine | None:
    if settings.machine_translation_url is None:
        return None
    # Here and not above: what nobody has asked for is not in memory.
    from services.translation.libretranslate import LibreTranslate  # noqa: PLC0415

    key = settings.machine_translation_key.get_secret_value() if settings.machine_translation_key else None
    service = LibreTranslate(str(settings.machine_translation_url), key, settings.machine_translation_timeout)
    return Machine(service, service.close)


if __name__ == "__main__":
    uvloop.run(main())
