"""Whether two authorities may be the same one, registered twice. Pure."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

ALIKE: Final = 0.75
"""How much two names must agree: the share of their letters, or of their words in whatever order."""


def alike(names: Iterable[str], others: Iterable[str]) -> bool:
    """Say whether one of the names is much the same as one of the others. All of them are already normalised."""
    known = list(others)
    return any(_much_the_same(name, other) for name in names for other in known)


def _much_the_same(name: str, other: str) -> bool:
    ours, theirs = set(name.split()), set(other.split())
    if not ours or not theirs:
        return False
    shared = len(ours & theirs) / len(ours | theirs)
    if shared >= ALIKE:
        return True
    first, second = sorted((name, other))  # the ratio depends on the order
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE
