"""What casework shows besides what every service does, from its database: the same whichever replica is asked."""

from datetime import UTC, datetime
from typing import Final

from prometheus_client import Gauge

from services.casework.counting import Scoreboard
from services.casework.scores import merged, score_of
from services.casework.store import OF_OPEN, Store

EVERY: Final = 15.0
"""Seconds after which the figures are read again."""
INDICATORS: Final = ("accepted_in_time", "days_to_answer", "answered_in_time", "poor_timeliness", "poor_effort")

OPEN = Gauge("imi_cases_open", "Open cases by state.", ["state"])
OVERDUE = Gauge("imi_cases_overdue", "Open cases in which somebody has let a date pass.")
UNCOUNTED = Gauge("imi_cases_uncounted", "Cases that have moved since the scoreboard last counted them.")
REQUESTS = Gauge("imi_scoreboard_requests", "Requests that arrived this month, by state that answers.", ["country"])
INDICATOR = Gauge("imi_scoreboard", "The scoreboard of this month: shares in per cent, days.", ["country", "indicator"])


class Figures:
    """Reads the figures of cases from the database."""

    def __init__(self, store: Store, scoreboard: Scoreboard) -> None:
        """Read from these."""
        self._store = store
        self._scoreboard = scoreboard

    async def turn(self) -> None:
        """Read them all once, by indexes and counters. Raises what the database raises."""
        counted = await self._store.collection.aggregate(
            [{"$match": {"open": True}}, {"$group": {"_id": "$state", "cases": {"$sum": 1}}}], hint=OF_OPEN
        )
        OPEN.clear()
        async for group in counted:
            OPEN.labels(group["_id"]).set(group["cases"])
        OVERDUE.set(await self._store.collection.count_documents({"open": True, "overdue": True}, hint=OF_OPEN))
        UNCOUNTED.set(await self._store.collection.count_documents({"uncounted": True}))
        month = datetime.now(UTC).strftime("%Y-%m")
        for (country, area), figures in merged(await self._scoreboard.groups(month, month)).items():
            if area is None:
                self._show(country, figures)

    def _show(self, country: str, figures: dict[str, int]) -> None:
        score = score_of(country, None, figures)
        REQUESTS.labels(country).set(score.requests)
        for name in INDICATORS:
            if indicator := getattr(score, name):
                INDICATOR.labels(country, name).set(indicator.value)
