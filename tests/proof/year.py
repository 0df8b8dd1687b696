"""A year of deadlines on a clock of our own, compared with a plain recomputation of what is to be sent.

`python -m tests.proof.year`. Cases are begun, accepted late or in time, put off, forwarded, withdrawn and answered;
what casework would tell of them goes through a real broker to the notifier's parts, which run here with the real
database and a real SMTP server. The clock stops every hour, and at every moment for which anything is planned. In the
end every e-mail that the rules call for must have arrived, none other, and none twice. The last line is JSON; the exit
status is 1 when anything is otherwise.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from email.headerregistry import Address
from functools import partial
from pathlib import Path
from typing import Any, Final

import aio_pika

from contracts.dates import Dates
from contracts.directory import AuthorityState
from contracts.registry import Details
from contracts.topology import VHOST
from deploy.local.exchange import Exchange, exchange
from deploy.local.mail import Mailbox, mail_server
from deploy.local.ports import Ports
from services.chassis import mongo
from services.chassis.delivery import Delivery, Handled
from services.chassis.public_holidays import PublicHolidays
from services.chassis.worker import Worker
from services.notifier.handlers import Planner
from services.notifier.mail import Writer
from services.notifier.sending import Pace, Sending
from services.notifier.sentences import SENTENCES
from services.notifier.smtp import Server, couriers
from services.notifier.store import Store
from tests.proof.called_for import END, GATHER_FOR, Sent, news_called_for, steps_called_for
from tests.proof.stories import BEGIN, DAY, Course, Party, coordinator, parties

HOUR: Final = timedelta(hours=1)
QUEUE: Final = "proof.year"


class Run:
    """The notifier in this process: real broker, database and SMTP server; the time is what we say."""

    def __init__(self, running: Exchange, database: mongo.Database, port: int, queue: str) -> None:
        self.now = BEGIN
        self.store = Store(database, domain_rate=1000)
        self._handled, self._news = 0, asyncio.Event()
        self._planner = Planner(self.store, GATHER_FOR, lambda: self.now)
        admin = running.addresses.rabbit_admin
        self._url = running.addresses.amqp_url(admin.name, admin.password, VHOST)
        self._queue = queue
        self.worker = Worker(self._url, "notifier", self._queues, self._handle)
        writer = Writer({"en": SENTENCES}, Address(addr_spec="exchange@imi.example"), "https://imi.example/{case}")
        carriers = partial(couriers, Server("127.0.0.1", port, tls=False), "imi.example", 2)
        pace = Pace(timedelta(seconds=1), 1_000, 2, GATHER_FOR, 2 * DAY)
        self.sending = Sending(self.store, writer, PublicHolidays(), carriers, pace, clock=lambda: self.now)

    async def _queues(self) -> list[str]:
        return [self._queue]

    async def _handle(self, deliveries: Sequence[Delivery]) -> Sequence[Handled]:
        handled = await self._planner(deliveries)
        self._handled += len(deliveries)
        self._news.set()
        return handled

    async def handled(self, many: int) -> None:
        """Return when so many messages have been handled."""
        async with asyncio.timeout(60):
            while self._handled < many:
                self._news.clear()
                await self._news.wait()

    async def play(self, events: Sequence[Dates], ticks: Iterable[datetime]) -> None:
        """Have all happen in its time."""
        async with await aio_pika.connect(self._url) as connection:
            channel = await connection.channel()
            await channel.declare_queue(self._queue, durable=True, arguments={"x-queue-type": "quorum"})
            await self.worker.start()
            try:
                published = 0
                for self.now in ticks:
                    while published < len(events) and events[published].at <= self.now:
                        await channel.default_exchange.publish(_message(events[published]), self._queue)
                        published += 1
                    await self.handled(published)
                    while await self.sending.turn():
                        pass
            finally:
                await self.worker.stop()
                await channel.queue_delete(self._queue)


def _message(dates: Dates) -> aio_pika.Message:
    body = dates.model_dump_json().encode()
    return aio_pika.Message(
        body, type=Dates.TYPE, content_type="application/json", message_id=f"{dates.case}/{dates.version}"
    )


async def prove(running: Exchange, folder: Path, cases: int, every: timedelta, seed: int) -> dict[str, Any]:
    """Play a year of so many cases, the clock stopping every so often, and compare; return what came of it."""
    began, chance = time.monotonic(), random.Random(seed)
    everybody = parties(chance)
    stories = [Course(number, everybody, chance).run() for number in range(cases)]
    by_id = {one.id: one for one in everybody}
    expected = Counter[Sent]()
    for told in stories:
        expected.update(one for one in (*news_called_for(told, by_id), *steps_called_for(told, by_id)) if one.at < END)
    events = sorted((dates for told in stories for dates in told.told if dates.at < END), key=lambda one: one.at)
    ticks = _ticks(events, expected, every)
    admin = running.addresses.mongo_admin
    database = mongo.connect(running.addresses.mongo_url(admin.name, admin.password), f"year-{seed}-{cases}")
    mailbox = Mailbox()
    try:
        with closing(Ports(folder, ["smtp"])) as ports, mail_server(mailbox, ports["smtp"]):
            run = Run(running, database, ports["smtp"], f"{QUEUE}.{seed}.{cases}")
            await run.store.prepare()
            for one in everybody:
                await run.store.readers.authority_changed(_state(one, everybody))
                await run.store.readers.prefer(one.id, one.wishes, "proof", "proof")
            await run.play(events, ticks)
        kept = [dict(found) async for found in database["emails"].find()]
    finally:
        await database.client.drop_database(database.name)
        await database.client.close()
    found = Counter(Sent(one["to"], what, one["at"]) for one in kept for what in one["told"])
    ids = Counter(str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in mailbox.mails)
    return {
        "cases": cases,
        "ticks": len(ticks),
        "events": len(events),
        "called_for": expected.total(),
        "mails": len(mailbox.mails),
        "missing": (expected - found).total(),
        "other": (found - expected).total(),
        "twice": sum(many > 1 for many in ids.values()) + sum(many > 1 for many in found.values()),
        "unrecorded": len(ids.keys() ^ {str(one["_id"]) for one in kept}),
        "without_their_case": _without_their_case(mailbox, kept),
        "examples": [str(one) for one in [*(expected - found), *(found - expected)][:6]],
        "seconds": round(time.monotonic() - began, 1),
    }


def _ticks(events: Sequence[Dates], expected: Iterable[Sent], every: timedelta) -> list[datetime]:
    steady = (BEGIN + number * every for number in range((END - BEGIN) // every))
    return sorted({*steady, *(one.at for one in events), *(one.at for one in expected)})


def _without_their_case(mailbox: Mailbox, kept: Sequence[dict[str, Any]]) -> int:
    """Count mails in which a case stands nowhere that they were to tell of."""
    cases = {str(one["_id"]): one["cases"] for one in kept}
    missing = 0
    for mail in mailbox.mails:
        body = mail.get_body(("plain",))
        text = str(mail["Subject"]) + (str(body.get_content()) if body else "")
        key = str(mail["Message-ID"]).strip("<>").partition("@")[0]
        missing += not all(case in text for case in cases.get(key, ()))
    return missing


def _state(one: Party, everybody: Sequence[Party]) -> AuthorityState:
    details = Details(country=one.country, names={"en": one.id}, city="City", languages=("en",), contacts=one.addresses)
    above = coordinator(one, everybody)
    return AuthorityState(
        id=one.id,
        version=1,
        status="active",
        kind="national-coordinator" if above is one else "authority",
        details=details,
        system="proof",
        coordinator=None if above is one else above.id,
    )


WRONG: Final = ("missing", "other", "twice", "unrecorded", "without_their_case")


def main() -> int:
    """Run; the last line of standard output is the result in JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="year-", dir=".local") as folder, exchange(Path(folder)) as running:
        mails = Path(folder) / "mails"
        mails.mkdir()
        result = asyncio.run(prove(running, mails, options.cases, HOUR, options.seed))
    print(json.dumps(result))
    return 1 if any(result[name] for name in WRONG) else 0


if __name__ == "__main__":
    sys.exit(main())
