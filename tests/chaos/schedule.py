"""Which fault when: chosen by a seed, and the same for the same seed. Pure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final, Protocol

CALM: Final = 5.0
"""Seconds before the first fault."""
TOGETHER: Final = 0.5
"""The share of faults that have company."""
BESIDE_EVERY: Final = 300.0
"""Seconds in which each kind comes once that lasts beside all others."""
TRIES: Final = 50
"""Moments that are tried for such a fault, before it is left out for once."""


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
    @property
    def beside(self) -> bool: ...


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
    the first one lasts. Those that are made to last beside all others come whenever nothing else is done to their part.
    """
    planned = _in_turn({name: kind for name, kind in kinds.items() if not kind.beside}, seed, seconds)
    # A chance of their own: they change nothing of the others.
    chance = random.Random(f"{seed} beside")
    for name, kind in kinds.items():
        if kind.beside:
            for number in range(ceil(seconds / BESIDE_EVERY)):
                since, until = number * BESIDE_EVERY, min((number + 1) * BESIDE_EVERY, seconds)
                planned += _beside(name, kinds, (max(since, CALM), until), planned, chance)
    return sorted(planned, key=lambda one: one.at)


def _in_turn(kinds: Mapping[str, Choice], seed: int, seconds: float) -> list[Planned]:
    chance = random.Random(seed)
    bag, at, planned = list[str](), CALM, list[Planned]()
    while at < seconds and kinds:
        first = _planned(_next(bag, kinds, chance), kinds, at, chance)
        group = [first]
        if chance.random() < TOGETHER:
            second = _planned(_next(bag, kinds, chance), kinds, at + chance.uniform(0, first.length), chance)
            if not is_same(second.part, first.part):
                group.append(second)
            else:  # its turn comes later
                bag.insert(chance.randrange(len(bag) + 1), second.name)
        planned += group
        at = max(one.at + one.length + kinds[one.name].rests * chance.uniform(0.75, 1.25) for one in group)
    return planned


def _beside(
    name: str, kinds: Mapping[str, Choice], when: tuple[float, float], others: list[Planned], chance: random.Random
) -> list[Planned]:
    """Return a fault that begins within a time, or none when its parts are never left alone for so long."""
    for _ in range(TRIES):
        one = _planned(name, kinds, chance.uniform(*when), chance)
        if not any(_meet(one, other, kinds) for other in others):
            return [one]
    return []


def _meet(one: Planned, other: Planned, kinds: Mapping[str, Choice]) -> bool:
    """Say whether both are done to the same thing before it has rested."""
    first, second = sorted((one, other), key=lambda either: either.at)
    return is_same(first.part, second.part) and second.at < first.at + first.length + kinds[first.name].rests


def is_same(part: str, other: str) -> bool:
    """Say whether two faults are done to the same thing, or one to a part of the other: each could undo the other."""
    return part.startswith(other) or other.startswith(part)


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
