"""More than anybody needs: the others must not wait for it, and nothing may grow without end.

Polite systems ask the registry and casework ten times a second each; beside them the attacker does its worst. What is
compared is how long the polite ones wait, calm and beside each attack, in turns, several rounds of it in one run: of
each the median of the rounds, so that one in which the machine was busy otherwise decides nothing.
"""

import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.plan import Player
from contracts.casework import ShowCase
from tests.attack.excess import BEYOND, WORST, Excess, least, under_way
from tests.attack.polite import Waits, p99_ms, wait
from tests.attack.rights import NOBODYS_CASE
from tests.broker.raw import raw_system
from tests.world import HANDLER

CALM: Final = "nothing"
GOAL: Final = 4.0
"""The others' p99 beside an attack, at most so many times what it is when all is calm."""
_LOOKS: Final = 300
_LOOKS_FOR_CALM: Final = 30
_CALM_FOR, _USUAL_MS = 4, 60.0
"""Seconds one after the other in which nobody waits longer."""
_TELLING: Final = 1.25
"""Medians of two kinds of answer that differ by less tell nothing."""


@dataclass(frozen=True)
class Measured:
    """What the others had of one attack: of what they asked, and of the broker's confirms, the median of the rounds."""

    name: str
    p99_ms: Mapping[str, float]
    ratio: float
    """The worst, of all that was asked, to what it is when all is calm."""
    confirmed_p99_ms: float
    unanswered: int
    beside: Excess | None
    """What there was of it in each round; nothing of calm."""

    @property
    def extent(self) -> str:
        """Say so in a few words."""
        had = self.beside
        return "" if had is None else f"{had.held} connections" if had.held else f"{had.per_s} a second"


def measured(
    polite: Sequence[Player], attacker: Player, seconds: float, rounds: int, clear: Callable[[], None]
) -> Iterator[Measured]:
    """Return what the others had when all was calm, and beside each attack; each round is calm first.

    `clear` takes away what an attack has left behind: the next one is measured by itself.
    """
    wait(polite, 3)  # warm
    had = {name: list[Waits]() for name in (CALM, *WORST, *BEYOND)}
    beside = {name: list[Excess]() for name in had}
    # What saturates the broker comes last: what it leaves there to be written is beside nothing that is judged.
    for names in ((CALM, *WORST), BEYOND):
        for name in (*names,) * rounds:
            if name == CALM:
                had[name].append(wait(polite, seconds))
            else:
                with under_way(name, attacker.url) as excess:
                    had[name].append(wait(polite, seconds))
                    beside[name].append(excess())
            clear()
            _calm_down(polite)
    calm = _p99_ms(had[CALM])
    for name, by_round in had.items():
        p99 = _p99_ms(by_round)
        ratio = max(round(value / calm[kind], 2) for kind, value in p99.items())
        confirmed = round(statistics.median(p99_ms(one.confirms) for one in by_round), 1)
        yield Measured(name, p99, ratio, confirmed, sum(one.unanswered for one in by_round), least(beside[name]))


def _calm_down(polite: Sequence[Player]) -> None:
    """Wait until the others are answered as usual: the broker writes what was large once more when it has the time."""
    calm = 0
    for _ in range(_LOOKS_FOR_CALM):
        calm = calm + 1 if max(wait(polite, 1.0).p99_ms.values()) < _USUAL_MS else 0
        if calm == _CALM_FOR:
            return


def _p99_ms(by_round: Sequence[Waits]) -> dict[str, float]:
    return {kind: round(statistics.median(one.p99_ms[kind] for one in by_round), 1) for kind in by_round[0].p99_ms}


async def timing(attacker: Player, case: str) -> tuple[float, float]:
    """Return the median milliseconds of an answer for a case of others, and for a number that no case has."""
    seconds: dict[str, list[float]] = {case: [], NOBODYS_CASE: []}
    async with raw_system(attacker.url, attacker.system) as system:
        for _ in range(_LOOKS):
            for number, times in seconds.items():
                asked = ShowCase(authority=attacker.authority, case=number, user=HANDLER)
                body = asked.model_dump_json(exclude_none=True).encode()
                message_id, began = str(uuid.uuid4()), time.perf_counter()
                await system.command(ShowCase.TYPE, body, message_id)
                await system.outcome(message_id)
                times.append(time.perf_counter() - began)
    theirs, nobodys = (round(statistics.median(times) * 1000, 2) for times in seconds.values())
    return theirs, nobodys


def tells(theirs: float, nobodys: float) -> bool:
    """Say whether somebody who only looks at the time could tell the two apart."""
    return max(theirs, nobodys) > _TELLING * min(theirs, nobodys)
