"""Casework in plain FastStream: a subscriber for each lane, and for each command one read, one write, its publishes.

The domain is casework's own, and so are the messages, the documents and what makes a command idempotent. What it knows
of authorities and areas it reads once at its start, which spares it a query for each command.
"""

import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import uvloop
from faststream.rabbit import RabbitBroker, RabbitMessage
from pymongo.errors import DuplicateKeyError

from bench.naive_broker import Publisher, open_broker, subscriber
from contracts.calendar import years_around
from contracts.casework import AcceptRequest, CloseCase, Reply, SendRequest
from contracts.dates import Dates
from contracts.identity import case_id, derived_uuid
from contracts.inbox import CaseUpdate, View, Views
from contracts.refusal import Refusal
from contracts.topology import lanes_of, system_of
from contracts.translation import AreaRules
from services.casework.case import Case
from services.casework.deadlines import deadlines_of
from services.casework.history import case_from
from services.casework.knowledge import Area, Authority, Now
from services.casework.lifecycle import decide
from services.casework.settings import Settings
from services.casework.store import Store
from services.casework.views import notices_of, view_of
from services.chassis import mongo
from services.chassis.desk import done, refused
from services.chassis.intake import Command
from services.chassis.mongo import Collection, Database, Document
from services.chassis.public_holidays import PublicHolidays
from services.chassis.service import Parts, serve

Body = SendRequest | AcceptRequest | Reply | CloseCase
Entry = Mapping[str, Any]
Filter = Callable[[RabbitMessage], Awaitable[bool]]

NAME: Final = "casework"
_ATTEMPTS: Final = 50
HOLIDAYS: Final = PublicHolidays()


class Directory:
    """The authorities and areas, all in memory."""

    def __init__(self, authorities: Mapping[str, Authority], areas: Mapping[str, Area]) -> None:
        """Nothing changes while a bench runs."""
        self.authorities = authorities
        self.areas = areas

    def decide(self, case: Case | None, body: Body, now: Now) -> Entry | Refusal:
        """Return the entry that the command adds, or why it adds none."""
        if body.authority not in self.authorities:
            return Refusal("unknown-authority", "authority")
        if not isinstance(body, SendRequest) and (case is None or not case.is_party(body.authority)):
            return Refusal("unknown-case", "case")
        return decide(case, body, self, now)

    def authority(self, number: str) -> Authority | None:
        """Return an authority."""
        return self.authorities.get(number)

    def area(self, code: str) -> Area | None:
        """Return an area in its one version."""
        return self.areas.get(code)

    def rules(self, area: str, _version: int) -> AreaRules:
        """Return its rules."""
        return self.areas[area].rules

    def case(self, _: str) -> Case | None:
        """Return no other case: none is split."""
        return None

    def now(self) -> Now:
        """Return the moment of a decision, with all the holidays that it may need."""
        at = _now()
        places = {(one.side.country, one.side.region) for one in self.authorities.values()}
        years = years_around(at, [area.rules.deadlines.acceptance for area in self.areas.values()])
        return Now(at, calendar=HOLIDAYS.calendar(places, sorted(years)))


class Ledger:
    """The documents of cases. A command that stands in its case's history is not carried out again."""

    def __init__(self, cases: Collection, directory: Directory) -> None:
        """Decide by `directory`."""
        self._cases = cases
        self._directory = directory

    async def settle(self, command: Command, body: Body) -> tuple[Case | None, list[Entry], Refusal | None]:
        """Return the case and its history as the command left them, or why it was refused."""
        place = body.case if not isinstance(body, SendRequest) else case_id(command.system, command.message_id)
        for _ in range(_ATTEMPTS):
            found = await self._cases.find_one({"_id": place}, {"history": 1, "rev": 1})
            history: list[Entry] = list(found["history"]) if found else []
            if known := _known(command, history):
                return case_from(place, known), known, None
            entry = self._directory.decide(case_from(place, history), body, self._directory.now())
            if isinstance(entry, Refusal):
                return case_from(place, history), history, entry
            history.append({"key": command.key, "digest": command.digest, **entry})
            case = case_from(place, history)
            if case and await self._write(case, int(found["rev"]) if found else 0, history):
                return case, history, None
        raise RuntimeError(f"{place}: others changed it at every attempt")

    async def _write(self, case: Case, rev: int, history: list[Entry]) -> bool:
        fields = _fields(case, history)
        if not rev:
            try:
                await self._cases.insert_one({"_id": case.id, "rev": 1, "history": history, "refused": [], **fields})
            except DuplicateKeyError:
                return False
            return True
        change = {"$push": {"history": history[-1]}, "$set": fields, "$inc": {"rev": 1}}
        return (await self._cases.update_one({"_id": case.id, "rev": rev}, change)).matched_count == 1


