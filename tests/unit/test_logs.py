"""Logs say what happened and where, and nothing that anybody wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.logs import where

SECRET = "Planted Person"


def fail(error: Exception, depth: int) -> None:
    """Raise the error so many calls further down."""
    if depth == 0:
        raise error
    fail(error, depth - 1)


def caught(error: Exception, depth: int = 0) -> list[str]:
    """The places of an error that was raised."""
    try:
        fail(error, depth)
    except Exception as raised:  # noqa: BLE001 - whatever it is, it is what is looked at
        return where(raised)
    raise AssertionError


def with_cause() -> ValueError:
    """An error with a cause and a note, both of which quote."""
    error = ValueError(SECRET)
    error.__cause__ = KeyError(SECRET)
    error.add_note(SECRET)
    return error


ERRORS = {
    "an error with words": ValueError(SECRET),
    "one with an object": KeyError({"name": SECRET}),
    "one with a cause and a note": with_cause(),
    "several": ExceptionGroup(SECRET, [ValueError(SECRET)]),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())
def test_the_places_of_an_error_never_hold_its_words(error: Exception) -> None:
    """A database's error quotes the document: it would put personal data into the log."""
    assert SECRET not in str(caught(error))


@given(st.text("abcdefgh ", min_size=12, max_size=40), st.integers(0, 3))
def test_an_error_is_told_by_its_kind_and_every_place_it_passed(words: str, depth: int) -> None:
    """File, line and function of each call, the outermost first; whatever it said is left out."""
    kind, *places = caught(LookupError(words), depth)
    assert kind == "LookupError"
    assert [place.rsplit(" ", 1)[1] for place in places] == ["caught", *["fail"] * (depth + 1)]
    assert words not in " ".join(places)


def test_an_error_that_was_never_raised_has_a_kind_and_no_place() -> None:
    """And asking for it does not fail."""
    assert where(ValueError(SECRET)) == ["ValueError"]
