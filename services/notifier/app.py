"""The notifier's process."""

import functools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import uvloop

from contracts.directory import AuthorityState, Replayed, SystemState
from contracts.notifier import COMMANDS
from contracts.topology import OPERATOR, again_lane_of, expired_lane_of, lanes_of
from services.chassis import catalogue, logs, mongo, tracing
from services.chassis.copies import Comparing
from services.chassis.desk import Desk
from services.chassis.feed import Feed, open_broker
from services.chassis.loops import Loop
from services.chassis.public_holidays import PublicHolidays
from services.chassis.restored import Restored
from services.chassis.service import Parts, serve
from services.chassis.worker import Worker
from services.notifier.asking import Clerk
from services.notifier.handlers import Planner, Registrations
from services.notifier.mail import Writer
from services.notifier.metrics import EVERY, Figures
from services.notifier.sending import Pace, Sending, now
from services.notifier.sentences import SENTENCES
from services.notifier.settings import Settings, sender_of
from services.notifier.smtp import couriers
from services.notifier.store import Store

NAME = "notifier"
GATHER_DATES_FOR: Final = timedelta(seconds=1)
"""So long dates wait for newer ones of the same case, of which the newest alone are planned by. No date is as near."""


def sending_of(settings: Settings, store: Store, waits: Callable[[], Awaitable[bool]]) -> Sending:
    """Return the loop that sends what the store says is due; nothing while it `waits`."""
    sender, server = sender_of(settings.mail_from), settings.server()
    texts = catalogue.read_all(Path(__file__).parent / "locale", SENTENCES)
    writer = Writer(texts, sender, settings.case_link, settings.preferences_link)
    pace = Pace(
        settings.poll_every,
        settings.mails_per_turn,
        settings.smtp_connections,
        settings.gather_for,
        settings.give_up_after,
    )
    holidays = PublicHolidays.load(settings.calendar)
    return Sending(
        store,
        writer,
        holidays,
        functools.partial(couriers, server, sender.domain, 1),
        pace,
        waits=waits,
    )


def bounces_of(settings: Settings, store: Store, sending: Sending) -> list[Loop]:
    """Return the loop that reads the mailbox to which mails come back, if there is one."""
    if settings.bounces is None:
        return []
    # Here and not above: what nobody has asked for is not in memory.
    from services.notifier.bounces import EVERY as BOUNCES_EVERY  # noqa: PLC0415
    from services.notifier.bounces import Bounces  # noqa: PLC0415

    bounces = Bounces(settings.bounces, store, sending.post, sender_of(settings.mail_from).domain, now)
    return [Loop("bounces", bounces.turn, BOUNCES_EVERY)]


async def main() -> None:
    """Run the notifier until it is told to stop."""
    settings = Settings.load()
    logs.configure(NAME, settings.log_level)
    tracing.configure(NAME, settings.otlp_endpoint, settings.trace_share)
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    store = Store(database, settings.lease, settings.domain_rate)
    readers, url = store.readers, settings.amqp_url.get_secret_value()
    restored = Restored(database)
    broker = open_broker(url)
    feed, replay = Feed(broker, NAME, f"{NAME}.events"), Feed(broker, NAME, f"{NAME}.replayed")
    registrations = Registrations(store)
    feed.on(AuthorityState, registrations.changed)
    feed.on(SystemState, readers.system_connected)
    feed.on(Replayed, registrations.replayed)
    replay.on(Replayed, registrations.replayed)
    comparing = Comparing(replay, readers.compare, settings.compare_every)

    async def lanes() -> list[str]:
        of_systems = lanes_of(NAME, [OPERATOR, *await readers.systems()])
        return await restored.open([again_lane_of(NAME), expired_lane_of(NAME), *of_systems])

    async def dates() -> list[str]:
        return [f"{NAME}.dates"]

    gather = min(GATHER_DATES_FOR, settings.gather_for).total_seconds()
    desk, planner = Desk(COMMANDS, settings.max_body, Clerk(store)), Planner(store, settings.gather_for)
    sending = sending_of(settings, store, restored.catching_up)
    loops = [Loop("figures", Figures(store, now).turn, EVERY), *bounces_of(settings, store, sending)]
    parts = Parts(
        broker,
        workers=[Worker(url, NAME, lanes, desk), Worker(url, NAME, dates, planner, gather=gather)],
        probes=[functools.partial(mongo.answers, database), feed.ready, replay.ready, sending.runs, comparing.runs],
        prepare=[store.prepare],
        begin=[sending.begin, comparing.begin, *(loop.begin for loop in loops)],
        end=[*(loop.end for loop in loops), comparing.end, sending.end],
        copies=[feed, replay],
    )
    await serve(NAME, parts, settings)


if __name__ == "__main__":
    uvloop.run(main())
