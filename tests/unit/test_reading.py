"""What parts of the exchange write for each other is read while the other side is newer."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from contracts import dates, directory, own, translation
from contracts.types import Message, read
from tests.attack.shapes import valid_bodies

INSIDE: list[type[Message]] = [*dates.EVENTS, *directory.EVENTS, *translation.EVENTS, *own.OWN]


def grown(value: Any) -> Any:
    """What a newer service would write: in every part of a message a field that nobody knows yet."""
    if isinstance(value, BaseModel):
        fields = {name: grown(getattr(value, name)) for name in value.model_fields_set}
        return fields | {"not-known-yet": {"x": 1}}
    if isinstance(value, dict):
        return {key: grown(one) for key, one in value.items()}
    return [grown(one) for one in value] if isinstance(value, tuple) else to_jsonable_python(value)


@pytest.mark.parametrize("kind", INSIDE, ids=[kind.TYPE for kind in INSIDE])
def test_fields_that_a_newer_service_adds_are_passed_over(kind: type[Message]) -> None:
    """However deep they are; what is known is read as it always was."""

    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(valid_bodies(kind))
    def reads(body: dict[str, Any]) -> None:
        message = kind.model_validate_json(json.dumps(body))
        assert read(kind, json.dumps(grown(message)).encode()) == message

    reads()


def test_what_a_connected_system_sends_is_not_read_so() -> None:
    """A typing error of its own is told and not dropped."""
    with pytest.raises(ValidationError):
        translation.ShowForm.model_validate_json(b'{"area": "x", "language": "en", "langage": "de"}')
