"""From an empty exchange to authorities that may write to each other: all of it over the queues."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from client.account import new_password, password_hash
from client.system import System
from contracts.inbox import AuthorityUpdate, SystemUpdate
from contracts.registry import Account, Apply, AppointCoordinator, Approve, ConnectSystem, Details
from contracts.types import User
from demo.cast import Member
from demo.timeline import Timeline, check

ADMINISTRATOR = User(id="onboarding-desk", role="data-administrator")
Address = Callable[[str, str], str]
"""Gives the URL by which a system connects, from its name and its password."""


@dataclass(frozen=True)
class Office:
    """An authority that may act, with its own system's connection."""

    id: str
    name: str
    details: Details
    system: System


class Onboarding:
    """What the operator and the coordinators do until an authority is active."""

    def __init__(self, operator: System, address: Address, told: Timeline, systems: dict[str, str]) -> None:
        """`systems` notes each system's password, for whoever wants to play on."""
        self._operator = operator
        self._address = address
        self._told = told
        self._systems = systems

    @asynccontextmanager
    async def join(self, member: Member) -> AsyncIterator[Office]:
        """Appoint the coordinator of a state, connect its authority's system, apply and approve."""
        async with AsyncExitStack() as stack:
            coordinator = await stack.enter_async_context(self._appointed(member))
            office = await stack.enter_async_context(self._registered(member, coordinator))
            yield office

    @asynccontextmanager
    async def _appointed(self, member: Member) -> AsyncIterator[Office]:
        account = self._account(member.coordinator_system, member.coordinator)
        command = AppointCoordinator(details=member.coordinator, account=account, user=ADMINISTRATOR)
        outcome = await self._operator.do(command)
        check(outcome.authority and outcome.authority.status == "active", "the coordinator is not active")
        assert outcome.authority
        await connected(self._operator, account.system)
        name = next(iter(member.coordinator.names.values()))
        self._told.step(f"{member.state}: the operator appoints “{name}” and its system can log in")
        async with self._system(account.system) as system:
            yield Office(outcome.authority.id, name, member.coordinator, system)

    @asynccontextmanager
    async def _registered(self, member: Member, coordinator: Office) -> AsyncIterator[Office]:
        account = self._account(member.authority_system, member.authority)
        connect = ConnectSystem(authority=coordinator.id, account=account, user=ADMINISTRATOR)
        await coordinator.system.do(connect)
        await connected(coordinator.system, account.system)
        self._told.step(f"{member.state}: the coordinator connects the system “{account.system}”")
        async with self._system(account.system) as system:
            apply = Apply(coordinator=coordinator.id, details=member.authority, user=ADMINISTRATOR)
            outcome = await system.do(apply)
            check(outcome.authority and outcome.authority.status == "pending", "the application is not pending")
            assert outcome.authority
            await decided(coordinator.system, outcome.authority.id, "pending")
            approve = Approve(authority=coordinator.id, applicant=outcome.authority.id, user=ADMINISTRATOR)
            await coordinator.system.do(approve)
            text = await decided(system, outcome.authority.id, "active")
            name = next(iter(member.authority.names.values()))
            self._told.step(f"{member.state}: “{name}” applies, its coordinator approves; it reads: “{text}”")
            yield Office(outcome.authority.id, name, member.authority, system)

    def _account(self, system: str, details: Details) -> Account:
        self._systems[system] = new_password()
        hashed = password_hash(self._systems[system])
        return Account(system=system, password_hash=hashed, languages=details.languages)

    def _system(self, name: str) -> System:
        return System(self._address(name, self._systems[name]))


async def connected(reader: System, name: str) -> None:
    """Return when `reader` has been told that the system can log in."""
    async with reader.expecting() as inbox:
        async for message in inbox:
            if isinstance(message, SystemUpdate) and message.system == name:
                return


async def decided(reader: System, authority: str, status: str) -> str:
    """Return what `reader` is told when the authority's status becomes the given one."""
    async with reader.expecting() as inbox:
        async for message in inbox:
            if isinstance(message, AuthorityUpdate) and (message.authority.id, message.authority.status) == (
                authority,
                status,
            ):
                return message.text or ""
    return ""
