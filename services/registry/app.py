"""The registry's process."""

import functools

import uvloop

from contracts.registry import COMMANDS, Provisioned
from contracts.topology import OPERATOR, expired_lane_of, lanes_of
from services.chassis import logs, mongo
from services.chassis.desk import Desk
from services.chassis.feed import Feed, open_broker
from services.chassis.service import Parts, serve
from services.chassis.settings import ServiceSettings
from services.chassis.worker import Worker
from services.registry.connections import Connections
from services.registry.handlers import Onboarding
from services.registry.store import Store

NAME = "registry"


async def main() -> None:
    """Run the registry until it is told to stop."""
    settings = ServiceSettings.load()
    logs.configure(NAME, settings.log_level)
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    store, url = Store(database), settings.amqp_url.get_secret_value()
    broker = open_broker(url)
    feed = Feed(broker, NAME, f"{NAME}.provisioned")
    feed.on(Provisioned, Connections(store, feed).provisioned)

    async def lanes() -> list[str]:
        return [expired_lane_of(NAME), *lanes_of(NAME, [OPERATOR, *await store.live_systems()])]

    desk = Desk(COMMANDS, settings.max_body, Onboarding(store))
    parts = Parts(
        broker,
        workers=[Worker(url, NAME, lanes, desk)],
        probes=[functools.partial(mongo.answers, database), feed.ready],
        prepare=[store.prepare],
    )
    await serve(parts, settings)


if __name__ == "__main__":
    uvloop.run(main())
