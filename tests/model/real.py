"""The service's own code, stopped before each thing that it does to the broker or to the database, and led on by hand.

Real are the intake, the desk, the histories, the session's groups and the acknowledger; in memory are the documents and
the broker's end of the connection. Each `pass_` lets one thing happen, so that any order of the model's can be walked.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, ClassVar, Final, cast

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError
from pymongo.results import BulkWriteResult

from contracts.refusal import Refusal
from contracts.types import Message
from services.chassis.bus import Outgoing
from services.chassis.delivery import Later
from services.chassis.desk import Answer, Desk, done, refused
from services.chassis.histories import Change, Decision, Histories, History, Refuse
from services.chassis.intake import Command
from services.chassis.mongo import Collection
from services.chassis.serving import Serving
from tests.unit.deliveries import SYSTEM, FakeSession, delivered

LANE = f"casework.commands.{SYSTEM}"
_QUIET: Final = 25
"""Turns of the event loop after which whatever could go on has."""


class Accept(Message):
    """Needs nothing."""

    TYPE: ClassVar[str] = "casework.accept.v1"
    place: str


class Reply(Message):
    """Needs that somebody has accepted."""

    TYPE: ClassVar[str] = "casework.reply.v1"
    place: str


KINDS: Mapping[str, type[Accept] | type[Reply]] = {"accept": Accept, "reply": Reply}


class Gates:
    """Where a replica stands: before which things, in the order in which it came to them."""

    def __init__(self) -> None:
        self._closed: list[tuple[str, asyncio.Future[None]]] = []

    async def stand(self, before: str) -> None:
        """Wait until this thing may be done."""
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closed.append((before, gate))
        await gate

    @property
    def before(self) -> list[str]:
        """What may be done next."""
        return [what for what, gate in self._closed if not gate.done()]

    async def pass_(self, what: str, place: int = 0) -> None:
        """Have the `place`-th waiting thing of this kind done, and return when nothing more happens by itself."""
        gates = [gate for name, gate in self._closed if name == what and not gate.done()]
        gates[place].set_result(None)
        await quiet()


async def quiet() -> None:
    """Return when everything that can go on by itself has come to a gate."""
    for _ in range(_QUIET):
        await asyncio.sleep(0)


class Documents:
    """A collection in memory, as far as `Histories` uses one: each document is written whole or not at all."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}

    def seen_by(self, gates: Gates) -> Collection:
        """Return the collection as one replica has it: whatever it does there waits at a gate."""
        return cast("Collection", _Seen(self, gates))

    def write(self, operation: Any) -> bool | dict[str, Any]:
        """Carry out one operation: say whether it matched, or which key was in its way."""
        if isinstance(operation, ReplaceOne):  # of revision 0, which no document has: made, or in the way
            document = dict(operation._doc)
            if document["_id"] in self.stored:
                return {"_id": document["_id"]}
            self.stored[document["_id"]] = document
            return True
        found = self.stored.get(operation._filter["_id"])
        if found is None or found["rev"] != operation._filter["rev"]:
            return False
        for name, pushed in operation._doc["$push"].items():
            found[name] = [*found.get(name, ()), *pushed["$each"]]
        found["rev"] += operation._doc["$inc"]["rev"]
        return True


class _Seen:
    def __init__(self, documents: Documents, gates: Gates) -> None:
        self._documents = documents
        self._gates = gates

    def with_options(self, **_: Any) -> "_Seen":
        return self

    def find(
        self, wanted: Mapping[str, Any], _fields: object
    ) -> AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]:
        return aclosing(self._found(wanted["_id"]["$in"]))

    async def _found(self, keys: Iterable[str]) -> AsyncGenerator[dict[str, Any]]:
        await self._gates.stand("read")
        for key in keys:
            if key in self._documents.stored:
                yield {**self._documents.stored[key], "bytes": 1}

    async def bulk_write(self, operations: Sequence[Any], *, ordered: bool) -> BulkWriteResult:
        """Write each by itself, in whichever order the gates are passed: that is what not ordered means."""
        assert not ordered
        said = await asyncio.gather(*(self._one(operation) for operation in operations))
        errors = [
            {"index": index, "code": 11000, "keyValue": one} for index, one in enumerate(said) if isinstance(one, dict)
        ]
        matched = sum(one is True for one, op in zip(said, operations, strict=True) if not isinstance(op, ReplaceOne))
        if errors:
            raise BulkWriteError({"writeErrors": errors, "writeConcernErrors": [], "nMatched": matched})
        return BulkWriteResult({"nMatched": matched}, acknowledged=True)

    async def _one(self, operation: Any) -> bool | dict[str, Any]:
        await self._gates.stand("write")
        return self._documents.write(operation)


class GatedSession(FakeSession):
    """A connection whose every publish and acknowledgement waits at a gate."""

    def __init__(self, gates: Gates) -> None:
        super().__init__()
        self._gates = gates

    async def publish(self, message: Outgoing) -> None:
        """Confirm once it may be."""
        await self._gates.stand("publish")
        await super().publish(message)

    async def acknowledge(self, delivery_tag: int, *, multiple: bool) -> None:
        """Forget once it may be."""
        await self._gates.stand("acknowledge")
        await super().acknowledge(delivery_tag, multiple=multiple)


class Replica:
    """A process of the service, from its start to its crash."""

    def __init__(self, documents: Documents) -> None:
        self.gates = Gates()
        self.session = GatedSession(self.gates)
        histories = Histories(documents.seen_by(self.gates), lambda _id, _history: {})
        desk = Desk(KINDS.values(), 1_000, lambda commands: _carry_out(histories, commands))
        serving = Serving(self.session.real, _lane, desk)
        self._task = asyncio.create_task(serving.run(asyncio.Event()))
        self._tags = itertools.count(1)

    async def take(self, *asked: tuple[str, str, str]) -> None:
        """Be delivered these together: message id, what is asked, of which document."""
        while LANE not in self.session.takes:
            await quiet()
        tags = [next(self._tags) for _ in asked]
        self.session.unacknowledged.update(tags)
        for tag, (message_id, asks, place) in zip(tags, asked, strict=True):
            kind, body = KINDS[asks].TYPE, KINDS[asks](place=place).model_dump_json().encode()
            message = delivered(body, tag, message_type=kind, routing_key=kind, message_id=message_id)
            await self.session.takes[LANE](message)
        await quiet()

    async def crash(self) -> None:
        """Be gone: nothing that was in hand is remembered."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def _lane() -> list[str]:
    return [LANE]


async def _carry_out(histories: Histories, commands: Sequence[Command]) -> Sequence[Answer | Later]:
    settled = await histories.settle(commands, _place, _place, _decide)
    answers = list[Answer | Later]()
    for command, one in zip(commands, settled, strict=True):
        assert not isinstance(one, Later)
        answers.append(Answer(refused(command, one.refusal) if one.refusal else done(command)))
    return answers


def _place(command: Command) -> str:
    return str(getattr(command.body, "place", ""))


def _decide(history: History, command: Command) -> Decision:
    happened = {entry["what"] for entry in history}
    asks = "accept" if isinstance(command.body, Accept) else "reply"
    if asks in happened or (asks == "reply" and "accept" not in happened):
        return Refuse(Refusal("wrong-state"), in_document=True)
    return Change({"what": asks})
