"""What casework shows besides what every service does, from its database: the same whichever replica is asked."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import Gauge

from services.casework.counting import Scoreboard
from services.casework.scores import merged, score_of

EVERY: Final = 15.0
"""Seconds after which the figures are read again."""
INDICATORS: Final = ("accepted_in_time", "days_to_answer", "answered_in_time", "poor_timeliness", "poor_effort")

OPEN = Gauge("imi_cases_open", "Open cases by area and state.", ["area", "state"])
OVERDUE = Gauge("imi_cases_overdue", "Open cases in which somebody has let a date pass, by area.", ["area"])
UNCOUNTED = Gauge("imi_cases_uncounted", "Cases that have moved since they were last counted.")
REQUESTS = Gauge("imi_scoreboard_requests", "Requests that arrived this month, by state that answers.", ["country"])
INDICATOR = Gauge("imi_scoreboard", "The scoreboard of this month: shares in per cent, days.", ["country", "indicator"])
OF_MONTH: Final[Mapping[str, Gauge]] = {
    "requests": Gauge("imi_month_requests", "Requests that arrived this month, by area.", ["area"]),
    "accepted": Gauge("imi_month_accepted", "Those of them that were accepted.", ["area"]),
    "acceptance_seconds": Gauge(
        "imi_month_acceptance_seconds", "Seconds from arrival to acceptance, summed over those accepted.", ["area"]
    ),
    "answered": Gauge("imi_month_answered", "Those of them that were answered.", ["area"]),
    "answer_seconds": Gauge(
        "imi_month_answer_seconds", "Seconds from arrival to answer, summed over those answered.", ["area"]
    ),
}


class Figures:
    """Reads the figures of cases from the database."""

    def __init__(self, scoreboard: Scoreboard) -> None:
        """Read from its counters."""
        self._scoreboard = scoreboard

    async def turn(self) -> None:
        """Read them all once, from counters. Raises what the database raises."""
        standings, uncounted = await self._scoreboard.standings(), await self._scoreboard.waiting()
        month = datetime.now(UTC).strftime("%Y-%m")
        groups = await self._scoreboard.groups(month, month)
        # Nothing is awaited from here on: whoever asks meanwhile gets the old figures or the new ones, and no half.
        UNCOUNTED.set(uncounted)
        _show_standings(standings)
        _show_month(groups)
        _show_scores(groups)


def _show_standings(standings: list[Mapping[str, Any]]) -> None:
    overdue = dict[str, int]()
    OPEN.clear()
    for one in standings:
        OPEN.labels(one["area"], one["state"]).set(one["figures"].get("open", 0))
        overdue[one["area"]] = overdue.get(one["area"], 0) + one["figures"].get("overdue", 0)
    for area, cases in overdue.items():
        OVERDUE.labels(area).set(cases)


def _show_month(groups: list[Mapping[str, Any]]) -> None:
    for name, gauge in OF_MONTH.items():
        sums = dict[str, int]()
        for group in groups:
            sums[group["area"]] = sums.get(group["area"], 0) + group["figures"].get(name, 0)
        gauge.clear()
        for area, total in sums.items():
            gauge.labels(area).set(total)


def _show_scores(groups: list[Mapping[str, Any]]) -> None:
    REQUESTS.clear()
    INDICATOR.clear()
    for (country, area), figures in merged(groups).items():
        if area is None:
            score = score_of(country, None, figures)
            REQUESTS.labels(country).set(score.requests)
            for name in INDICATORS:
                if indicator := getattr(score, name):
                    INDICATOR.labels(country, name).set(indicator.value)
