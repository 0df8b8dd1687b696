"""An attack by its name, and what it would have gained."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.world import World

ATTACKER, VICTIM = "de-other", "hu-hivatal"


@dataclass(frozen=True)
class Attack:
    """`run` tries it, and raises AssertionError when it gains anything."""

    name: str
    gain: str
    run: Callable[[World], Awaitable[None]]