class Casework:
    """The handlers."""

    def __init__(self, broker: RabbitBroker, ledger: Ledger, directory: Directory) -> None:
        """Subscribe to nothing yet."""
        self._broker = broker
        self._out = Publisher(broker, NAME)
        self._ledger = ledger
        self._directory = directory

    def subscribe(self, lane: str) -> None:
        """Take the commands of one system, each type by a handler of its own."""
        lane_subscriber, system = subscriber(self._broker, lane), system_of(lane)

        @lane_subscriber(filter=_of(SendRequest.TYPE))
        async def on_send(body: SendRequest, message: RabbitMessage) -> None:
            await self._take(system, body, message)

        @lane_subscriber(filter=_of(AcceptRequest.TYPE))
        async def on_accept(body: AcceptRequest, message: RabbitMessage) -> None:
            await self._take(system, body, message)

        @lane_subscriber(filter=_of(Reply.TYPE))
        async def on_reply(body: Reply, message: RabbitMessage) -> None:
            await self._take(system, body, message)

        @lane_subscriber(filter=_of(CloseCase.TYPE))
        async def on_close(body: CloseCase, message: RabbitMessage) -> None:
            await self._take(system, body, message)

    async def _take(self, system: str, body: Body, message: RabbitMessage) -> None:
        if message.raw_message.user_id != system:
            raise PermissionError(system)
        digest = hashlib.blake2b(body.TYPE.encode() + b"\0" + message.body, digest_size=16).hexdigest()
        command = Command(system, message.message_id, body, digest)
        case, history, refusal = await self._ledger.settle(command, body)
        if refusal or case is None:
            await self._show(command, refused(command, refusal or Refusal("unknown-case"), reader=body.authority))
            return
        shown = view_of(case, body.authority, history[-1], 1)
        await self._show(command, done(command, reader=body.authority, case=shown), self._update(case, body, history))
        dates = Dates(
            case=case.id,
            version=case.version,
            area=case.area,
            state=case.state,
            at=history[-1]["at"],
            deadlines=deadlines_of(case),
            notices=notices_of(case, history[-1]),
        )
        message_id = derived_uuid("dates", case.id, str(case.version))
        await self._out.message("dates", dates, message_id, command.message_id)

    def _update(self, case: Case, body: Body, history: list[Entry]) -> View:
        side = case.other(body.authority)
        assert side
        other = side.authority
        return View(
            to=self._directory.authorities[other].system,
            reader=other,
            message_id=derived_uuid("case", case.id, str(case.version), other),
            message=CaseUpdate(reader=other, case=view_of(case, other, history[-1], 1)),
        )

    async def _show(self, command: Command, *views: View) -> None:
        message_id = derived_uuid("views", command.key, command.digest)
        await self._out.message("views", Views(views=views), message_id, command.message_id)


def _of(kind: str) -> Filter:
    async def fits(message: RabbitMessage) -> bool:
        return message.raw_message.type == kind

    return fits


def _known(command: Command, history: list[Entry]) -> list[Entry] | None:
    position = next((at for at, entry in enumerate(history, start=1) if entry["key"] == command.key), 0)
    return history[:position] or None


def _now() -> datetime:
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _fields(case: Case, history: list[Entry]) -> Document:
    return {
        "state": case.state,
        "area": case.area,
        "sender": case.sender.authority,
        "recipient": case.recipient.authority if case.recipient else None,
        "turn": case.turn,
        "changed_at": history[-1]["at"],
    }


async def _directory(database: Database) -> Directory:
    store = Store(database)
    known = [[str(found["_id"]) async for found in database[name].find({})] for name in ("authorities", "areas")]
    return Directory(await store.authorities(known[0]), await store.areas(known[1]))


async def main() -> None:
    """Run until told to stop."""
    settings = Settings.load()
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    broker, directory = open_broker(settings.amqp_url.get_secret_value()), await _directory(database)
    casework = Casework(broker, Ledger(database["cases"], directory), directory)
    for lane in lanes_of(NAME, await Store(database).systems()):
        casework.subscribe(lane)
    await serve("casework", Parts(broker, probes=[functools.partial(broker.ping, 5.0)]), settings)


if __name__ == "__main__":
    uvloop.run(main())
