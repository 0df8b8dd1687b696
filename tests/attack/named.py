"""An attack by its name, and what it would have gained."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.world import World

ATTACKER, VICTIM = "de-other", "hu-hivatal"


@dataclass(frozen=True)
class Attack:
    """`run` tries it, and raises AssertionError when it gains anything."""

    name: str
    gain: str
    run: Callable[[World], Awaitable[None]]


@contextmanager
def refused(by: type[Exception], why: str = "") -> Iterator[None]:
    """Have what is tried within end with this error, which says why; whatever else it ends with is no refusal."""
    told: Exception | None = None
    try:
        yield
    except by as error:
        told = error
    assert told, "nobody refused it"
    assert why in str(told), told
