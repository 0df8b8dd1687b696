"""A small world on a real exchange: two states, three authorities, each with a system of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from client import publishing
from client.account import new_password, password_hash
from client.legislation import load
from client.system import System
from contracts.case import CaseView
from contracts.casework import AcceptRequest, CloseCase, Reply, SendRequest
from contracts.inbox import CaseUpdate, SystemUpdate
from contracts.registry import Account, Apply, AppointCoordinator, Approve, ConnectSystem, Details, Scope
from contracts.topology import OPERATOR
from contracts.types import FreeText, User
from deploy.local.exchange import Exchange

AREA = "professional-qualifications"
LEGISLATION = Path(__file__).parent.parent / "legislation"
HANDLER = User(id="handler", role="request-handler")
QUESTIONS = ("is-diploma-genuine", "country-of-training")
ANSWERS = {"is-diploma-genuine": "yes", "country-of-training": "HU"}
HOLDER = "Planted Person"


@dataclass
class World:
    """Who is there. `ids` are the authorities by the name of their system."""

    exchange: Exchange
    ids: dict[str, str] = field(default_factory=dict)

    def system(self, name: str) -> System:
        """A connection, not yet opened."""
        return System(self.url(name))

    def url(self, name: str) -> str:
        """The address by which a system connects."""
        return self.exchange.amqp_url(name, self.exchange.systems[name])

    @asynccontextmanager
    async def both(self) -> AsyncIterator[tuple[System, System]]:
        """The asking and the answering system, connected."""
        async with self.system("de-kammer") as asking, self.system("hu-hivatal") as answering:
            yield asking, answering

    def request(self, **changes: object) -> SendRequest:
        """A request from Germany to Hungary that is all right, but for the changes."""
        return SendRequest.model_validate(self.fields() | changes)

    def fields(self) -> dict[str, object]:
        """The fields of such a request."""
        return {
            "authority": self.ids["de-kammer"],
            "recipient": self.ids["hu-hivatal"],
            "area": AREA,
            "questions": QUESTIONS,
            "particulars": {
                "holder-name": FreeText(text=HOLDER, language="de"),
                "date-of-birth": "1980-01-01",
                "profession": "dentist",
                "diploma-title": FreeText(text="Zahnärztin", language="de"),
                "awarding-body": FreeText(text="Semmelweis", language="de"),
            },
            "wished_date": today() + timedelta(days=20),
            "user": HANDLER,
        }

    def accept(self, case: str, **changes: object) -> AcceptRequest:
        """Hungary's acceptance."""
        fields = {"authority": self.ids["hu-hivatal"], "case": case, "user": HANDLER}
        return AcceptRequest.model_validate(fields | changes)

    def reply(self, case: str, **changes: object) -> Reply:
        """Hungary's answer."""
        fields = {"authority": self.ids["hu-hivatal"], "case": case, "answers": ANSWERS, "user": HANDLER}
        return Reply.model_validate(fields | changes)

    def close(self, case: str, **changes: object) -> CloseCase:
        """Germany's closing."""
        fields = {"authority": self.ids["de-kammer"], "case": case, "user": HANDLER}
        return CloseCase.model_validate(fields | changes)


def today() -> date:
    """The day that the services have."""
    return datetime.now(UTC).date()


def populate(exchange: Exchange) -> World:
    """Onboard everybody, over the queues."""
    world = World(exchange)
    asyncio.run(_populate(world))
    return world


async def _populate(world: World) -> None:
    async with world.system(OPERATOR) as operator:
        await publishing.publish(operator, load(LEGISLATION / AREA))
        for state, language in (("DE", "de"), ("HU", "hu")):
            await _appoint(world, operator, state, language)
    await connect(world, "DE", "de", "de-kammer", "Zahnärztekammer Nordrhein")
    await connect(world, "DE", "de", "de-other", "Zahnärztekammer Sachsen")
    await connect(world, "HU", "hu", "hu-hivatal", "Oktatási Hivatal")


async def _appoint(world: World, operator: System, state: str, language: str) -> None:
    name = f"{state.lower()}-nimic"
    details = details_of(state, language, f"NIMIC {state}", ())
    command = AppointCoordinator(details=details, account=account(world, name, language), user=HANDLER)
    outcome = await operator.do(command)
    assert outcome.authority
    world.ids[name] = outcome.authority.id
    await can_log_in(operator, name)


async def connect(world: World, state: str, language: str, name: str, official: str) -> None:
    """Connect a system and register the authority for which it acts."""
    nimic = f"{state.lower()}-nimic"
    async with world.system(nimic) as coordinator:
        await coordinator.do(connection(world, nimic, name, language))
        await can_log_in(coordinator, name)
    await register(world, state, language, name, official)


def connection(world: World, nimic: str, name: str, language: str) -> ConnectSystem:
    """A coordinator's command to connect a system."""
    return ConnectSystem(authority=world.ids[nimic], account=account(world, name, language), user=HANDLER)


async def register(world: World, state: str, language: str, name: str, official: str) -> None:
    """Have a connected system apply for an authority, and its coordinator approve."""
    nimic = f"{state.lower()}-nimic"
    async with world.system(nimic) as coordinator, world.system(name) as system:
        details = details_of(state, language, official, (AREA,))
        applied = await system.do(Apply(coordinator=world.ids[nimic], details=details, user=HANDLER))
        assert applied.authority
        world.ids[name] = applied.authority.id
        authority = world.ids[nimic]
        await coordinator.do(Approve(authority=authority, applicant=applied.authority.id, user=HANDLER))


def account(world: World, name: str, language: str) -> Account:
    """A new account; the password stays here."""
    world.exchange.systems[name] = new_password()
    hashed = password_hash(world.exchange.systems[name])
    return Account(system=name, password_hash=hashed, languages=(language,))


def details_of(state: str, language: str, name: str, areas: tuple[str, ...]) -> Details:
    """What an authority says of itself."""
    contacts = (f"office@{state.lower()}.example",)
    return Details(
        country=state,
        names={language: name},
        city="Stadt",
        languages=(language,),
        contacts=contacts,
        areas=dict.fromkeys(areas, Scope()),
    )


async def can_log_in(reader: System, name: str) -> None:
    """Return when the reader is told that a system can log in."""
    async with reader.expecting() as inbox:
        async for message in inbox:
            if isinstance(message, SystemUpdate) and message.system == name:
                return


async def update(reader: System, case: str, version: int) -> CaseView:
    """Return a case as it comes to the reader's inbox in this version."""
    async with reader.expecting() as inbox:
        async for message in inbox:
            if isinstance(message, CaseUpdate) and (message.case.id, message.case.version) == (case, version):
                return message.case
    raise AssertionError
