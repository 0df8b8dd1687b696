"""Who is written to: its addresses and which of them do not work, its wishes, its coordinator, its system."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from contracts.directory import AuthorityState, Compare, Replayed, SystemState
from contracts.notifier import Preferences
from contracts.refusal import Refusal
from services.chassis.copies import total
from services.chassis.mongo import Database
from services.chassis.readmodel import ReadModel, Thing
from services.notifier.mail import Contact

KEEP_REFUSALS: Final = timedelta(days=30)
_MOST_STEPS: Final = 8
"""From an authority up to the coordinator of its state."""
_KEYS: Final = 50
"""Commands that the wishes of an authority remember."""
_CONNECTED: Final = {"status": {"$ne": "closed"}}


@dataclass(frozen=True, slots=True)
class Reader:
    """An authority as somebody who is written to."""

    id: str
    contact: Contact
    region: str | None
    system: str | None
    coordinator: str | None
    active: bool


class Readers:
    """All authorities and systems that the registry has told of."""

    def __init__(self, database: Database) -> None:
        """Nothing is read or written here."""
        self._authorities = ReadModel(database["authorities"])
        self._systems = ReadModel(database["systems"])
        self._marks = database["marks"]
        self._preferences = database["preferences"]
        self._refusals = database["refusals"]

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._marks.create_index([("authority", 1)])
        await self._refusals.create_index([("at", 1)], expireAfterSeconds=int(KEEP_REFUSALS.total_seconds()))

    async def systems(self) -> list[str]:
        """Return the ids of the connected systems."""
        return [str(found["_id"]) async for found in self._systems.collection.find(_CONNECTED, {"_id": 1})]

    async def is_cut_off(self, system: str) -> bool:
        """Say whether a system was suspended or closed."""
        found = (await self._systems.get([system])).get(system, {})
        return bool(found.get("status", "active") != "active")

    async def system_connected(self, event: SystemState) -> None:
        """Take over what the registry says of a system: its lanes are consumed from now on."""
        await self._systems.put(*_system_thing(event))

    async def authority_changed(self, event: AuthorityState) -> None:
        """Take over how an authority is written to. Other addresses than before are tried, whatever was of those."""
        await self._authorities.put(*_authority_thing(event))
        await self._forget_marks([event])

    async def replayed(self, event: Replayed) -> None:
        """Take over what this copy lacked, and nothing that is older than what it has."""
        await self._authorities.put_all(_authority_thing(one) for one in event.authorities)
        await self._systems.put_all(_system_thing(one) for one in event.systems)
        await self._forget_marks(event.authorities)

    async def compare(self) -> Compare:
        """Return what the copies hold, for the registry to compare."""
        authorities, systems = await self._authorities.tallies(), await self._systems.tallies()
        return Compare(service="notifier", authorities=authorities, systems=total(systems))

    async def reader(self, authority: str) -> Reader | None:
        """Return an authority, as soon as the registry has told of it."""
        found = (await self._authorities.get([authority])).get(authority)
        return _reader(authority, found) if found else None

    async def stands_above(self, coordinator: str, authority: str) -> bool:
        """Say whether the one coordinates the other, itself or through those in between."""
        above: str | None = authority
        for _ in range(_MOST_STEPS):
            known = await self.reader(above) if above else None
            above = known.coordinator if known else None
            if above == coordinator:
                return True
        return False

    # Addresses that do not work

    async def mark(self, reader: Reader, address: str, reply: str, now: datetime) -> None:
        """Note that an address of an authority's, as its addresses are now, does not work."""
        addresses = list(reader.contact.addresses)
        mark = {"authority": reader.id, "address": address, "addresses": addresses, "reply": reply, "at": now}
        await self._marks.replace_one({"_id": f"{reader.id}/{address}"}, mark, upsert=True)

    async def marks(self, reader: Reader) -> dict[str, str]:
        """Return which of its addresses do not work, and what was said to them."""
        wanted = {"authority": reader.id, "addresses": list(reader.contact.addresses)}
        return {str(found["address"]): str(found["reply"]) async for found in self._marks.find(wanted)}

    async def _forget_marks(self, events: Sequence[AuthorityState]) -> None:
        for event in events:
            others = {"authority": event.id, "addresses": {"$ne": list(event.details.contacts)}}
            if await self._marks.find_one(others, {"_id": 1}):
                await self._marks.delete_many(others)

    # Wishes

    async def preferences(self, authority: str) -> Preferences:
        """Return how an authority wishes to be written to; as everybody is, if it has said nothing."""
        found = await self._preferences.find_one({"_id": authority}, {"said": 1})
        return Preferences.model_validate(found["said"]) if found else Preferences()

    async def prefer(self, authority: str, said: Preferences, key: str, digest: str) -> bool:
        """Take over an authority's wishes, by this command once; say whether the command is the same as then."""
        fresh = {"_id": authority, "commands.key": {"$ne": key}}
        remembered = {"$each": [{"key": key, "digest": digest}], "$slice": -_KEYS}
        change = {"$set": {"said": said.model_dump(mode="json")}, "$push": {"commands": remembered}}
        try:
            await self._preferences.update_one(fresh, change, upsert=True)
        except DuplicateKeyError:
            return await self.preferred(authority, key) == digest
        return True

    async def preferred(self, authority: str, key: str) -> str | None:
        """Return the digest of the command by which wishes were taken over, if they were."""
        found = await self._preferences.find_one({"_id": authority, "commands.key": key}, {"commands.$": 1})
        return str(found["commands"][0]["digest"]) if found else None

    async def refuse(self, key: str, digest: str, refusal: Refusal, now: datetime) -> None:
        """Remember that a command was refused: it is so whenever it comes again."""
        said = {"digest": digest, "code": refusal.code, "field": refusal.field, "at": now}
        await self._refusals.update_one({"_id": key}, {"$setOnInsert": said}, upsert=True)

    async def refused(self, key: str, digest: str) -> Refusal | None:
        """Return why a command was refused, if it was."""
        found = await self._refusals.find_one({"_id": key})
        if found is None:
            return None
        same = found["digest"] == digest
        return Refusal(found["code"], found["field"]) if same else Refusal("message-id-reused", "message_id")


def _reader(authority: str, found: Mapping[str, Any]) -> Reader:
    contact = Contact(tuple(found["addresses"]), tuple(found["languages"]), found["country"])
    active = found.get("status", "active") == "active"
    return Reader(authority, contact, found.get("region"), found.get("system"), found.get("coordinator"), active=active)


def _authority_thing(event: AuthorityState) -> Thing:
    details = event.details
    contact = Contact(details.contacts, details.languages, details.country)
    more = {"region": details.region, "system": event.system, "coordinator": event.coordinator, "status": event.status}
    return event.id, event.version, {**asdict(contact), **more}


def _system_thing(event: SystemState) -> Thing:
    return event.id, event.version, {"status": event.status}
