"""A list of cases is asked for by whoever likes: each page is found, or refused, and never given up on."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.casework import ListCases, RepublishCases, RunRetention
from contracts.types import Message
from services.casework.questions import BadCursor, _conditions, _cursor
from tests.unit.samples import CASE, HANDLER, NOW, SENDER

UTMOST = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
"""Moments that there are over there, and not in UTC: before its first year, and after its last."""


def listed(**asked: Any) -> Mapping[str, Any]:
    """The conditions of a list as they go to the database."""
    body = {"authority": SENDER, "user": HANDLER.model_dump(), **asked}
    conditions = _conditions(ListCases.model_validate_json(json.dumps(body)))
    return bson.decode(bson.encode(conditions))


def packed(place: Any) -> str:
    """Anything packed as a cursor is."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


@pytest.mark.parametrize("moment", UTMOST)
@pytest.mark.parametrize(
    ("kind", "field", "body"),
    [
        (ListCases, "changed_from", {"authority": SENDER, "user": HANDLER.model_dump()}),
        (ListCases, "changed_before", {"authority": SENDER, "user": HANDLER.model_dump()}),
        (RepublishCases, "since", {}),
        (RunRetention, "at", {}),
    ],
    ids=["changed_from", "changed_before", "since", "at"],
)
def test_a_moment_that_utc_does_not_have_is_refused_by_its_form(
    moment: str, kind: type[Message], field: str, body: dict[str, Any]
) -> None:
    """The database keeps moments in UTC: what it could not even be asked for does not come so far."""
    with pytest.raises(ValidationError) as wrong:
        kind.model_validate_json(json.dumps({**body, field: moment}))
    assert [error["loc"] for error in wrong.value.errors()] == [(field,)]


@given(st.datetimes(), st.sampled_from(["", "Z", "+14:00", "-12:00", "+00:01"]))
def test_any_other_moment_can_be_asked_for(moment: Any, zone: str) -> None:
    """From the first year to the last; without a zone it is UTC's."""
    try:
        asked = listed(changed_from=f"{moment.isoformat()}{zone}")
    except ValidationError:
        assert moment.year in (1, 9999)
    else:
        assert asked["changed_at"].keys() == {"$gte"}


HOSTILE: dict[str, Any] = {
    "a moment before all": [True, UTMOST[0], CASE],
    "a moment after all": [False, UTMOST[1], CASE],
    "half a letter": [True, NOW.at.isoformat(), "\ud800"],
    "a number that is none": [True, NOW.at.isoformat(), "x" * 60],
    "a map for a number": [True, NOW.at.isoformat(), {"$gt": ""}],
    "a moment that is none": [True, "yesterday", CASE],
    "one part too few": [True, NOW.at.isoformat()],
    "no list": 7,
}


@pytest.mark.parametrize("place", HOSTILE.values(), ids=HOSTILE)
def test_a_cursor_that_nobody_was_given_is_refused(place: Any) -> None:
    """Whatever is packed in it."""
    with pytest.raises(BadCursor):
        listed(after=packed(place))


@given(st.from_regex(r"[A-Za-z0-9_-]{1,200}", fullmatch=True))
def test_any_words_are_a_cursor_or_none(words: str) -> None:
    """Refused as a cursor, or asked for."""
    try:
        listed(after=words)
    except BadCursor:
        return


@pytest.mark.parametrize("number", [CASE, f"{CASE}.12"])
def test_a_page_goes_on_where_the_last_one_ended(number: str) -> None:
    """By the cursor that came with it."""
    asked = listed(after=_cursor({"open": False, "changed_at": NOW.at, "_id": number}))
    place = NOW.at.replace(tzinfo=None)  # as the database tells it
    below: list[Mapping[str, Any]] = [{"changed_at": {"$lt": place}}, {"changed_at": place, "_id": {"$lt": number}}]
    assert asked["$and"] == [{"$or": [{"open": False, **one} for one in below]}]
