"""What casework keeps: cases as histories, and its own copies of authorities, systems and the rules of areas."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from contracts.directory import AuthorityState, Compare, Replayed, SystemState
from contracts.translation import AreaPublished, AreaRules
from services.casework.case import Side
from services.casework.deadlines import next_of
from services.casework.history import Fold
from services.casework.knowledge import Access, Area, Authority
from services.casework.scores import facts_of
from services.chassis.copies import tally_of, total
from services.chassis.counting import MARK
from services.chassis.histories import HELD, Histories, History, Sealer
from services.chassis.mongo import Database, Document
from services.chassis.readmodel import ReadModel, Thing

_CONNECTED = {"status": {"$ne": "closed"}}
GONE_FOR: Final = timedelta(minutes=10)
"""How long the cases of an authority that is no longer active are looked for: copies elsewhere may be as late."""


class Store:
    """The service's database."""

    def __init__(self, database: Database, sealer: Sealer | None = None) -> None:
        """Nothing is read or written here. `sealer` keeps what is personal."""
        self.collection = database["cases"]
        self.fold = Fold()
        self.cases = Histories(self.collection, self._projection, sealer)
        self.gone = database["gone"]
        self.counters = database["scores"]
        self.standings = database["standings"]
        self._authorities = ReadModel(database["authorities"])
        self._systems = ReadModel(database["systems"])
        self._areas = ReadModel(database["areas"])
        self._rules = database["area_rules"]
        self._rulebook: dict[tuple[str, int], AreaRules] = {}

    async def prepare(self) -> None:
        """Make the indexes."""
        await self.cases.prepare()
        listed = [("parties", ASCENDING), ("open", DESCENDING), ("changed_at", DESCENDING), ("_id", DESCENDING)]
        await self.collection.create_index(listed, name="of-a-party")
        await self.collection.create_index("act_at", sparse=True)
        await self.collection.create_index("secret.month", sparse=True)
        await self.collection.create_index("counted.month", sparse=True)

    async def history(self, number: str) -> History:
        """Return the history of one case; of one that is not there, nothing."""
        return await self.cases.history(number)

    async def changed_since(self, moment: datetime, after: str, at_most: int) -> tuple[list[tuple[str, History]], bool]:
        """Return numbers and histories of cases that have changed since then, and whether there may be more.

        After a place in their order so many, or as many as may be held at once.
        """
        wanted = {"_id": {"$gt": after}, "changed_at": {"$gte": moment}}
        fields = {"history": 1, "secret": 1, "bytes": {"$bsonSize": "$$ROOT"}}
        page, weight = list[tuple[str, History]](), 0
        async with self.collection.find(wanted, fields).sort("_id", 1).limit(at_most) as found:
            async for one in found:
                page.append((str(one["_id"]), self.cases.opened(one)))
                weight += one["bytes"]
                if weight > HELD:
                    return page, True
        return page, len(page) == at_most

    async def systems(self) -> list[str]:
        """Return the ids of the connected systems."""
        return [str(found["_id"]) async for found in self._systems.collection.find(_CONNECTED, {"_id": 1})]

    async def cut_off(self, systems: Iterable[str]) -> frozenset[str]:
        """Return those of `systems` that were suspended or closed."""
        found = await self._systems.get(systems)
        return frozenset(key for key, one in found.items() if one.get("status", "active") != "active")

    async def authorities(self, ids: Iterable[str]) -> dict[str, Authority]:
        """Return those of `ids` that casework has heard of."""
        return {key: _authority(key, found) for key, found in (await self._authorities.get(ids)).items()}

    async def areas(self, codes: Iterable[str]) -> dict[str, Area]:
        """Return those of `codes` that are published, each in the version in force."""
        found = await self._areas.get(codes)
        return {code: Area(code, one["version"], await self.rules(code, one["version"])) for code, one in found.items()}

    async def rules(self, area: str, version: int) -> AreaRules:
        """Return the rules of one version. They never change: read once. Raises `KeyError` when there are none."""
        if (area, version) not in self._rulebook:
            found = await self._rules.find_one({"_id": f"{area}/{version}"})
            if found is None:
                raise KeyError(f"{area}/{version}")
            self._rulebook[area, version] = AreaRules.model_validate(found["rules"])
        return self._rulebook[area, version]

    def rules_at_hand(self, area: str, version: int) -> AreaRules | None:
        """Return the rules if they have been read already."""
        return self._rulebook.get((area, version))

    async def authority_changed(self, event: AuthorityState) -> None:
        """Take over what the registry says of an authority. What it has to do goes to others when it is gone."""
        await self._authorities.put(*_authority_thing(event))
        if event.status in ("suspended", "closed"):
            await self._remember_gone([event])

    async def system_connected(self, event: SystemState) -> None:
        """Take over what the registry says of a system: its lanes are consumed from now on."""
        await self._systems.put(*_system_thing(event))

    async def replayed(self, event: Replayed) -> None:
        """Take over what this copy lacked, and nothing that is older than what it has."""
        await self._authorities.put_all(_authority_thing(one) for one in event.authorities)
        await self._remember_gone(one for one in event.authorities if one.status in ("suspended", "closed"))
        await self._systems.put_all(_system_thing(one) for one in event.systems)

    async def _remember_gone(self, events: Iterable[AuthorityState]) -> None:
        until = datetime.now(UTC) + GONE_FOR
        for event in events:
            fields = {"version": event.version, "until": until}
            await self.gone.update_one({"_id": event.id}, {"$set": fields}, upsert=True)

    async def compare(self) -> Compare:
        """Return what the copies hold, for the registry and translation to compare."""
        authorities, systems = await self._authorities.tallies(), await self._systems.tallies()
        areas = tally_of([str(one["_id"]) async for one in self._rules.find({}, {"_id": 1})])
        return Compare(service="casework", authorities=authorities, systems=total(systems), areas=areas)

    async def area_published(self, event: AreaPublished) -> None:
        """Keep the rules of this version for the cases that will begin with it."""
        document = {"_id": f"{event.area}/{event.version}", "rules": event.rules.model_dump(mode="json")}
        with suppress(DuplicateKeyError):  # versions are immutable: the one that is there is this one
            await self._rules.insert_one(document)
        await self._areas.put(event.area, event.version, {})

    def _projection(self, number: str, history: History) -> Document:
        """The fields by which cases are looked up, and what the scoreboard counts: all follow from the history."""
        case = self.fold(number, history)
        if case is None:
            return {}
        following = next_of(case)
        return {
            "state": case.state,
            "open": case.open,
            "area": case.area,
            "countries": [side.country for side in (case.sender, case.recipient) if side],
            "parties": list(case.parties),
            "turn": case.turn,
            "changed_at": case.changed_at,
            "act_at": following[1] if following else None,
            "blocked": case.blocked,
            "overdue": bool(case.overdue),
            "score": facts_of(case),
            MARK: True,
        }


def _authority_thing(event: AuthorityState) -> Thing:
    return event.id, event.version, event.model_dump(mode="json", exclude={"id", "version"})


def _system_thing(event: SystemState) -> Thing:
    return event.id, event.version, {"status": event.status}


def _authority(key: str, found: Document) -> Authority:
    details: dict[str, Any] = found["details"]
    name = details["names"].get(details["languages"][0]) or next(iter(details["names"].values()))
    return Authority(
        side=Side(authority=key, name=name, country=details["country"], region=details.get("region")),
        system=found["system"],
        active=found["status"] == "active",
        access=_ByArea(found["access"]),
        coordinator=found.get("coordinator"),
        successor=found.get("successor"),
        version=found["version"],
    )


class _ByArea(Mapping[str, Access]):
    """Made when asked for: an authority may have access to hundreds of areas, and a decision is on one."""

    __slots__ = ("_found",)

    def __init__(self, found: Mapping[str, Document]) -> None:
        self._found = found

    def __getitem__(self, area: str) -> Access:
        found = self._found[area]
        mediating, observing = tuple(found["request_coordinators"]), tuple(found["linked"])
        return Access(found["coordinator"], mediating, observing, frozenset(found["scope"]["competences"]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
