"""Three replicas of the notifier, one killed every few seconds, and a mail server that fails as it likes.

`python -m tests.proof.emails`. The server drops connections before it has a mail and after, says 4xx and 5xx by chance
with a seed, and knows some addresses not at all. In the end each thing that was to be told to an address has either
arrived or is remembered as failed, and has arrived once, but for repeats with the same Message-ID, which are counted.
The last line is JSON; the exit status is 1 when anything is otherwise.
"""

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aio_pika
from aiosmtpd.smtp import SMTP, Envelope, Session

from contracts.dates import AllDates, Dates, Deadline, Notice
from contracts.directory import AuthorityState
from contracts.identity import derived_code, derived_uuid
from contracts.registry import Details
from contracts.topology import VHOST
from deploy.local.exchange import Exchange, exchange
from deploy.local.mail import Mailbox, mail_server
from deploy.local.ports import Ports
from services.chassis import mongo
from services.notifier.deadlines import in_milliseconds
from services.notifier.store import Store

REPLICAS: Final = 3
KILL_EVERY: Final = 4.0
STATE: Final = "LI"
"""Whose authorities nobody else here writes to."""
AUTHORITIES: Final = 30
_DOMAIN: Final = re.compile(r"@li\d?\.example$")
"""Where these have their mailboxes."""
PATIENCE: Final = 120.0
"""Seconds for the last mails."""
SETTINGS: Final = {
    "IMI_GATHER_FOR": "PT2S",
    "IMI_POLL_EVERY": "PT0.2S",
    "IMI_LEASE": "PT8S",
    "IMI_DOMAIN_RATE": "500",
}
WRONG: Final = ("lost", "doubled", "never_arrived", "unremembered", "coordinators_untold")


