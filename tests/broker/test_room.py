"""A full history in the registry, on a real MongoDB: whoever filled it is suspended and closed as anybody else."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from contracts.directory import Card
from contracts.inbox import Outcome
from contracts.registry import (
    Account,
    Apply,
    AppointCoordinator,
    Approve,
    AssignSystem,
    Close,
    CloseSystem,
    ConnectSystem,
    DecideChange,
    Details,
    GrantAccess,
    Register,
    Reinstate,
    ReinstateSystem,
    Reject,
    RotateCredential,
    Scope,
    Suspend,
    SuspendSystem,
    UpdateAuthority,
)
from contracts.topology import OPERATOR
from contracts.types import Message
from deploy.local.addresses import Addresses
from deploy.local.servers import servers
from services.chassis import mongo
from services.chassis.intake import Command
from services.registry.handlers import Onboarding
from services.registry.questions import Questions
from services.registry.registration import Registration
from services.registry.room import MOST, MOST_BY_COORDINATORS
from services.registry.search import Directory
from services.registry.store import Store
from services.registry.systems import Systems
from services.registry.vocabulary import Vocabulary
from tests.unit.registering import DESK, HASH, NATIONAL_ID, REASON, details

pytestmark = pytest.mark.servers

DOCUMENT = 16 * 1024 * 1024
"""Bytes beyond which MongoDB takes none."""
ROOM = 4 * 1024 * 1024
"""Bytes that such a history leaves at least."""
FULL = "history-full"
BY = {"authority": NATIONAL_ID, "user": DESK}


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """A MongoDB that this file has for itself."""
    with servers(Path(tmp_path_factory.mktemp("room"))) as started:
        yield started.addresses


class Registry:
    """The registry without the broker: commands in, outcomes out."""

    def __init__(self, database: mongo.Database) -> None:
        self.database, self.store = database, Store(database)
        systems, vocabulary = Systems(self.store), Vocabulary(database["vocabulary"])
        questions = Questions(self.store, Directory(self.store.documents), systems, vocabulary)
        registration = Registration(self.store, systems, vocabulary)
        self._onboarding = Onboarding(self.store, registration, systems, questions, vocabulary)

    async def say(self, system: str, body: Message) -> Outcome:
        """Have a system send a command."""
        (answer,) = await self._onboarding([Command(system, str(uuid.uuid4()), body, digest="x")])
        assert answer.outcome
        assert isinstance(answer.outcome.message, Outcome)
        return answer.outcome.message

    async def card(self, system: str, body: Message) -> Card:
        """Have a command carried out; the authority afterwards."""
        outcome = await self.say(system, body)
        assert outcome.status == "done", outcome.refused
        assert outcome.authority
        return outcome.authority

    async def code(self, system: str, body: Message) -> str | None:
        """The code with which a command is refused; none when it is carried out."""
        outcome = await self.say(system, body)
        return outcome.refused.code if outcome.refused else None

    async def size(self, collection: str, place: str) -> int:
        """The bytes of a document, with all by which it is found."""
        pipeline: list[dict[str, Any]] = [{"$match": {"_id": place}}, {"$project": {"bytes": {"$bsonSize": "$$ROOT"}}}]
        (found,) = await (await self.database[collection].aggregate(pipeline)).to_list()
        return int(found["bytes"])

    async def fill(self, collection: str, place: str, most: int, entry: Mapping[str, Any]) -> None:
        """Have a history grow by such an entry to so many bytes of JSON, or an entry more: as if years had passed."""
        found = await self.database[collection].find_one({"_id": place})
        assert found
        missing = most - in_json(found["history"])
        entries = list[Mapping[str, Any]]()
        while missing > 0:
            entries.append({**entry, "key": f"{place}/{uuid.uuid4()}"})
            missing -= in_json(entries[-1]) + len(", ")
        change = {"$push": {"history": {"$each": entries}}, "$inc": {"rev": 1, "version": len(entries)}}
        await self.database[collection].update_one({"_id": place}, change)


def in_json(what: object) -> int:
    """The bytes that it takes."""
    return len(json.dumps(what, ensure_ascii=False, default=str).encode())


@pytest.fixture
async def registry(addresses: Addresses) -> AsyncIterator[Registry]:
    """A registry with the coordinator of a state, and two systems more."""
    admin = addresses.mongo_admin
    database = mongo.connect(addresses.mongo_url(admin.name, admin.password), f"room-{uuid.uuid4().hex}")
    try:
        made = Registry(database)
        await made.store.prepare()
        appoint = AppointCoordinator(details=details("DE", None), account=account("de-nimic"), user=DESK)
        await made.card(OPERATOR, appoint)
        for name in ("de-amt", "de-other"):
            assert await made.code("de-nimic", ConnectSystem(account=account(name), **BY)) is None
        yield made
    finally:
        await database.client.drop_database(database.name)
        await database.client.close()


def account(name: str, password_hash: str = HASH) -> Account:
    """An account with a password."""
    return Account(system=name, password_hash=password_hash, languages=("de",))


def talkative(number: int, **changes: Any) -> Details:
    """Details of nearly as many bytes as a command may have; each number's differ."""
    keywords = tuple(f"{number:06}{word:04}{'ő' * 35}" for word in range(50))
    areas = {f"area-{one}": Scope(keywords=keywords) for one in range(40)}
    return details("DE", "DEA2").model_copy(update={"areas": areas, **changes})


