"""The registry's process."""

import functools

import uvloop

from contracts.directory import Compare, Provisioned, Reconciled
from contracts.registry import COMMANDS
from contracts.topology import OPERATOR, again_lane_of, expired_lane_of, lanes_of
from services.chassis import logs, mongo, tracing
from services.chassis.desk import Desk
from services.chassis.feed import Feed, open_broker
from services.chassis.loops import Loop
from services.chassis.restored import Restored
from services.chassis.service import Parts, serve
from services.chassis.worker import Worker
from services.registry.connections import Connections
from services.registry.copies import Copies
from services.registry.handlers import Onboarding
from services.registry.metrics import EVERY, Figures
from services.registry.milestones import LOOK_EVERY, Milestones
from services.registry.questions import Questions
from services.registry.reconciling import Reconciling
from services.registry.registration import Registration
from services.registry.search import Directory
from services.registry.settings import Settings
from services.registry.store import Store
from services.registry.systems import Systems
from services.registry.vocabulary import Vocabulary

NAME = "registry"
AT_ONCE = 16
"""Commands handled together. Searches gain nothing from large groups, and whoever comes meanwhile waits for one."""


async def main() -> None:
    """Run the registry until it is told to stop."""
    settings = Settings.load()
    logs.configure(NAME, settings.log_level)
    tracing.configure(NAME, settings.otlp_endpoint, settings.trace_share)
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    store, url = Store(database), settings.amqp_url.get_secret_value()
    directory, vocabulary = Directory(store.documents), Vocabulary(database["vocabulary"])
    systems = Systems(store)
    questions = Questions(store, directory, systems, vocabulary)

    restored = Restored(database)
    broker = open_broker(url)
    feed, copies = Feed(broker, NAME, f"{NAME}.provisioned"), Feed(broker, NAME, f"{NAME}.copies")
    reconciling = Reconciling(store, feed, settings.reconcile_every, waits=restored.catching_up)
    milestones = Milestones(store.documents, database["milestones"], feed, settings.milestone)
    registration = Registration(store, systems, vocabulary, milestones.joined)
    feed.on(Provisioned, Connections(store, feed, registration.assign).provisioned)
    feed.on(Reconciled, reconciling.reconciled)
    answering = Copies(database, copies)
    copies.on(Compare, answering.compare)

    figures = Figures(store)
    counting = Loop("counting", figures.turn, EVERY)
    looking = Loop("milestones", milestones.turn, LOOK_EVERY)

    async def lanes() -> list[str]:
        return await restored.open(
            [again_lane_of(NAME), expired_lane_of(NAME), *lanes_of(NAME, [OPERATOR, *await store.live_systems()])]
        )

    desk = Desk(COMMANDS, settings.max_body, Onboarding(store, registration, systems, questions, vocabulary))
    parts = Parts(
        broker,
        workers=[Worker(url, NAME, lanes, desk, AT_ONCE)],
        probes=[functools.partial(mongo.answers, database), feed.ready, copies.ready, counting.runs, looking.runs],
        prepare=[store.prepare, directory.prepare, milestones.prepare, answering.prepare, figures.prepare],
        begin=[reconciling.begin, looking.begin, counting.begin],
        end=[reconciling.end, looking.end, counting.end],
    )
    await serve(NAME, parts, settings)


if __name__ == "__main__":
    uvloop.run(main())
