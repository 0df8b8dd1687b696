"""Commands that change a system: decide, store, and say what the broker should have from now on."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from contracts.identity import derived_uuid
from contracts.refusal import Refusal
from contracts.registry import (
    Account,
    AppointCoordinator,
    CloseSystem,
    ConnectSystem,
    ReinstateSystem,
    RotateCredential,
    SuspendSystem,
)
from contracts.topology import OPERATOR
from services.chassis.desk import Answer, Event, done, refused
from services.chassis.histories import Entry, History, Settled
from services.chassis.intake import Command
from services.registry.authority import Authority
from services.registry.room import within
from services.registry.settling import not_acting, now, settle
from services.registry.store import Store
from services.registry.system import (
    Standing,
    Step,
    System,
    connect,
    decide,
    field_of,
    may_assign,
    may_connect,
    subject_of,
    system_from,
)

MayAssign = Callable[[Authority | None, Authority], Refusal | None]
_AT_ONCE: Final = frozenset({"suspended", "closed"})
"""What the services are told before the broker has done it: nothing that the system sent is carried out any more."""


class Systems:
    """The handler of the commands in `contracts.registry.CONNECTION`."""

    def __init__(self, store: Store, may_assign: MayAssign = may_assign) -> None:
        """`may_assign` says why a coordinator may not name an authority as one that a new system acts for."""
        self._store = store
        self._may_assign = may_assign

    async def __call__(self, command: Command) -> Answer:
        """Carry out or refuse a command. Repeated, it finds itself done and says the same again."""
        match command.body:
            case ConnectSystem() as body:
                return await self._connect(command, body)
            case RotateCredential() | SuspendSystem() | ReinstateSystem() | CloseSystem() as body:
                return await self._change(command, body)
        raise TypeError(command.body.TYPE)

    async def barred(self, command: Command) -> Refusal | None:
        """Say why nothing is done any more for the sending system, if that is so.

        To be asked where it is decided: what was carried out before stays so, and is told so when it comes again.
        """
        if command.system == OPERATOR:
            return None
        active = await self._store.states([command.system])
        return None if active else Refusal("system-suspended")

    async def states(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return the state of each of these systems that is connected and neither suspended nor closed."""
        return await self._store.states(names)

    async def claim(
        self, command: Command, account: Account, state: str, *, by: str = OPERATOR, wrong: Refusal | None = None
    ) -> Settled:
        """Have a system of this name from now on, connected by the operator or by a coordinator (its number).

        `wrong` is why not, as far as the caller knows.
        """
        body = command.body
        if not isinstance(body, ConnectSystem | AppointCoordinator):
            raise TypeError(body.TYPE)
        wrong = await self.barred(command) or wrong
        acts_for = body.acts_for if isinstance(body, ConnectSystem) else ()

        def decision(history: History) -> Entry | Refusal:
            return wrong or connect(
                account,
                state=state,
                by=None if by == OPERATOR else by,
                by_system=command.system,
                user=body.user,
                at=now(),
                taken=bool(history),
                acts_for=acts_for,
            )

        return await settle(self._store.systems, command, account.system, decision)

    async def _connect(self, command: Command, body: ConnectSystem) -> Answer:
        actor = await self._store.authority(body.authority)
        wrong = not_acting(actor, command) or may_connect(actor) or await self._not_assignable(body, actor)
        state = actor.details.country if actor else ""
        claimed = await self.claim(command, body.account, state, by=body.authority, wrong=wrong)
        return _answer(command, body.account.system, claimed, body.authority)

    async def _not_assignable(self, body: ConnectSystem, actor: Authority | None) -> Refusal | None:
        named = await self._store.some(body.acts_for) if actor and body.acts_for else {}
        wrong = (self._may_assign(named.get(one), actor) for one in body.acts_for if actor)
        return next((refusal for refusal in wrong if refusal), None)

    async def _change(self, command: Command, body: Step) -> Answer:
        speaking = None if isinstance(body, RotateCredential) else body.authority
        subject = subject_of(body)
        actor = await self._store.authority(speaking) if speaking else None
        wrong = await self.barred(command) or self._not_speaking(actor, command, body)
        standing = await self._standing(command, actor, await self._store.system(subject))

        def decision(history: History) -> Entry | Refusal:
            entry = wrong or decide(system_from(subject, history), body, standing)
            return entry if isinstance(entry, Refusal) else within(history, entry, field_of(body))

        settled = await settle(self._store.systems, command, subject, decision)
        return _answer(command, subject, settled, speaking if actor else None)

    def _not_speaking(self, actor: Authority | None, command: Command, body: Step) -> Refusal | None:
        """The operator speaks as nobody."""
        free = isinstance(body, RotateCredential) or command.system == OPERATOR
        return None if free else not_acting(actor, command)

    async def _standing(self, command: Command, actor: Authority | None, system: System | None) -> Standing:
        coordinator = await self._store.authority(system.coordinator) if system and system.coordinator else None
        in_use = system is not None and await self._store.acts_for_anybody(system.id)
        in_force = await self._store.in_force(system.id) if system else 0
        return Standing(now(), command.system, actor, coordinator, in_use, in_force)


def provision(system_id: str, settled: Settled) -> Event:
    """Return the order to have in the broker what was decided."""
    return order(_system(system_id, settled))


def order(system: System) -> Event:
    """Return the order to have in the broker what a system needs now."""
    return Event("provision", system.provision(), derived_uuid("provision", system.id, str(system.version)))


def told(system: System) -> Event:
    """Return what the other services are told of a system as it now is."""
    return Event("event.system", system.event(), derived_uuid("system", system.id, str(system.version)))


def _answer(command: Command, system_id: str, settled: Settled, reader: str | None) -> Answer:
    if settled.refusal:
        return Answer(refused(command, settled.refusal, reader=reader))
    system = _system(system_id, settled)
    at_once = (told(system),) if system.happenings[-1].what in _AT_ONCE else ()
    return Answer(done(command, reader=reader, system=system_id), events=(*at_once, order(system)))


def _system(system_id: str, settled: Settled) -> System:
    system = system_from(system_id, settled.history)
    if system is None:
        raise TypeError("what was decided has a history")
    return system
