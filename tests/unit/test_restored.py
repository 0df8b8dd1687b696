"""A service whose database was restored catches up first; one whose was not never waits."""

from typing import Any, cast

from contracts.restoring import COLLECTION, ID
from services.chassis.mongo import Database
from services.chassis.restored import Restored

LANES = ["casework.again", "casework.expired", "casework.commands.hu-hivatal"]


class Collection:
    """What a restore left."""

    def __init__(self, **left: Any) -> None:
        self.left = left
        self.asked = 0

    async def find_one(self, query: dict[str, Any]) -> dict[str, Any] | None:
        """The one document, if there is one."""
        assert query == {"_id": ID}
        self.asked += 1
        return self.left or None


def restored(collection: Collection) -> Restored:
    """A service with this in its database."""
    return Restored(cast("Database", {COLLECTION: collection}))


async def test_a_database_that_never_was_restored_holds_nothing_up() -> None:
    """All lanes are open, the epoch is the setting's, and nobody asks again and again."""
    collection = Collection()
    service = restored(collection)
    assert await service.epoch(1) == 1
    for _ in range(3):
        assert await service.open(LANES) == LANES
    assert collection.asked == 2


async def test_until_it_has_caught_up_only_what_is_played_again_is_taken() -> None:
    """And nothing is done because a date has come; after that everything is as ever."""
    collection, turns = Collection(epoch=7, catching_up=True), list[int]()
    service = restored(collection)

    async def turn() -> None:
        turns.append(1)

    assert await service.epoch(1) == 7
    assert await service.epoch(9) == 9
    assert await service.open(LANES) == ["casework.again"]
    await service.when_caught_up(turn)()
    assert not turns
    collection.left["catching_up"] = False
    assert await service.open(LANES) == LANES
    await service.when_caught_up(turn)()
    assert turns
