"""Which fault when: chosen by a seed, and the same for the same seed. Pure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

CALM: Final = 5.0
"""Seconds before the first fault."""
TOGETHER: Final = 0.5
"""The share of faults that have company."""


class Choice(Protocol):
    """What is to be known of a kind of fault."""

    @property
    def targets(self) -> tuple[str, ...]: ...
    @property
    def part(self) -> str: ...
    @property
    def lengths(self) -> tuple[float, float]: ...
    @property
    def rests(self) -> float: ...


@dataclass(frozen=True)
class Planned:
    """A fault to come: it begins `at` so many seconds, and lasts for `length`."""

    at: float
    length: float
    name: str
    target: str
    part: str


def schedule(kinds: Mapping[str, Choice], seed: int, seconds: float) -> list[Planned]:
    """Return the faults in the order of their beginnings, all begun within so many seconds.

    Each kind comes before any comes again. Some have another one beside them, done to another part, that begins while
    the first one lasts.
    """
    chance = random.Random(seed)
    bag, at, planned = list[str](), CALM, list[Planned]()
    while at < seconds:
        first = _planned(_next(bag, kinds, chance), kinds, at, chance)
        group = [first]
        if chance.random() < TOGETHER:
            second = _planned(_next(bag, kinds, chance), kinds, at + chance.uniform(0, first.length), chance)
            if second.part != first.part:
                group.append(second)
            else:  # its turn comes later
                bag.insert(chance.randrange(len(bag) + 1), second.name)
        planned += group
        at = max(one.at + one.length + kinds[one.name].rests * chance.uniform(0.75, 1.25) for one in group)
    return sorted(planned, key=lambda one: one.at)


def _next(bag: list[str], kinds: Mapping[str, Choice], chance: random.Random) -> str:
    if not bag:
        bag += chance.sample(list(kinds), len(kinds))
    return bag.pop()


def _planned(name: str, kinds: Mapping[str, Choice], at: float, chance: random.Random) -> Planned:
    kind = kinds[name]
    target = chance.choice(kind.targets)
    # Of a point of a service, or of a line from it, what counts is the service.
    part = kind.part.format(target.split(":")[0])
    return Planned(round(at, 2), round(chance.uniform(*kind.lengths), 2), name, target, part)
