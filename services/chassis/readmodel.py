"""A copy of another service's data, fed by its events: the newest version wins, in whatever order they come."""

from collections.abc import Iterable, Mapping
from typing import Any

from pymongo.errors import DuplicateKeyError

from services.chassis.mongo import Collection, Document


class ReadModel:
    """Things by id, each with the version in which it was last heard of."""

    def __init__(self, collection: Collection) -> None:
        """Keep them in `collection`."""
        self.collection = collection

    async def put(self, key: str, version: int, fields: Mapping[str, Any]) -> None:
        """Store what is newer than what is there; drop what is not."""
        older, newer = {"_id": key, "version": {"$lt": version}}, {**fields, "version": version}
        try:
            await self.collection.replace_one(older, newer, upsert=True)
        except (
            DuplicateKeyError
        ):  # there by now: in this version or a newer one, or in an older one just put by another
            await self.collection.replace_one(older, newer)

    async def get(self, keys: Iterable[str]) -> dict[str, Document]:
        """Return those of `keys` that are known."""
        found = self.collection.find({"_id": {"$in": sorted(set(keys))}})
        return {str(document["_id"]): dict(document) async for document in found}
