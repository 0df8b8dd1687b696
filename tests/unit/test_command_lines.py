"""What all commands of `imi` have in common."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from client.cli import app

WITHOUT_JSON = {
    "send": "prints the outcome as JSON anyway",
    "inbox": "prints lines of JSON anyway",
    "topology definitions": "prints what a broker imports, which is JSON",
}


def commands(command: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Every command, with its options."""
    for part, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*name, part))
    if not hasattr(command, "commands"):
        yield " ".join(name), {option for one in command.params for option in one.opts}


EVERY = dict(commands(get_command(app)))
CHANGING = (
    "restore",
    "reopen",
    "parked replay",
    "parked discard",
    "journal replay",
    "readmodels rebuild",
    "cases republish",
    "topology apply",
)


@pytest.mark.parametrize("name", EVERY)
def test_every_command_speaks_to_programs(name: str) -> None:
    """With --json; what has none is JSON by itself, or says why not."""
    assert ("--json" in EVERY[name]) != (name in WITHOUT_JSON)


@pytest.mark.parametrize("name", CHANGING)
def test_what_repairs_changes_nothing_without_yes(name: str) -> None:
    """What it would do is said first."""
    assert "--yes" in EVERY[name]
