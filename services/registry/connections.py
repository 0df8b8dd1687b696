"""The provisioner's word that a system has everything it needs in the broker, passed on to everybody concerned."""

from pydantic_core import to_json

from contracts.identity import derived_uuid
from contracts.inbox import SystemUpdate, View, Views
from contracts.registry import Provisioned
from contracts.types import Message
from services.chassis.bus import Outgoing
from services.chassis.feed import Feed
from services.chassis.together import VIEWS
from services.registry.handlers import event_id
from services.registry.store import Store


class Connections:
    """Takes `Provisioned`, idempotently: what it publishes has the same ids each time."""

    def __init__(self, store: Store, feed: Feed) -> None:
        """Publish by `feed`."""
        self._store = store
        self._feed = feed

    async def provisioned(self, message: Provisioned) -> None:
        """Consume the system's lanes from now on, let the services do the same, and tell who asked for it."""
        system = await self._store.system(message.system)
        if system is None:
            raise LookupError(message.system)
        await self._store.set_live(system.id)
        coordinator = await self._store.coordinator_of(system)
        if coordinator:
            await self._feed.publish(_outgoing("event.authority", coordinator.state(), event_id(coordinator)))
        name = f"{system.id}/{system.version}"
        await self._feed.publish(_outgoing("event.system", system.event(), derived_uuid("system", name)))
        update = SystemUpdate(system=system.id)
        view = View(to=system.coordinator_system, message_id=derived_uuid("connected", name), message=update)
        await self._feed.publish(_outgoing(VIEWS, Views(views=(view,)), derived_uuid("views", "connected", name)))


def _outgoing(routing_key: str, message: Message, message_id: str) -> Outgoing:
    return Outgoing(routing_key, message.TYPE, to_json(message, exclude_none=True), message_id)