async def test_an_authority_that_fills_its_history_is_suspended_decided_on_and_closed(registry: Registry) -> None:
    """It is refused further updates, and access; whatever its coordinator has to do goes on, up to the end."""
    plain, one = [
        (await registry.card("de-nimic", Register(details=details(), system="de-amt", **BY))).id for _ in range(2)
    ]
    codes = list[str | None]()
    while not codes or codes[-1] is None:
        update = UpdateAuthority(
            authority=one, details=talkative(len(codes), names={"en": f"N {len(codes)}"}), user=DESK
        )
        codes.append(await registry.code("de-amt", update))
    assert codes[-1] == FULL
    assert len(codes) > 5
    assert await registry.size("authorities", one) < DOCUMENT - ROOM
    grant = GrantAccess(to=one, area="services", scope=Scope(keywords=("x" * 80,) * 50), **BY)
    filler = {"what": "updated", "by": one, "user": DESK.model_dump(), "details": details().model_dump(mode="json")}
    await registry.fill("authorities", one, MOST, {**filler, "proposal": {"names": {"en": "New"}, "region": None}})
    assert await registry.code("de-nimic", grant) == FULL
    assert (await registry.card("de-nimic", DecideChange(of=one, approved=True, **BY))).names == {"en": "New"}
    assert (await registry.card("de-nimic", Suspend(of=one, reason=REASON, **BY))).status == "suspended"
    assert (await registry.card("de-nimic", Reinstate(of=one, **BY))).status == "active"
    await registry.card("de-nimic", AssignSystem(to=one, system="de-other", **BY))
    await registry.fill("authorities", one, MOST_BY_COORDINATORS, {**filler, "proposal": None})
    assert (await registry.card("de-nimic", Suspend(of=one, reason=REASON, **BY))).status == "suspended"
    assert await registry.code("de-nimic", Reinstate(of=one, **BY)) == FULL
    closed = await registry.card("de-nimic", Close(of=one, successor=plain, reason=REASON, **BY))
    assert closed.status == "closed"
    stored = await registry.store.authority(one)
    assert stored
    assert stored.successor == plain
    assert await registry.size("authorities", one) < DOCUMENT - ROOM


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_an_application_that_fills_its_history_is_decided_on(registry: Registry, decision: str) -> None:
    """However often it was rejected and made again; it is not made once more."""
    apply = Apply(coordinator=NATIONAL_ID, details=talkative(0), system="de-amt", user=DESK)
    one = (await registry.card("de-amt", apply)).id
    again = apply.model_copy(update={"registration": one})
    reject = Reject(applicant=one, reason=REASON, **BY)
    filler = {"what": "rejected", "by": NATIONAL_ID, "user": DESK.model_dump(), "reason": REASON.model_dump()}
    assert await registry.code("de-nimic", reject) is None
    await registry.fill("authorities", one, MOST - 2 * len(again.model_dump_json()), filler)
    assert await registry.code("de-amt", again) is None
    await registry.fill("authorities", one, MOST, {**filler, "what": "applied", **_applied(again)})
    decide = reject if decision == "rejected" else Approve(applicant=one, **BY)
    assert (await registry.card("de-nimic", decide)).status == ("active" if decision == "approved" else "rejected")
    if decision == "rejected":
        assert await registry.code("de-amt", again) == FULL
    assert await registry.code("de-nimic", Close(of=one, reason=REASON, **BY)) == (
        None if decision == "approved" else "wrong-status"
    )


def _applied(command: Apply) -> dict[str, Any]:
    return {
        "details": details().model_dump(mode="json"),
        "realm": None,
        "system": "de-amt",
        "coordinator": command.coordinator,
    }


async def test_a_system_that_fills_its_history_is_suspended_and_closed(registry: Registry) -> None:
    """It is refused further credentials; to be let in again goes on until its coordinator has filled the rest."""
    rotate = RotateCredential(account=account("de-amt", "B" * 48), user=DESK)
    found = await registry.database["systems"].find_one({"_id": "de-amt"})
    assert found
    filler = {**found["history"][0], "what": "rotated", "by": None}
    await registry.fill("systems", "de-amt", MOST - 2000, filler)
    await in_force(registry, "de-amt")
    codes = list[str | None]()
    while not codes or codes[-1] is None:
        codes.append(await registry.code("de-amt", rotate))
        await in_force(registry, "de-amt")
    assert codes[-1] == FULL
    for command in (
        SuspendSystem(system="de-amt", reason=REASON, **BY),
        ReinstateSystem(system="de-amt", **BY),
    ):
        assert await registry.code("de-nimic", command) is None
    await registry.fill("systems", "de-amt", MOST_BY_COORDINATORS, filler)
    assert await registry.code("de-nimic", SuspendSystem(system="de-amt", reason=REASON, **BY)) is None
    assert await registry.code("de-amt", rotate) == "system-suspended"
    assert await registry.code("de-nimic", ReinstateSystem(system="de-amt", **BY)) == FULL
    assert await registry.code("de-nimic", CloseSystem(system="de-amt", reason=REASON, **BY)) is None
    assert await registry.size("systems", "de-amt") < DOCUMENT - ROOM


async def in_force(registry: Registry, name: str) -> None:
    """Have the provisioner say that the broker has what was asked for."""
    system = await registry.store.system(name)
    assert system
    await registry.store.set_in_force(name, system.version)


async def test_what_an_older_release_connected_is_taken_to_be_in_force(registry: Registry) -> None:
    """It may replace its credential at once, and nothing is ordered anew; what was never provisioned still is."""
    await registry.database["systems"].update_one({"_id": "de-amt"}, {"$set": {"live": True}})
    await registry.store.prepare()
    assert await registry.store.not_in_force() == ["de-nimic", "de-other"]
    rotate = RotateCredential(account=account("de-amt", "B" * 48), user=DESK)
    assert await registry.code("de-amt", rotate) is None
    assert await registry.code("de-amt", rotate) == "change-pending"
    assert await registry.store.not_in_force() == ["de-amt", "de-nimic", "de-other"]
