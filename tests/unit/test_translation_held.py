"""What a replica of translation holds is bounded in bytes, and is what was read last."""

from sys import getsizeof

import pytest

from services.translation import held
from services.translation.area import AreaTexts
from services.translation.held import Held

TEXT = "x" * 1_000
WEIGHT = getsizeof(TEXT) + getsizeof({"title": TEXT})


def texts(*languages: str) -> AreaTexts:
    """A version with one text in each of these languages."""
    return AreaTexts({}, {one: {"title": TEXT} for one in languages})


def test_what_nobody_has_read_for_longest_is_let_go() -> None:
    """Not what was taken up first."""
    here = Held(most=2 * WEIGHT)
    for name in ("a", "b"):
        here.put((name, 1), texts("de"))
    assert here.get(("a", 1))
    here.put(("c", 1), texts("de"))
    assert [bool(here.get((name, 1))) for name in ("a", "b", "c")] == [True, False, True]


def test_each_language_counts() -> None:
    """A version that is read in more languages takes the place of others; the last one always stays."""
    here = Held(most=2 * WEIGHT)
    a, b = texts("de"), texts("de")
    here.put(("a", 1), a)
    here.put(("b", 1), b)
    b.texts.update(texts("hu", "fr").texts)
    here.put(("b", 1), b)
    assert here.get(("a", 1)) is None
    assert here.get(("b", 1)) is b


def test_versions_are_bounded_in_number_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their items take memory that is not counted."""
    monkeypatch.setattr(held, "MOST_VERSIONS", 3)
    here = Held()
    for number in range(5):
        here.put(("a", number), texts())
    assert [number for number in range(5) if here.get(("a", number))] == [2, 3, 4]