class FailingMailbox(Mailbox):
    """A mailbox whose server does what the seed says."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.done = Counter[str]()
        self._chance = random.Random(seed)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        said, chance = "250 go on", self._chance.random()
        if address.startswith("gone"):
            said = "550 no such user"
        elif chance < 0.06:
            said = "451 later"
        elif chance < 0.08:
            said = "421 closing"
        elif chance < 0.085:
            said = "554 not today"
        self.done[said[:3]] += 1
        envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        chance = self._chance.random()
        if chance < 0.05:
            return self._drop(server, "dropped before")
        said = await super().handle_DATA(server, session, envelope)
        return self._drop(server, "dropped after") if chance < 0.10 else said

    def _drop(self, server: SMTP, when: str) -> str:
        self.done[when] += 1
        assert isinstance(server.transport, asyncio.WriteTransport)
        server.transport.abort()
        return "250 which nobody hears"


@dataclass(frozen=True)
class Expected:
    """One thing that is to be told to one address."""

    to: str
    what: str


def _authority(number: int) -> tuple[str, tuple[str, ...]]:
    name = f"{STATE}-{derived_code(8, 'failing', str(number))}"
    first = "gone" if number % 10 == 9 else "office"
    return name, (f"{first}{number}@li{number % 5}.example", f"second{number}@li.example")[: 1 + number % 2]


def _states() -> Iterator[AuthorityState]:
    """The first one coordinates the others."""
    above, _ = _authority(0)
    for number in range(AUTHORITIES):
        name, addresses = _authority(number)
        details = Details(country=STATE, names={"en": name}, city="Vaduz", languages=("en",), contacts=addresses)
        yield AuthorityState(
            id=name,
            version=1,
            status="active",
            kind="authority" if number else "national-coordinator",
            details=details,
            system="proof",
            coordinator=above if number else None,
        )


def _dates(cases: int, seconds: float, seed: int) -> Iterator[tuple[Dates, list[Expected]]]:
    """Cases whose acceptance is due one after the other in the seconds to come, and what is to be told of each."""
    begin = in_milliseconds(datetime.now(UTC) + timedelta(seconds=3))
    above, above_addresses = _authority(0)
    for number in range(cases):
        who, addresses = _authority(1 + number % (AUTHORITIES - 1))
        code = derived_code(12, "failing", str(seed), str(number), begin.isoformat())
        case, due = f"{code[:4]}-{code[4:8]}-{code[8:]}", begin + timedelta(seconds=seconds * number / cases)
        due = in_milliseconds(due)
        notices = (Notice(kind="arrived", authority=who), Notice(kind="message", authority=above))
        deadline = Deadline(kind="acceptance", authority=who, due=due, remind=())
        dates = Dates(
            case=case,
            version=1,
            area="services",
            state="awaiting-acceptance",
            at=begin,
            deadlines=(deadline,),
            notices=notices,
        )
        news = [derived_uuid("notice", case, "1", "1", one.kind, one.authority) for one in notices]
        step = f"{case}/acceptance/overdue/{who}/{due.isoformat()}/0"
        mine = [Expected(address, what) for address in addresses for what in (news[0], step)]
        yield dates, [*mine, *(Expected(address, news[1]) for address in above_addresses)]


async def prove(running: Exchange, folder: Path, cases: int, seconds: float, seed: int) -> dict[str, Any]:
    """Have so many cases told of in so many seconds, the notifier killed all the while; return what came of it."""
    mailbox, admin = FailingMailbox(seed), running.addresses.mongo_admin
    database = mongo.connect(running.addresses.mongo_url(admin.name, admin.password), "notifier")
    store = Store(database)
    with closing(Ports(folder, ["smtp"])) as ports, mail_server(mailbox, ports["smtp"]) as url:
        with _replicas(running, {**SETTINGS, "IMI_SMTP_URL": url}):
            for state in _states():
                await store.readers.authority_changed(state)
            planned = list(_dates(cases, seconds, seed))
            await _publish(running, [dates for dates, _ in planned])
            expected = {one for _, some in planned for one in some}
            with _killing(running, {**SETTINGS, "IMI_SMTP_URL": url}) as kills:
                await asyncio.sleep(seconds)
            running.wait_until_ready()
            waited = await _until_told(database, expected)
        kept = await _kept(database)
    marks = [dict(found) async for found in database["marks"].find({"_id": {"$regex": f"^{STATE}-"}})]
    for name in ("authorities", "marks"):
        await database[name].delete_many({"_id": {"$regex": f"^{STATE}-"}})
    await database.client.close()
    result = _compared(expected, kept, mailbox)
    told_of = {what for one in kept if one["kind"] == "undeliverable" for what in one["told"]}
    coordinated = [one for one in marks if one["authority"] != _authority(0)[0]]
    return {
        "cases": cases,
        "kills": kills["kills"],
        **result,
        "marked": len(marks),
        "coordinators_untold": sum(_told(one) not in told_of for one in coordinated),
        "said": dict(mailbox.done),
        "waited_s": round(waited, 1),
    }


def _told(mark: Mapping[str, Any]) -> str:
    """Return under what the coordinator was told that this address does not work."""
    return derived_uuid("undeliverable", mark["authority"], mark["address"], mark["at"].date().isoformat())


def _compared(expected: set[Expected], kept: Sequence[Mapping[str, Any]], mailbox: Mailbox) -> dict[str, Any]:
    ours = [mail for mail in mailbox.mails if _DOMAIN.search(str(mail["To"]))]  # an exchange has others, too
    arrived = Counter(str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in ours)
    by_thing = defaultdict[Expected, set[str]](set)
    for email in kept:
        for what in email["told"]:
            by_thing[Expected(email["to"], what)].add(str(email["_id"]))
    known = {str(email["_id"]) for email in kept}
    sent = {str(email["_id"]) for email in kept if email["outcome"] == "sent"}
    return {
        "to_tell": len(expected),
        "mails": len(sent),
        "arrived": arrived.total(),
        "repeats_with_the_same_id": arrived.total() - len(arrived),
        "failed": len(kept) - len(sent),
        "arrived_though_failed": len((known - sent) & arrived.keys()),
        "lost": len(expected - by_thing.keys()),
        "never_arrived": len(sent - arrived.keys()),
        "doubled": sum(len(ids & arrived.keys()) > 1 for ids in by_thing.values()),
        "unremembered": len(arrived.keys() - known),
    }


async def _kept(database: mongo.Database) -> list[dict[str, Any]]:
    """What the notifier remembers of mails to these authorities."""
    found = database["emails"].find({"authority": {"$regex": f"^{STATE}-"}})
    return [dict(one) async for one in found]


async def _until_told(database: mongo.Database, expected: set[Expected]) -> float:
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        kept = await _kept(database)
        waiting = await database["notices"].count_documents({"kind": "undeliverable", "send_at": {"$exists": True}})
        if not waiting and expected <= {Expected(one["to"], what) for one in kept for what in one["told"]}:
            break
        await asyncio.sleep(0.5)
    return time.monotonic() - began


async def _publish(running: Exchange, all_dates: Sequence[Dates]) -> None:
    """Publish as casework does."""
    url = running.addresses.amqp_url("service.casework", running.passwords["casework"], VHOST)
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        to = await channel.get_exchange("casework", ensure=False)
        for first in range(0, len(all_dates), 50):
            body = AllDates(dates=tuple(all_dates[first : first + 50])).model_dump_json().encode()
            message = aio_pika.Message(
                body, type=AllDates.TYPE, content_type="application/json", message_id=f"proof-{first}"
            )
            await to.publish(message, "dates")


@contextmanager
def _replicas(running: Exchange, settings: Mapping[str, str]) -> Iterator[None]:
    """Have three replicas in place of those that are there; afterwards one as it was."""
    running.stop(*running.of("notifier"))
    try:
        for _ in range(REPLICAS):
            running.start("notifier", settings=settings)
        running.wait_until_ready()
        yield
    finally:
        running.stop(*running.of("notifier"))
        running.start("notifier")
        running.wait_until_ready()


@contextmanager
def _killing(running: Exchange, settings: Mapping[str, str]) -> Iterator[Counter[str]]:
    """Kill the oldest replica every few seconds, and start another, for as long as the block runs."""
    stop, kills = threading.Event(), Counter[str]()

    def kill() -> None:
        while not stop.wait(KILL_EVERY):
            doomed = running.of("notifier")[0]
            doomed.program.kill()
            running.stop(doomed)
            running.start("notifier", settings=settings)
            kills["kills"] += 1

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield kills
    finally:
        stop.set()
        thread.join()


def main() -> int:
    """Run; the last line of standard output is the result in JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_500)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="emails-", dir=".local") as folder, exchange(Path(folder)) as running:
        mails = Path(folder) / "mails"
        mails.mkdir()
        result = asyncio.run(prove(running, mails, options.cases, options.seconds, options.seed))
    print(json.dumps(result))
    return 1 if any(result[name] for name in WRONG) else 0


if __name__ == "__main__":
    sys.exit(main())
