"""What is wrong with a command is told by the first of it; however many there are, few are noted."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.catalogue import COMMANDS
from contracts.types import Message
from services.chassis.intake import Faulty, Intake
from tests.attack.rights import example
from tests.unit.deliveries import SYSTEM, delivered

MANY, FEW = 500, 60
HOSTILE: dict[str, Any] = {
    "a list of nothing": [None] * MANY,
    "a list of numbers": [1] * MANY,
    "a list of objects": [{}] * MANY,
    "a list of lists": [[]] * MANY,
    "a map of objects": {f"a{number}": {} for number in range(MANY)},
    "a map of lists": {f"a{number}": [[]] for number in range(MANY)},
}
COLLECTIONS = {"array", "object"}


def faults(kind: type[Message], body: dict[str, Any]) -> int:
    """How many are noted."""
    try:
        kind.model_validate_json(json.dumps(body))
    except ValidationError as error:
        return error.error_count()
    return 0


@pytest.mark.parametrize("kind", COMMANDS.values(), ids=list(COMMANDS))
def test_a_list_or_map_of_faults_ends_at_its_first(kind: type[Message]) -> None:
    """In every field of every command. Where a map should be a part with fields of its own, each name is a fault."""
    for field in kind.model_fields:
        for name, hostile in HOSTILE.items():
            noted = faults(kind, {field: hostile})
            assert noted < FEW or (noted < MANY + FEW and name.startswith("a map")), (field, name)


@pytest.mark.parametrize("count", [1, 2, MANY])
def test_the_first_fault_is_the_one_that_is_told(count: int) -> None:
    """However many come after it: their names in the order of the body, the path to what is wrong in a list."""
    intake = Intake(COMMANDS.values(), 10_000_000)
    unknown = {f"k{number}": 1 for number in range(count)}
    faulty = intake.check(f"registry.commands.{SYSTEM}", delivered(json.dumps(unknown).encode()))
    assert isinstance(faulty, Faulty)
    assert (faulty.code, faulty.field) == ("wrong-shape", "k0")
    kind = COMMANDS["casework.send_request.v1"]
    body = {**example(kind), "questions": ["a-question", *[1] * count]}
    message = delivered(json.dumps(body).encode(), message_type=kind.TYPE, routing_key=kind.TYPE)
    faulty = intake.check(f"casework.commands.{SYSTEM}", message)
    assert isinstance(faulty, Faulty)
    assert (faulty.code, faulty.field) == ("wrong-shape", "questions.1")
