"""What casework's copy of the areas lacks, told again: as it does when its database was restored."""

import structlog
from pydantic_core import to_json

from contracts.directory import Compare
from contracts.identity import derived_uuid
from contracts.translation import AreaPublished
from services.chassis.bus import Outgoing
from services.chassis.copies import tally_of
from services.chassis.feed import Feed
from services.translation.store import Store

log = structlog.get_logger()

ROUTING_KEY = "replay.casework"


class AreasAgain:
    """Takes `Compare`. Whatever it tells again changes nothing where it is known: a published version stays as it is.

    A copy that has more than this database, as it has after that was restored, keeps it.
    """

    def __init__(self, store: Store, feed: Feed) -> None:
        """Tell what is in `store`; publish by `feed`."""
        self._store = store
        self._feed = feed

    async def compare(self, message: Compare) -> None:
        """Tell every published version, the earliest first, when those of the copy are not these."""
        there = await self._store.published()
        if message.areas is None or message.areas == tally_of(there):
            return
        if message.areas.count > len(there):
            log.warning("areas missing here", here=len(there), there=message.areas.count)
        for area, version in sorted(map(_parts, there)):
            if rules := await self._store.rules(area, version):
                body = to_json(AreaPublished(area=area, version=version, rules=rules), exclude_none=True)
                message_id = derived_uuid("area", area, str(version))
                await self._feed.publish(Outgoing(ROUTING_KEY, AreaPublished.TYPE, body, message_id))


def _parts(name: str) -> tuple[str, int]:
    area, version = name.rsplit("/", 1)
    return area, int(version)
