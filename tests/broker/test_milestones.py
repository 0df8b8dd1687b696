"""The exchange notices how it grows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from contracts.inbox import Milestone, Views
from deploy.local.addresses import Addresses
from deploy.local.servers import servers
from services.chassis import mongo
from services.chassis.bus import Outgoing
from services.chassis.feed import Feed
from services.chassis.loops import Loop
from services.registry.milestones import Milestones
from tests.unit.registering import AT, details

pytestmark = pytest.mark.servers


@dataclass
class Said:
    """Takes the place of a feed, and keeps what is published."""

    messages: list[Outgoing] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    """Raised one after the other before anything is kept."""
    kept: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, message: Outgoing) -> None:
        if self.faults:
            raise self.faults.pop()
        self.messages.append(message)
        self.kept.set()

    def told(self) -> list[tuple[int, str, str]]:
        found = []
        for message in self.messages:
            (view,) = Views.model_validate_json(message.body).views
            assert isinstance(view.message, Milestone)
            found.append((view.message.activations, view.message.authority.id, view.message_id))
        return found


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """A MongoDB that this file has for itself."""
    with servers(Path(tmp_path_factory.mktemp("milestones"))) as started:
        yield started.addresses


@pytest.fixture
async def database(addresses: Addresses) -> AsyncIterator[mongo.Database]:
    """A database that nothing has been written to."""
    admin = addresses.mongo_admin
    made = mongo.connect(addresses.mongo_url(admin.name, admin.password), "milestones")
    yield made
    await made.client.drop_database(made.name)
    await made.client.close()


def authority(number: int) -> dict[str, Any]:
    """An authority as the registry keeps it, which joined so many minutes after the first."""
    entry = {"what": "registered", "at": AT, "details": details().model_dump(mode="json"), "system": "de-amt"}
    entry |= {"by": "DE-NATIONAL", "coordinator": "DE-NATIONAL", "realm": None, "granted": []}
    return {"_id": f"DE-{number:08}", "joined": AT + timedelta(minutes=number), "history": [entry]}


async def test_the_operator_is_told_who_made_up_the_number_and_only_once(database: mongo.Database) -> None:
    """In the order of joining; two replicas say the same under the same id, and a later look says nothing again."""
    await database["authorities"].insert_many([authority(number) for number in (3, 1, 4, 2, 5)])
    said = Said()
    replicas = [Milestones(database["authorities"], database["milestones"], cast("Feed", said), 2) for _ in range(2)]
    for replica in replicas:
        await replica.prepare()
        await replica.look()
    assert [told[:2] for told in said.told()] == [(2, "DE-00000002"), (4, "DE-00000004")]
    await database["milestones"].delete_many({})  # as after a crash between the message and its note
    await replicas[1].look()
    first, second = said.told()[:2], said.told()[2:]
    assert first == second
    await database["authorities"].insert_one(authority(6))
    await replicas[0].look()
    assert [told[:2] for told in said.told()[4:]] == [(6, "DE-00000006")]


async def test_whoever_made_up_the_number_is_told_of_after_a_fault(database: mongo.Database) -> None:
    """A publish that ran out of time, or failed otherwise, is made good by a later turn, though nobody joins again."""
    await database["authorities"].insert_many([authority(number) for number in (1, 2)])
    said = Said(faults=[TimeoutError(), ValueError()])
    milestones = Milestones(database["authorities"], database["milestones"], cast("Feed", said), 2)
    looking = Loop("milestones", milestones.turn, 0.01)
    await milestones.prepare()
    await looking.begin()
    async with asyncio.timeout(30):
        await said.kept.wait()
    await looking.end()
    assert [told[:2] for told in said.told()] == [(2, "DE-00000002")]
