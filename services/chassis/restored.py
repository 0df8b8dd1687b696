"""A database that was restored from a backup: its epoch, and what waits until the service has caught up.

Until then only what is played again from the journal is taken. What systems send meanwhile waits in their lanes: it may
rest on what is still to be played.
"""

from collections.abc import Awaitable, Callable, Sequence

from contracts.restoring import COLLECTION, ID
from contracts.topology import is_again
from services.chassis.mongo import Database, Document


class Restored:
    """What a restore left behind; of a database that never was restored, nothing."""

    def __init__(self, database: Database) -> None:
        """Nothing is read here."""
        self._collection = database[COLLECTION]
        self._caught_up = False

    async def epoch(self, at_least: int) -> int:
        """Return what counts before the version of anything in this database."""
        return max(at_least, int((await self._found()).get("epoch", 0)))

    async def catching_up(self) -> bool:
        """Say whether something is still to be played again. Once it is not, that stays: a restore needs a rest."""
        if not self._caught_up:
            self._caught_up = not (await self._found()).get("catching_up", False)
        return not self._caught_up

    async def open(self, lanes: Sequence[str]) -> list[str]:
        """Return those of `lanes` that may be consumed now."""
        return [lane for lane in lanes if is_again(lane)] if await self.catching_up() else list(lanes)

    def when_caught_up(self, turn: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        """Return what does nothing while the service catches up, and `turn` then."""

        async def later() -> None:
            if not await self.catching_up():
                await turn()

        return later

    async def _found(self) -> Document:
        return dict(await self._collection.find_one({"_id": ID}) or {})
