"""Commands of onboarding and searches: decide, store, and say who shall read what."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from contracts.identity import authority_id, coordinator_id, derived_uuid
from contracts.inbox import AuthorityUpdate, View
from contracts.refusal import Refusal
from contracts.registry import Apply, AppointCoordinator, Approve, ConnectSystem, Reject, Search
from services.chassis.delivery import Later
from services.chassis.desk import Answer, Event, done, refused
from services.chassis.histories import Change, Decision, Histories, History, Refuse, Settled
from services.chassis.intake import Command
from services.registry.authority import Authority, Entry, apply_for, appoint, authority_from, decide_on
from services.registry.directory import within
from services.registry.store import Store
from services.registry.system import connect, may_connect, system_from

MOST_FOUND_BYTES: Final = 128 * 1024
"""How much a search answers at most: cards beyond it are left out, as those beyond the limit are."""


class Onboarding:
    """The handler of the registry's lanes."""

    def __init__(self, store: Store) -> None:
        """Decide by what `store` holds."""
        self._store = store

    async def __call__(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """Carry out or refuse each, one after the other; searches, which change nothing, side by side before them."""
        searches = [command for command in commands if isinstance(command.body, Search)]
        found = iter(await asyncio.gather(*(self._answer(command) for command in searches)))
        return [next(found) if isinstance(c.body, Search) else await self._answer(c) for c in commands]

    async def _answer(self, command: Command) -> Answer:
        match command.body:
            case Search() as search:
                return await self._search(command, search)
            case AppointCoordinator() as body:
                return await self._appoint(command, body)
            case ConnectSystem() as body:
                return await self._connect(command, body)
            case Apply() as body:
                return await self._apply(command, body)
            case Approve() | Reject() as body:
                return await self._decide(command, body)
        raise TypeError(command.body.TYPE)

    async def _search(self, command: Command, search: Search) -> Answer:
        if command.expired:
            return Answer(refused(command, Refusal("expired", "expiration")))
        found = await self._store.search(search)
        return Answer(done(command, found=within([authority.card() for authority in found], MOST_FOUND_BYTES)))

    async def _appoint(self, command: Command, body: AppointCoordinator) -> Answer:
        """First the system, whose name only one may take; then the coordinator. Repeated, each finds itself done."""
        place = coordinator_id(body.details.country)
        there_is_one = await self._store.authority(place) is not None
        entry = appoint(body, command.system, there_is_one=there_is_one, at=_now())
        wrong = entry if isinstance(entry, Refusal) else None
        system = await self._claim(command, body, body.details.country, wrong)
        if system.refusal:
            return Answer(refused(command, system.refusal))
        settled = await _settle(
            self._store.authorities,
            command,
            place,
            lambda history: appoint(body, command.system, there_is_one=bool(history), at=_now()),
        )
        answer = self._told(command, place, settled)
        # The others hear of a coordinator once its inbox is there (see `Connections`).
        events = () if settled.refusal else (_provision(body.account.system, system),)
        return Answer(answer.outcome, answer.views, events)

    async def _connect(self, command: Command, body: ConnectSystem) -> Answer:
        actor = await self._store.authority(body.authority)
        wrong = _not_acting(actor, command) or may_connect(actor)
        state = actor.details.country if actor else ""
        settled = await self._claim(command, body, state, wrong)
        if settled.refusal:
            return Answer(refused(command, settled.refusal, reader=body.authority))
        outcome = done(command, reader=body.authority, system=body.account.system)
        return Answer(outcome, events=(_provision(body.account.system, settled),))

    async def _claim(
        self, command: Command, body: AppointCoordinator | ConnectSystem, state: str, wrong: Refusal | None
    ) -> Settled:
        def decide(history: History) -> Entry | Refusal:
            return wrong or connect(body.account, state, command.system, body.user, taken=bool(history), at=_now())

        return await _settle(self._store.systems, command, body.account.system, decide)

    async def _apply(self, command: Command, body: Apply) -> Answer:
        coordinator = await self._store.authority(body.coordinator)
        entry = apply_for(body, command.system, coordinator, _now())
        place = authority_id(body.details.country, command.system, command.message_id)
        settled = await _settle(self._store.authorities, command, place, lambda _: entry)
        answer = self._told(command, place, settled)
        if settled.refusal or coordinator is None:
            return answer
        applicant = _authority(place, settled)
        return Answer(answer.outcome, (_update(applicant, coordinator.system, coordinator.id),), answer.events)

    async def _decide(self, command: Command, body: Approve | Reject) -> Answer:
        actor = await self._store.authority(body.authority)
        wrong = _not_acting(actor, command)

        def decide(history: History) -> Entry | Refusal:
            return wrong or decide_on(authority_from(body.applicant, history), body, actor, _now())

        settled = await _settle(self._store.authorities, command, body.applicant, decide)
        answer = self._told(command, body.applicant, settled)
        if settled.refusal:
            return answer
        applicant = _authority(body.applicant, settled)
        return Answer(answer.outcome, (_update(applicant, applicant.system, applicant.id),), answer.events)

    def _told(self, command: Command, place: str, settled: Settled) -> Answer:
        reader = getattr(command.body, "authority", None)
        if settled.refusal:
            return Answer(refused(command, settled.refusal, reader=reader))
        authority = _authority(place, settled)
        event = Event("event.authority", authority.state(), event_id(authority))
        return Answer(done(command, reader=reader, authority=authority.card()), events=(event,))


async def _settle(
    histories: Histories, command: Command, place: str, decide: Callable[[History], Entry | Refusal]
) -> Settled:
    def decision(history: History, _: Command) -> Decision:
        entry = decide(history)
        return Refuse(entry) if isinstance(entry, Refusal) else Change(entry)

    own_place = f"refused:{command.key}"
    (settled,) = await histories.settle([command], lambda _: place, lambda _: own_place, decision)
    if isinstance(settled, Later):
        raise TypeError("the registry decides on its own data: there is nothing to wait for")
    return settled


def _not_acting(actor: Authority | None, command: Command) -> Refusal | None:
    if actor is None:
        return Refusal("unknown-authority", "authority")
    return None if actor.system == command.system else Refusal("not-your-authority", "authority")


def _authority(place: str, settled: Settled) -> Authority:
    authority = authority_from(place, settled.history)
    if authority is None:
        raise TypeError("what was decided has a history")
    return authority


def event_id(authority: Authority) -> str:
    """Return the message id of the event that tells of an authority as it now is."""
    return derived_uuid("authority", authority.id, str(authority.version))


def _update(authority: Authority, to: str, reader: str) -> View:
    message_id = derived_uuid("authority", authority.id, str(authority.version), reader)
    return View(to=to, reader=reader, message_id=message_id, message=AuthorityUpdate(authority=authority.card()))


def _provision(system_id: str, settled: Settled) -> Event:
    system = system_from(system_id, settled.history)
    if system is None:
        raise TypeError("what was decided has a history")
    return Event("provision", system.provision(), derived_uuid("provision", system.id, str(system.version)))


def _now() -> datetime:
    return datetime.now(UTC)
