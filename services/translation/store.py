"""What translation keeps: the texts and rules of every area version, and which languages each reader reads."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from sys import intern
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from contracts.directory import AuthorityState, Compare, Replayed, SystemState, TermsChanged
from contracts.translation import AreaRules
from services.chassis.copies import total
from services.chassis.mongo import Database
from services.chassis.readmodel import ReadModel, Thing
from services.translation.area import AreaTexts, items_of, missing_of
from services.translation.held import Held
from services.translation.reading import Terms

_NO_TEXTS: Final[dict[str, str]] = {}


class Store:
    """The service's database. Published versions never change: what is read of one is kept in memory."""

    def __init__(self, database: Database) -> None:
        """Nothing is read or written here."""
        self._areas = database["areas"]
        self._texts = database["texts"]
        self._readers = ReadModel(database["readers"])
        self._terms = ReadModel(database["terms"])
        self._held = Held()

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._texts.create_index([("area", 1), ("version", 1)])
        await self._terms.collection.create_index([("vocabulary", 1), ("_id", 1)])

    async def systems(self) -> list[str]:
        """Return the ids of the connected systems."""
        found = self._readers.collection.find({"system": True, "status": {"$ne": "closed"}}, {"_id": 1})
        return [str(one["_id"]) async for one in found]

    async def languages(self, readers: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the languages of those `readers` (authorities and systems) that are known."""
        return {key: tuple(found["languages"]) for key, found in (await self._readers.get(readers)).items()}

    async def authority_changed(self, event: AuthorityState) -> None:
        """Note which languages an authority reads."""
        await self._readers.put(*_authority_thing(event))

    async def system_connected(self, event: SystemState) -> None:
        """Note which languages a system reads: its lanes are consumed from now on."""
        await self._readers.put(*_system_thing(event))

    async def replayed(self, event: Replayed) -> None:
        """Take over what this copy lacked, and nothing that is older than what it has."""
        things = [_authority_thing(one) for one in event.authorities] + [_system_thing(one) for one in event.systems]
        await self._readers.put_all(things)

    async def compare(self) -> Compare:
        """Return what the copies hold, for the registry to compare."""
        authorities = await self._readers.tallies({"system": {"$ne": True}})
        systems = await self._readers.tallies({"system": True})
        terms = total(await self._terms.tallies())
        return Compare(service="translation", authorities=authorities, systems=total(systems), terms=terms)

    async def terms_changed(self, event: TermsChanged) -> None:
        """Note what terms of the vocabulary are called."""
        await self._terms.put_all(
            (term.code, term.version, {"vocabulary": term.vocabulary, "labels": dict(term.labels)})
            for term in event.terms
        )

    async def terms(self, codes: Iterable[str]) -> Terms:
        """Return what those of the terms that are known are called, by language."""
        return {code: found["labels"] for code, found in (await self._terms.get(codes)).items()}

    async def vocabulary(self, name: str, after: str, at_most: int) -> Terms:
        """Return terms of one vocabulary in the order of their codes."""
        found = self._terms.collection.find({"vocabulary": name, "_id": {"$gt": after}}).sort("_id", 1).limit(at_most)
        return {str(one["_id"]): one["labels"] async for one in found}

    async def area_texts(self, area: str, version: int, languages: Iterable[str]) -> AreaTexts:
        """Return a published version, with the words of these languages. Raises `KeyError` when there is none.

        Each language is read when somebody first reads it: two hundred areas in all languages are more than a hundred
        megabytes.
        """
        found = self._held.get((area, version)) or await self._taken_up(area, version)
        if lacking := [one for one in languages if one not in found.texts]:
            found.texts.update(await self._texts_in(area, version, lacking))
            self._held.put((area, version), found)
        return found

    async def _taken_up(self, area: str, version: int) -> AreaTexts:
        rules = await self.rules(area, version)
        if rules is None:
            raise KeyError(f"{area}/{version}")
        return AreaTexts(items_of(rules), {})

    async def missing(self, area: str, version: int) -> dict[str, int]:
        """Return for each language how many texts the version has in some other and not in this one."""
        codes = {"$map": {"input": "$texts", "as": "pair", "in": {"$arrayElemAt": ["$$pair", 0]}}}
        of_version = {"$match": {"area": area, "version": version}}
        found = await self._texts.aggregate([of_version, {"$project": {"language": 1, "codes": codes}}])
        return missing_of({str(one["language"]): one["codes"] async for one in found})

    async def rules(self, area: str, version: int) -> AreaRules | None:
        """Return the rules of a version once it is published."""
        found = await self._areas.find_one({"_id": f"{area}/{version}"})
        return AreaRules.model_validate(found["rules"]) if found else None

    async def in_force(self, area: str) -> int | None:
        """Return the highest version that is published."""
        found = self._areas.find({"_id": {"$gt": f"{area}/", "$lt": f"{area}0"}}, {"_id": 1})
        versions = [int(str(one["_id"]).rsplit("/", 1)[1]) async for one in found]
        return max(versions, default=None)

    async def areas(self) -> list[tuple[str, int]]:
        """Return each area with the version in force."""
        highest = dict[str, int]()
        for one in await self.published():
            area, version = one.rsplit("/", 1)
            highest[area] = max(highest.get(area, 0), int(version))
        return sorted(highest.items())

    async def published(self) -> list[str]:
        """Return every version of every area, as `<area>/<version>`."""
        return [str(one["_id"]) async for one in self._areas.find({}, {"_id": 1}).sort("_id", 1)]

    async def texts(self, area: str, version: int, language: str) -> Mapping[str, str] | None:
        """Return the texts laid down in one language."""
        found = await self._texts.find_one({"_id": f"{area}/{version}/{language}"})
        return _by_code(found) if found else None

    async def put_texts(self, area: str, version: int, language: str, texts: Mapping[str, str]) -> None:
        """Lay down the texts of one language, in place of any that were there."""
        key = f"{area}/{version}/{language}"
        document = {"area": area, "version": version, "language": language, "texts": list(texts.items())}
        await self._texts.replace_one({"_id": key}, document, upsert=True)

    async def publish(self, area: str, version: int, rules: AreaRules) -> AreaRules | None:
        """Publish a version, and return its rules: those of whoever came first, for versions are immutable."""
        with suppress(DuplicateKeyError):
            await self._areas.insert_one({"_id": f"{area}/{version}", "rules": rules.model_dump(mode="json")})
        return await self.rules(area, version)

    async def _texts_in(self, area: str, version: int, languages: Sequence[str]) -> dict[str, dict[str, str]]:
        """A language that the version is not published in has no texts; that is remembered, too."""
        found = self._texts.find({"_id": {"$in": [f"{area}/{version}/{one}" for one in languages]}})
        return dict.fromkeys(languages, _NO_TEXTS) | {str(one["language"]): _by_code(one) async for one in found}


def _authority_thing(event: AuthorityState) -> Thing:
    return event.id, event.version, {"languages": list(event.details.languages)}


def _system_thing(event: SystemState) -> Thing:
    return event.id, event.version, {"languages": list(event.languages), "system": True, "status": event.status}


def _by_code(document: Mapping[str, Any]) -> dict[str, str]:
    # Kept as pairs: codes have dots in them, which field names should not. The 26 languages share each code's text.
    return {intern(code): text for code, text in document["texts"]}
