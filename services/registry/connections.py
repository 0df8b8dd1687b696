"""The provisioner's word that the broker has what a system needs, passed on to everybody concerned."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import structlog
from pydantic_core import to_json

from contracts.directory import Provisioned
from contracts.identity import derived_uuid
from contracts.inbox import SystemUpdate, View, Views
from contracts.topology import OPERATOR
from services.chassis.bus import Outgoing
from services.chassis.desk import Answer, Event
from services.chassis.feed import Feed
from services.chassis.together import VIEWS
from services.registry.registration import event_id
from services.registry.store import Store
from services.registry.system import Happening, System
from services.registry.systems import told

log = structlog.get_logger()

Assign = Callable[[str, str, str, str], Awaitable[Answer]]
"""Has a system act for an authority: the authority, the system, the coordinator that says so, a key to repeat it by."""


class Connections:
    """Takes `Provisioned`, idempotently: what it publishes has the same ids each time."""

    def __init__(self, store: Store, feed: Feed, assign: Assign) -> None:
        """Publish by `feed`."""
        self._store = store
        self._feed = feed
        self._assign = assign

    async def provisioned(self, message: Provisioned) -> None:
        """Consume the system's lanes from now on, let the services do the same, and tell who has to do with it."""
        system = await self._store.system(message.system)
        if system is None or not 0 < message.version <= system.version:
            raise LookupError(message.system)
        await self._store.set_in_force(system.id, message.version)
        happening = system.happenings[message.version - 1]
        if happening.what == "connected":
            await self._introduce(system)
        await self._publish(told(system))
        if happening.what == "connected" and system.status == "active":
            await self._assign_all(system)
        await self._tell(system, message.version, happening)

    async def _introduce(self, system: System) -> None:
        """Let the others hear of the coordinator that was appointed together with the system."""
        coordinator = await self._store.coordinator_of(system)
        if coordinator:
            await self._publish(Event("event.authority", coordinator.state(), event_id(coordinator)))

    async def _assign_all(self, system: System) -> None:
        for authority in system.acts_for:
            key = derived_uuid("acts for", system.id, authority)
            answer = await self._assign(authority, system.id, system.coordinator or "", key)
            if answer.is_refusal:
                log.warning("not assigned", system=system.id, authority=authority)
                continue
            for event in answer.events:
                await self._publish(event)
            await self._show(answer.views)

    async def _tell(self, system: System, version: int, happening: Happening) -> None:
        message = SystemUpdate(event=happening.what, system=system.id, reason=happening.reason)
        name = f"{system.id}/{version}"
        readers = await self._readers(system, happening)
        ids = {to: derived_uuid("connection", name, to) for to in readers}
        await self._show([View(to=to, reader=readers[to], message_id=ids[to], message=message) for to in readers])

    async def _readers(self, system: System, happening: Happening) -> Mapping[str, str | None]:
        """Return who is told, each with the authority whose languages count.

        These are who did it, who had the system connected, and the system itself once it is more than just connected.
        A coordinator is told by the system that it has now.
        """
        numbers = [one for one in (happening.by, system.coordinator) if one]
        found = await self._store.some(numbers)
        readers: dict[str, str | None] = {found[one].system: one for one in numbers if one in found}
        if not happening.by:
            readers.setdefault(happening.by_system, None)
        if happening.what != "connected":
            readers.setdefault(system.id, None)
        known = await self._store.some_systems(readers)
        there = {name for name, one in known.items() if one.status != "closed"} | {OPERATOR}
        return {name: reader for name, reader in readers.items() if name in there}

    async def _show(self, views: Iterable[View]) -> None:
        shown = tuple(views)
        if shown:
            message_id = derived_uuid("views", *(view.message_id for view in shown))
            await self._publish(Event(VIEWS, Views(views=shown), message_id))

    async def _publish(self, event: Event) -> None:
        body = to_json(event.message, exclude_none=True)
        await self._feed.publish(Outgoing(event.routing_key, event.message.TYPE, body, event.message_id))
