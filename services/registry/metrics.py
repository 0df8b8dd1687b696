"""What the registry shows besides what every service does, from its database: the same whichever replica is asked."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import Gauge
from pymongo import UpdateOne

from services.chassis.counting import Counting, Difference, Stored, additions, figures_of, moved_from
from services.chassis.mongo import Document
from services.registry.store import Store

EVERY: Final = 10.0
"""Seconds after which authorities are counted again."""

AUTHORITIES = Gauge("imi_authorities", "Authorities by state and status.", ["country", "status"])


class Figures:
    """Counts authorities, and shows how many there are."""

    def __init__(self, store: Store) -> None:
        """Count those of `store`."""
        self._store = store
        self._counting = Counting(store.documents, ("status", "counted"), _counted, [(store.counters, _added)])

    async def prepare(self) -> None:
        """Make the index, and have counted who was there before there were these counters."""
        await self._counting.prepare({"status": {"$exists": True}})

    async def turn(self) -> None:
        """Count what has changed, and show the counters. Raises what the database raises."""
        await self._counting.turn()
        for one in await figures_of(self._store.counters):
            AUTHORITIES.labels(one["country"], one["status"]).set(one["figures"].get("authorities", 0))


def _added(authorities: Iterable[Stored]) -> list[UpdateOne]:
    changes = (moved_from(_group(_counted(one)["counted"]), _group(one.get("counted"))) for one in authorities)
    return additions(("country", "status"), changes)


def _counted(authority: Stored) -> Document:
    """For what an authority counts; what is no authority (any more) for nothing."""
    status = authority.get("status")
    return {"counted": {"country": str(authority["_id"]).partition("-")[0], "status": status} if status else None}


def _group(counted: Stored | None) -> Difference:
    return {(counted["country"], counted["status"]): {"authorities": 1}} if counted else {}
