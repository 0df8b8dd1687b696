"""What the registry keeps: authorities and systems, each as its history."""

from contracts.identity import coordinator_id
from contracts.registry import Search
from services.chassis.histories import Histories, History
from services.chassis.mongo import Database, Document
from services.registry.authority import Authority, authority_from
from services.registry.directory import fields_of, query_of
from services.registry.system import System, system_from


class Store:
    """The service's database."""

    def __init__(self, database: Database) -> None:
        """Nothing is read or written here."""
        self._authorities = database["authorities"]
        self._systems = database["systems"]
        self.authorities = Histories(self._authorities, _authority_fields)
        self.systems = Histories(self._systems, _system_fields)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self.authorities.prepare()
        await self.systems.prepare()
        for keys in (["country", "words"], ["words"], ["country", "areas"], ["areas"]):
            await self._authorities.create_index([("status", 1), *((key, 1) for key in keys)])

    async def authority(self, authority_id: str) -> Authority | None:
        """Return an authority, whatever its status."""
        found = await self._authorities.find_one({"_id": authority_id}, {"history": 1})
        return authority_from(authority_id, found.get("history", ())) if found else None

    async def search(self, search: Search) -> list[Authority]:
        """Return the active authorities that fit, in the order of their ids."""
        found = self._authorities.find(query_of(search), {"history": 1}).sort("_id", 1).limit(search.limit)
        read = [authority_from(str(one["_id"]), one["history"]) async for one in found]
        return [authority for authority in read if authority]

    async def system(self, system_id: str) -> System | None:
        """Return a system."""
        found = await self._systems.find_one({"_id": system_id}, {"history": 1})
        return system_from(system_id, found.get("history", ())) if found else None

    async def live_systems(self) -> list[str]:
        """Return the ids of the systems whose lanes exist."""
        return [str(one["_id"]) async for one in self._systems.find({"live": True}, {"_id": 1})]

    async def set_live(self, system_id: str) -> None:
        """Note that the broker has everything that the system needs."""
        await self._systems.update_one({"_id": system_id}, {"$set": {"live": True}})

    async def coordinator_of(self, system: System) -> Authority | None:
        """Return the coordinator that was appointed together with a system, if it was."""
        coordinator = await self.authority(coordinator_id(system.state))
        return coordinator if coordinator and coordinator.system == system.id else None


def _authority_fields(history: History) -> Document:
    authority = authority_from("", history)
    return fields_of(authority) if authority else {}


def _system_fields(history: History) -> Document:
    return {"state": history[0]["state"]} if history else {}
