"""What the registry keeps: authorities and systems, each as its history."""

from collections.abc import Iterable, Mapping
from typing import Final

from pymongo.read_concern import ReadConcern

from contracts.identity import coordinator_id
from contracts.registry import Details
from services.chassis.counting import MARK
from services.chassis.histories import Histories, History
from services.chassis.mongo import Database, Document
from services.registry.authority import Authority, authority_from
from services.registry.directory import entry_of, place_key, whole_names
from services.registry.likeness import alike
from services.registry.system import System, system_from

PLACE_LOOKED_AT: Final = 200
"""Authorities of one place among which duplicates are looked for."""
ALIKE_SHOWN: Final = 5
JOINING: Final = ("appointed", "approved", "registered")
GONE: Final = ("closed", "rejected")
STANDING: Final = ("active", "suspended")
"""The statuses of a system that is not closed."""


class Store:
    """The service's database."""

    def __init__(self, database: Database) -> None:
        """Nothing is read or written here."""
        # A decision must not rest on what a change of primary can take back.
        sure = ReadConcern("majority")
        self.documents = database["authorities"].with_options(read_concern=sure)
        self._systems = database["systems"].with_options(read_concern=sure)
        self.counters = database["counters"]
        self.authorities = Histories(self.documents, lambda _, history: authority_fields(history))
        self.systems = Histories(self._systems, lambda _, history: _system_fields(history))

    async def prepare(self) -> None:
        """Make the indexes, and note what an older release did not."""
        await self.authorities.prepare()
        await self.systems.prepare()
        await self.documents.create_index([("place", 1)])
        await self.documents.create_index([("system", 1), ("status", 1)])
        await self.documents.create_index([("coordinates", 1)], sparse=True)
        await self._systems.create_index([("status", 1), ("_id", 1)])
        # What an older release connected is taken to be in force: it did not note of which version it was told so.
        unnoted = {"live": True, "in_force": {"$exists": False}}
        await self._systems.update_many(unnoted, [{"$set": {"in_force": "$version"}}])

    async def history(self, authority_id: str) -> History:
        """Return all entries of an authority, none when there is no such authority."""
        found = await self.documents.find_one({"_id": authority_id}, {"history": 1})
        return tuple(found.get("history", ())) if found else ()

    async def authority(self, authority_id: str) -> Authority | None:
        """Return an authority, whatever its status."""
        return authority_from(authority_id, await self.history(authority_id))

    async def some(self, ids: Iterable[str]) -> dict[str, Authority]:
        """Return those of `ids` that there are."""
        wanted = sorted(set(ids))
        found = self.documents.find({"_id": {"$in": wanted}}, {"history": 1}) if wanted else None
        if found is None:
            return {}
        read = [authority_from(str(one["_id"]), one.get("history", ())) async for one in found]
        return {authority.id: authority for authority in read if authority}

    async def alike(self, authority_id: str, details: Details) -> list[Authority]:
        """Return others of the same place and much the same name: perhaps it is registered already."""
        query = {"place": place_key(details.country, details.city), "_id": {"$ne": authority_id}}
        found = self.documents.find({**query, "status": {"$nin": GONE}}, {"whole": 1}).limit(PLACE_LOOKED_AT)
        names = whole_names(details.names.values())
        ids = [str(one["_id"]) async for one in found if alike(names, one["whole"])]
        return list((await self.some(ids[:ALIKE_SHOWN])).values())

    async def coordinators_for(self, authority: Authority) -> list[str]:
        """Return the coordinators of the areas for which an authority waits, the coordinator of all areas included."""
        if not authority.wishes:
            return []
        places = [f"{authority.details.country}/{area}" for area in authority.wishes]
        found = self.documents.find({"coordinates": {"$in": places}, "status": "active"}, {"_id": 1}).limit(20)
        return [coordinator_id(authority.details.country), *[str(one["_id"]) async for one in found]]

    async def system(self, system_id: str) -> System | None:
        """Return a system."""
        found = await self._systems.find_one({"_id": system_id}, {"history": 1})
        return system_from(system_id, found.get("history", ())) if found else None

    async def some_systems(self, ids: Iterable[str]) -> dict[str, System]:
        """Return those of `ids` that there are."""
        found = self._systems.find({"_id": {"$in": sorted(set(ids))}}, {"history": 1})
        read = [system_from(str(one["_id"]), one.get("history", ())) async for one in found]
        return {system.id: system for system in read if system}

    async def states(self, ids: Iterable[str]) -> Mapping[str, str]:
        """Return the state of each of these systems that is connected and neither suspended nor closed."""
        query: Document = {"_id": {"$in": sorted(set(ids))}, "status": "active"}
        return {str(one["_id"]): one["state"] async for one in self._systems.find(query, {"state": 1})}

    async def live_systems(self) -> list[str]:
        """Return the ids of the systems whose lanes exist."""
        found = self._systems.find({"live": True, "status": {"$ne": "closed"}}, {"_id": 1})
        return [str(one["_id"]) async for one in found]

    async def systems_after(self, after: str | None, limit: int) -> list[System]:
        """Return the systems that are not closed and whose names lie after `after`, in the order of their names."""
        query: Document = {"status": {"$in": STANDING}, **({"_id": {"$gt": after}} if after else {})}
        found = self._systems.find(query, {"history": 1}).sort("_id", 1).limit(limit)
        read = [system_from(str(one["_id"]), one["history"]) async for one in found]
        return [system for system in read if system]

    async def set_in_force(self, system_id: str, version: int) -> None:
        """Note that the broker has of the system what this version asks for, and that the services hear of it."""
        noted = {"$set": {"live": True}, "$max": {"in_force": version}}
        await self._systems.update_one({"_id": system_id}, noted)

    async def in_force(self, system_id: str) -> int:
        """Return the version of a system that the broker is known to have; 0 when it has none."""
        found = await self._systems.find_one({"_id": system_id}, {"in_force": 1})
        return int(found.get("in_force", 0)) if found else 0

    async def not_in_force(self) -> list[str]:
        """Return the ids of the systems of whose version the provisioner has not said that the broker has it."""
        older = {"$lt": [{"$ifNull": ["$in_force", 0]}, "$version"]}
        query: Document = {"status": {"$in": STANDING}, "$expr": older}
        return [str(one["_id"]) async for one in self._systems.find(query, {"_id": 1})]

    async def acts_for_anybody(self, system_id: str) -> bool:
        """Say whether an authority that is neither closed nor rejected has this system."""
        query = {"system": system_id, "status": {"$nin": GONE}}
        return await self.documents.find_one(query, {"_id": 1}) is not None

    async def coordinator_of(self, system: System) -> Authority | None:
        """Return the coordinator that was appointed together with a system, if it was."""
        coordinator = await self.authority(coordinator_id(system.state))
        return coordinator if coordinator and coordinator.system == system.id else None


def authority_fields(history: History) -> Document:
    """The fields by which authorities are looked up. All of them follow from the history."""
    authority = authority_from("", history)
    if authority is None:
        return {}
    details, realm = authority.details, authority.realm
    joined = next((entry["at"] for entry in history if entry["what"] in JOINING), None)
    return {
        **entry_of(
            names=details.names.values(),
            short_name=details.short_name,
            city=details.city,
            region=details.region,
            country=details.country,
            areas={area: access.scope.competences for area, access in authority.access.items()},
            keywords=[word for access in authority.access.values() for word in access.scope.keywords],
            findable=authority.active,
        ),
        "status": authority.status,
        "version": authority.version,
        MARK: True,
        "place": place_key(details.country, details.city),
        "whole": whole_names(details.names.values()),
        "system": authority.system,
        **({"joined": joined} if joined else {}),
        **({"coordinates": f"{details.country}/{realm.area}"} if realm and realm.area else {}),
    }


def _system_fields(history: History) -> Document:
    system = system_from("", history)
    return {"state": system.state, "status": system.status, "version": system.version} if system else {}
