"""Commands that change an authority: read what the decision rests on, decide, store, and say who shall read what."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from contracts.directory import AuthorityHappening, AuthorityState, Card, Replayed
from contracts.identity import authority_id, coordinator_id, derived_uuid
from contracts.inbox import AuthorityUpdate, View
from contracts.refusal import Refusal
from contracts.registry import Apply, AppointCoordinator, AssignSystem, GrantAccess, Invite, Register
from contracts.types import User
from services.chassis.delivery import Later
from services.chassis.desk import Answer, Event, done, refused
from services.chassis.histories import Change, Decision, Entry, History, Refuse, Settled
from services.chassis.intake import Command
from services.registry.authority import Authority, authority_from
from services.registry.known import Known, scopes_of, subject_field, subject_of
from services.registry.lifecycle import decide
from services.registry.room import within
from services.registry.settling import now
from services.registry.store import JOINING, Store
from services.registry.systems import Systems
from services.registry.vocabulary import Vocabulary

BEGINNING: Final = (AppointCoordinator, Invite, Apply, Register)
_WAITING: Final = {"applied", "change-proposed"}
"""What a coordinator has to decide on, and so is told of."""
_REGISTRY: Final = User(id="registry", role="data-administrator")


class Registration:
    """Carries out whatever stands in `LIFECYCLE`."""

    def __init__(
        self, store: Store, systems: Systems, vocabulary: Vocabulary, joined: Callable[[], None] = lambda: None
    ) -> None:
        """Decide by what they hold. `joined` is called when an authority has become active for the first time."""
        self._store = store
        self._systems = systems
        self._vocabulary = vocabulary
        self._joined = joined

    async def __call__(self, commands: Sequence[Command]) -> list[Answer]:
        """Carry out or refuse each, in their order; one write for registrations that follow one another."""
        return [answer for batch in _batches(commands) for answer in await self._batch(batch)]

    async def assign(self, authority: str, system: str, coordinator: str, key: str) -> Answer:
        """Have a system that is now connected act for an authority, as its coordinator said. Repeatable by `key`."""
        body = AssignSystem(authority=coordinator, to=authority, system=system, user=_REGISTRY)
        actor = await self._store.authority(coordinator)
        command = Command(actor.system if actor else "", derived_uuid("assign", key, authority), body, key)
        (answer,) = await self([command])
        return answer

    async def _batch(self, commands: Sequence[Command]) -> list[Answer]:
        known = await self._known(commands)
        barred = dict(zip(map(id, commands), await asyncio.gather(*map(self._systems.barred, commands)), strict=True))

        def decision(history: History, command: Command) -> Decision:
            subject, context = authority_from(place_of(command), history), known[id(command)]
            entry = barred[id(command)] or decide(subject, command.body, context)
            if not isinstance(entry, Refusal):
                entry = within(history, entry, subject_field(command.body))
            if isinstance(entry, Refusal):
                return Refuse(entry, in_document=_has_a_place(subject, context))
            return Change(entry)

        settled = await self._store.authorities.settle(commands, place_of, lambda c: f"refused:{c.key}", decision)
        answers = await asyncio.gather(*(self._answer(c, _sure(s)) for c, s in zip(commands, settled, strict=True)))
        return _told_together(answers)

    async def _known(self, commands: Sequence[Command]) -> dict[int, Known]:
        """Return what the decision on each command (by its identity) rests on, with two reads for all of them."""
        direct = await self._store.some({one for c in commands for one in _named(c.body)})
        behind = {one for authority in direct.values() for one in _stands_behind(authority)}
        others = direct | await self._store.some(behind - direct.keys())
        states = await self._systems.states({name for c in commands if (name := _system_named(c))})
        unknown = await self._vocabulary.unknown(
            {code for c in commands for _, scope in scopes_of(c.body) for code in scope.competences}
        )
        at = now()
        return {
            id(c): Known(
                at=at,
                sender=c.system,
                actor=others.get(getattr(c.body, "authority", "")),
                system=name if (name := _system_named(c)) and states.get(name) == _state(c.body, others) else None,
                others=others,
                unknown_competences=frozenset(unknown),
            )
            for c in commands
        }

    async def _answer(self, command: Command, settled: Settled) -> Answer:
        place, reader = place_of(command), getattr(command.body, "authority", None)
        if settled.refusal:
            return Answer(refused(command, settled.refusal, reader=reader))
        authority = authority_from(place, settled.history)
        if authority is None:
            raise TypeError("what was decided has a history")
        if settled.history[-1]["what"] in JOINING:
            self._joined()
        alike = await self._alike(authority) if isinstance(command.body, BEGINNING) else ()
        views = [
            _update(authority, settled.history[-1], to, reader, alike)
            for to, reader in (await self._told(authority, settled.history[-1])).items()
            if to != command.system
        ]
        event = Event("event.authority", authority.state(), event_id(authority))
        shown = {"authority": authority.card(), **({"alike": alike} if alike else {})}
        return Answer(done(command, reader=reader, **shown), tuple(views), (event,))

    async def _alike(self, authority: Authority) -> tuple[Card, ...]:
        found = await self._store.alike(authority.id, authority.details)
        return tuple(one.card() for one in found)

    async def _told(self, authority: Authority, entry: Entry) -> Mapping[str, str]:
        """Return the systems that are shown what happened, each with the authority that reads it there."""
        if entry["what"] not in _WAITING:
            return {authority.system: authority.id}
        deciding = [authority.coordinator or "", *await self._store.coordinators_for(authority)]
        found = await self._store.some(deciding)
        return {found[one].system: one for one in reversed(deciding) if one in found}


def place_of(command: Command) -> str:
    """Return the number of the authority that a command changes or would begin."""
    body: Any = command.body
    if isinstance(body, AppointCoordinator):
        return coordinator_id(body.details.country)
    if subject := subject_of(body):
        return subject
    return authority_id(body.details.country, command.system, command.message_id)


def event_id(authority: Authority) -> str:
    """Return the message id of the event that tells of an authority as it now is."""
    return derived_uuid("authority", authority.id, str(authority.version))


def _batches(commands: Sequence[Command]) -> Iterator[list[Command]]:
    """Registrations rest on nothing that their neighbours change, but for who registers: all others go alone."""
    batch: list[Command] = []
    for command in commands:
        if isinstance(command.body, Register) and command.body.realm is None:
            batch.append(command)
            continue
        if batch:
            yield batch
            batch = []
        yield [command]
    if batch:
        yield batch


def _named(body: Any) -> Iterable[str]:
    """The authorities that a command names, itself included."""
    yield from (
        str(value) for name in ("authority", "coordinator", "successor") if (value := getattr(body, name, None))
    )
    if subject := subject_of(body):
        yield subject
    if isinstance(body, GrantAccess):
        yield from (*body.request_coordinators, *body.linked)


def _stands_behind(authority: Authority) -> Iterable[str]:
    """Who may be asked whether it stands below the one who acts: validating and access coordinators."""
    if authority.coordinator:
        yield authority.coordinator
    yield from (access.coordinator for access in authority.access.values())


def _told_together(answers: Sequence[Answer]) -> list[Answer]:
    """Tell of many registrations in one event: to those who keep copies, a message costs more than what is in it.

    It goes out with the first answer that has one; none of a group is acknowledged before all of it is confirmed.
    """
    events = [event for answer in answers for event in answer.events]
    if len(events) < 2:
        return list(answers)
    states = tuple(event.message for event in events if isinstance(event.message, AuthorityState))
    message_id = derived_uuid("authorities", *(event.message_id for event in events))
    whole = Event("event.authorities", Replayed(authorities=states), message_id)
    first = next(index for index, answer in enumerate(answers) if answer.events)
    return [
        Answer(answer.outcome, answer.views, (whole,) if index == first else ()) for index, answer in enumerate(answers)
    ]


def _system_named(command: Command) -> str | None:
    """The system that is to act for the authority: the one that the command names, else the sender's own."""
    body: Any = command.body
    if isinstance(body, Apply | Invite | Register | AssignSystem):
        return body.system or command.system
    return None


