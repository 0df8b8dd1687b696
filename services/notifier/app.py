"""The notifier's process."""

import functools
from pathlib import Path

import uvloop

from contracts.registry import AuthorityState, SystemState
from contracts.topology import OPERATOR, lanes_of
from services.chassis import catalogue, logs, mongo
from services.chassis.desk import Desk
from services.chassis.feed import Feed, open_broker
from services.chassis.service import Parts, serve
from services.chassis.worker import Worker
from services.notifier.handlers import Planner, no_commands
from services.notifier.mail import Letterhead
from services.notifier.sending import Sender
from services.notifier.sentences import SENTENCES
from services.notifier.settings import Settings
from services.notifier.store import Store

NAME = "notifier"


async def main() -> None:
    """Run the notifier until it is told to stop."""
    settings = Settings.load()
    logs.configure(NAME, settings.log_level)
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    store, url = Store(database, settings.remind_before), settings.amqp_url.get_secret_value()
    broker = open_broker(url)
    feed = Feed(broker, NAME, f"{NAME}.events")
    feed.on(AuthorityState, store.authority_changed)
    feed.on(SystemState, store.system_connected)
    sentences = catalogue.read_all(Path(__file__).parent / "locale", SENTENCES)
    head = Letterhead(settings.mail_from, settings.case_link, sentences)
    sender = Sender(store, head, settings.smtp_url.get_secret_value(), settings.poll_every)

    async def lanes() -> list[str]:
        return lanes_of(NAME, [OPERATOR, *await store.systems()])

    async def dates() -> list[str]:
        return [f"{NAME}.dates"]

    desk = Desk((), settings.max_body, no_commands)
    parts = Parts(
        broker,
        workers=[Worker(url, NAME, lanes, desk), Worker(url, NAME, dates, Planner(store))],
        probes=[functools.partial(mongo.answers, database), feed.ready, sender.ready],
        prepare=[store.prepare],
        begin=[sender.start],
        end=[sender.stop],
    )
    await serve(parts, settings)


if __name__ == "__main__":
    uvloop.run(main())
