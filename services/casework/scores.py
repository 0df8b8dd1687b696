"""The scoreboard: what counts of a case, and the five indicators with their colours (IMI's own). Pure."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, Literal

from contracts.case import Grade, Indicator, Score
from contracts.types import Label
from services.casework.case import Case
from services.casework.deadlines import day_at

Facts = dict[str, Any]

ACCEPTED_WITHIN: Final = timedelta(days=7)
ANSWERED_WITHIN: Final = timedelta(days=7)
FIGURES: Final = (
    "requests",
    "accepted",
    "accepted_in_time",
    "acceptance_seconds",
    "answered",
    "answer_seconds",
    "answered_in_time",
    "answered_within_a_week",
    "rated",
    "poor_timeliness",
    "poor_effort",
)
_MOST: Final = 100.0
_GRADES: Final[Mapping[str, tuple[float, float, bool]]] = {
    # indicator: (green from or below, yellow from or below, whether more is better)
    "accepted_in_time": (80, 60, True),
    "days_to_answer": (16, 25, False),
    "answered_in_time": (80, 60, True),
    "poor_timeliness": (5, 15, False),
    "poor_effort": (5, 15, False),
}
_POINTS: Final[Mapping[Grade, int]] = {"green": 1, "yellow": 0, "red": -1}


def facts_of(case: Case) -> Facts | None:
    """Return what the scoreboard counts of a case: for whom, from which month, and each figure; of a draft nothing.

    A case counts for the state that has it now, in the month in which that got it. A refused or withdrawn one does not
    count; of a split one the parts count, each for who answers, and the whole for its own recipient.
    """
    if not case.recipient or not case.arrived_at or case.state in ("withdrawn", "refused"):
        return None
    accepted, replied = case.accepted_at, case.replied_at
    group = {"country": case.recipient.country, "area": case.area, "month": case.arrived_at.strftime("%Y-%m")}
    figures = {"requests": 1}
    if accepted:
        waited = accepted - case.arrived_at
        figures |= {
            "accepted": 1,
            "accepted_in_time": int(waited <= ACCEPTED_WITHIN),
            "acceptance_seconds": int(waited.total_seconds()),
        }
    if replied and accepted:
        taken = replied - case.arrived_at
        figures |= {
            "answered": 1,
            "answer_seconds": int(taken.total_seconds()),
            "answered_in_time": int(_in_time(case)),
            "answered_within_a_week": int(taken <= ANSWERED_WITHIN),
        }
    if case.rating:
        poor = {f"poor_{name}": int(case.rating[name] == "poor") for name in ("timeliness", "effort")}
        figures |= {"rated": 1, **poor}
    return {**group, "figures": figures}


def _in_time(case: Case) -> bool:
    assert case.recipient
    assert case.replied_at
    day = day_at(case.replied_at, case.recipient.country, case.recipient.region)
    return case.first_agreed is not None and day <= case.first_agreed


def groups_of(facts: Facts | None) -> dict[tuple[str, ...], dict[str, int]]:
    """Return the figures by the group in which they count: state, area and month."""
    return {(facts["country"], facts["area"], facts["month"]): facts["figures"]} if facts else {}


def merged(groups: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str | None], dict[str, int]]:
    """Return the figures by state and area over all months, and by state over all areas."""
    sums = dict[tuple[str, str | None], dict[str, int]]()
    for group in groups:
        for key in ((group["country"], group["area"]), (group["country"], None)):
            total = sums.setdefault(key, dict.fromkeys(FIGURES, 0))
            for name in FIGURES:
                total[name] += group["figures"].get(name, 0)
    return sums


def score_of(country: str, area: str | None, figures: Mapping[str, int]) -> Score:
    """Return the scoreboard's line for these figures. An indicator over no case at all is none."""
    answered = figures["answered"]
    shares = {
        "accepted_in_time": (figures["accepted_in_time"], figures["accepted"]),
        "answered_in_time": (figures["answered_in_time"], answered),
        "poor_timeliness": (figures["poor_timeliness"], figures["rated"]),
        "poor_effort": (figures["poor_effort"], figures["rated"]),
    }
    indicators = {name: _indicator(name, _MOST * part / of, of) for name, (part, of) in shares.items() if of}
    if answered:
        indicators["days_to_answer"] = _indicator(
            "days_to_answer", figures["answer_seconds"] / answered / 86_400, answered
        )
    return Score(
        country=Label(code=country),
        area=area,
        requests=figures["requests"],
        answered_within_a_week=figures["answered_within_a_week"],
        overall=_overall(indicators),
        **indicators,
    )


def _indicator(name: str, value: float, of: int) -> Indicator:
    return Indicator(value=round(value, 1), of=of, grade=grade_of(name, value))


def grade_of(name: str, value: float) -> Grade:
    """Return the colour of an indicator's value."""
    green, yellow, more_is_better = _GRADES[name]
    if more_is_better:
        return "green" if value >= green else "yellow" if value >= yellow else "red"
    # Mean days are yellow up to 25, shares of poor ratings below 15.
    ends_yellow = value <= yellow if name == "days_to_answer" else value < yellow
    return "green" if value < green else "yellow" if ends_yellow else "red"


def _overall(indicators: Mapping[str, Indicator]) -> Literal["good", "medium", "poor"] | None:
    """At least 2 points are good, -2 or fewer poor; a state without all five has no overall colour yet."""
    if len(indicators) < len(_GRADES):
        return None
    points = sum(_POINTS[one.grade] for one in indicators.values())
    return "good" if points >= 2 else "poor" if points <= -2 else "medium"