def _state(body: Any, others: Mapping[str, Authority]) -> str | None:
    """The state in which that system has to be connected."""
    if isinstance(body, AssignSystem):
        subject = others.get(body.to)
        return subject.details.country if subject else None
    return str(body.details.country)


def _has_a_place(subject: Authority | None, known: Known) -> bool:
    """Whether a refusal is kept with the authority: its own system's and its coordinators', nobody else's."""
    if subject is None:
        return False
    actor = known.actor
    own = subject.system == known.sender
    coordinating = actor and actor.coordinates and actor.details.country == subject.details.country
    return own or bool(coordinating and actor and actor.system == known.sender)


def _sure(settled: Settled | Later) -> Settled:
    if isinstance(settled, Later):
        raise TypeError("the registry decides on its own data: there is nothing to wait for")
    return settled


def _update(authority: Authority, entry: Entry, to: str, reader: str, alike: tuple[Card, ...]) -> View:
    what: AuthorityHappening = entry["what"]
    deciding = what in _WAITING
    message = AuthorityUpdate(
        event=what,
        authority=authority.card(),
        area=entry.get("area"),
        reason=authority.reason,
        asked=authority.asked() if deciding else None,
        alike=alike if deciding and alike else None,
    )
    message_id = derived_uuid("authority", authority.id, str(authority.version), reader)
    return View(to=to, reader=reader, message_id=message_id, message=message)
