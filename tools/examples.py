"""The messages in `docs/examples`: one file each, as it stands on the wire, with the system that sends or reads it.

`walk/` holds, in order, what is sent and read from the first appointment to a closed case: `tools.walk` has it
happen on a real exchange. `onboarding/` holds the commands by which coordinators keep their state in order, `operator/`
those that publish legislation, `internal/` what services say to each other.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contracts.catalogue import COMMANDS

FOLDER: Final = Path(__file__).parent.parent / "docs" / "examples"
WIDTH: Final = 110


@dataclass(frozen=True)
class Example:
    """One message."""

    path: Path
    system: str
    properties: dict[str, Any]
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """Its folder and file name: what a document names it by."""
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def type(self) -> str:
        """The AMQP `type`."""
        return str(self.properties["type"])

    @property
    def is_command(self) -> bool:
        """Whether `system` sends it; else it reads it."""
        return self.type in COMMANDS

    def text(self) -> str:
        """Return the content of its file."""
        content = {"system": self.system, "properties": self.properties, "body": self.body}
        return compact(content) + "\n"


def read(path: Path) -> Example:
    """Return what the file holds."""
    return Example(path, **json.loads(path.read_text()))


def walk() -> list[Example]:
    """Return the messages of the walk, in order."""
    return [read(path) for path in sorted((FOLDER / "walk").glob("*.json"))]


def of_type(kind: str) -> Iterator[Example]:
    """Return all examples of one type, in the order of their files."""
    return (example for path in sorted(FOLDER.glob("*/*.json")) if (example := read(path)).type == kind)


def compact(value: Any, indent: int = 0) -> str:
    """Return `value` as JSON in which everything that fits stands on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= WIDTH or not isinstance(value, dict | list):
        return line
    inner, outer = "\n" + " " * (indent + 2), "\n" + " " * indent
    if isinstance(value, list):
        return "[" + ",".join(inner + compact(one, indent + 2) for one in value) + outer + "]"
    parts = (f"{json.dumps(key)}: {compact(one, indent + 2)}" for key, one in value.items())
    return "{" + ",".join(inner + part for part in parts) + outer + "}"
