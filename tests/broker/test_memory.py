"""A replica stays below its container's limit, whatever cases a system builds and whatever it asks of them at once."""

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from client.system import System
from contracts.casework import (
    AskCorrection,
    ConsentCorrection,
    ListCases,
    RepublishCases,
    SendMessage,
    ShowCase,
    ShowFile,
    ShowTrail,
    VerifyCases,
)
from contracts.topology import OPERATOR
from contracts.types import FreeText, Message, User
from deploy.local.exchange import Replica
from services.casework.keys import KeyFolder
from services.casework.settling import MOST_FILES
from services.casework.store import Store
from services.casework.vault import Vault
from services.chassis import mongo
from services.chassis.chain import LINK, last_link, link_of
from services.chassis.histories import Entry, Secret
from services.chassis.mongo import Document
from tests.world import HANDLER, World

pytestmark = pytest.mark.servers

LIMIT = 256 * 1024
"""KiB that a container of a service has (deploy/kubernetes/base/service.yaml)."""
CASES = 20
"""Of 5 MB each: all of them are more than the limit once they are read, opened and told at the same time."""
FILE = base64.b64encode(b"%PDF-" + bytes(179_995)).decode()
ESCAPED = FreeText(text="\x01" * 4_000, language="de")
"""Six bytes a character, in what is stored and in what is shown."""
ADMINISTRATOR = User(id="administrator", role="data-administrator")


class Heavy:
    """Cases as heavy as they get, put where the service keeps its own; each is a copy of one that it has made."""

    def __init__(self, world: World) -> None:
        running, admin = world.exchange, world.exchange.addresses.mongo_admin
        url = running.addresses.mongo_url(admin.name, admin.password)
        self.vault = Vault(KeyFolder(running.folder / "keys", [base64.b64decode(running.root_key)]))
        self.store = Store(mongo.connect(url, "casework"), self.vault)

    async def copies(self, number: str, how_many: int) -> list[str]:
        """Return the numbers of copies that differ from the case in all that was put to them."""
        model = await self.store.collection.find_one({"_id": number})
        assert model
        numbers = [f"0000-HEAV-{place:04}" for place in range(how_many)]
        for one in numbers:
            await self.store.collection.insert_one(self._copy(model, one))
        return numbers

    async def end(self) -> None:
        """Leave none of them."""
        await self.store.collection.delete_many({"_id": {"$regex": "^0000-HEAV-"}})
        await self.store.collection.database.client.close()

    def _copy(self, model: Any, number: str) -> Document:
        secret: Secret = None
        stored, history = list[Entry](), list[Entry]()
        for place, entry in enumerate([*self.store.cases.opened(model), *_put_to_it(model["history"][-1])]):
            plain = {name: one for name, one in entry.items() if name not in ("sealed", LINK)}
            plain["key"] = f"heavy/{number}/{place}"
            secret, sealed = self.vault.sealed(number, secret, plain)
            linked = {**sealed, LINK: link_of(last_link(number, stored[-1:]), sealed)}
            stored.append(linked)
            history.append({**plain, **linked})
        document = {"_id": number, "rev": 1, "history": stored, "refused": [], "secret": secret}
        return document | self.store._projection(number, tuple(history))


def _put_to_it(last: Entry) -> list[Entry]:
    """Twenty files, and as much said as there is room for."""
    common = {name: last[name] for name in ("at", "by", "user", "digest")}
    files = [
        {
            **common,
            "what": "attached",
            "file": f"{number:032x}",
            "size": 180_000,
            "personal": {"file": {"name": "a.pdf", "media_type": "application/pdf", "content": FILE}},
        }
        for number in range(MOST_FILES)
    ]
    said = {**common, "what": "message", "says": True, "personal": {"text": ESCAPED.model_dump()}}
    return [*files, *itertools.repeat(said, 18)]


@pytest.fixture
async def heavy(world: World) -> AsyncIterator[Heavy]:
    """What puts them there, and takes them away."""
    made = Heavy(world)
    yield made
    await made.end()


async def test_the_heaviest_cases_are_listed_shown_changed_and_told_again_within_the_limit(
    world: World, heavy: Heavy
) -> None:
    """All of them at once, by both sides: none is left unanswered, and the replica ends as the one that began."""
    (replica,) = world.exchange.of("casework")
    async with world.both() as (asking, answering), world.system(OPERATOR) as operator:
        sent = await asking.do(world.request())
        assert sent.case
        await answering.do(world.accept(sent.case.id))
        numbers = await heavy.copies(sent.case.id, CASES)
        _forget_peak(replica)
        await asking.do(ListCases(authority=world.ids["de-kammer"], limit=100, user=HANDLER))
        for questions in _questions(world, numbers):
            await _all(asking, questions)
        await _all(answering, _messages(world, numbers))
        await _put_right(world, asking, answering, numbers[:5])
        assert await _told_again(operator, sent.case.event.at) >= CASES
        verified = (await operator.do(VerifyCases(limit=1000))).verified
        assert verified
        assert not {one.case for one in verified.broken}.intersection(numbers)
    assert _peak(replica) < LIMIT


def _questions(world: World, numbers: Sequence[str]) -> list[list[Message]]:
    who = {"authority": world.ids["de-kammer"], "user": HANDLER}
    return [
        [ShowCase.model_validate({**who, "case": one}) for one in numbers],
        [ShowFile.model_validate({**who, "case": one, "file": "0" * 32}) for one in numbers],
        [ShowTrail.model_validate({**who, "case": one}) for one in numbers],
    ]


def _messages(world: World, numbers: Sequence[str]) -> list[SendMessage]:
    who = world.ids["hu-hivatal"]
    return [SendMessage(authority=who, case=one, text=ESCAPED, user=HANDLER) for one in numbers]


async def _told_again(operator: System, since: datetime) -> int:
    """Have all cases told again, page by page; return how many they were."""
    told, after = 0, None
    while True:
        outcome = await operator.do(RepublishCases(since=since, after=after, limit=100))
        assert outcome.republished
        told += outcome.republished.cases
        if not (after := outcome.next):
            return told


async def _all(system: System, commands: Sequence[Message]) -> None:
    """Send all at once, and have each carried out."""
    await asyncio.gather(*(system.do(command, within=120) for command in commands))


async def _put_right(world: World, asking: System, answering: System, numbers: Sequence[str]) -> None:
    """Have all that is in these cases written anew."""
    born = {"date-of-birth": "1981-02-02"}
    who, other = world.ids["de-kammer"], world.ids["hu-hivatal"]
    asked = [AskCorrection(authority=who, case=one, particulars=born, user=ADMINISTRATOR) for one in numbers]
    await _all(asking, asked)
    await _all(answering, [ConsentCorrection(authority=other, case=one, user=ADMINISTRATOR) for one in numbers])


def _process(replica: Replica) -> Path:
    return Path("/proc", str(replica.program._pid))


def _forget_peak(replica: Replica) -> None:
    (_process(replica) / "clear_refs").write_text("5")


def _peak(replica: Replica) -> int:
    """The most memory that the process has had, in KiB."""
    status = (_process(replica) / "status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
