"""Write what others are told of our messages: AsyncAPI documents, JSON Schemas, parts of `docs/connecting.md`.

All of it follows from `contracts` and `docs/examples`. `python -m tools.asyncapi` writes it; with `--check` it exits
with 1 when what is there is not what would be written.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.catalogue import COMMANDS, INBOX
from tools import connecting, exchange_document, internal_document, schemas
from tools.examples import of_type

DOCS: Final = Path(__file__).parent.parent / "docs"
FOLDER: Final = DOCS / "asyncapi"


class _Plain(yaml.SafeDumper):
    """Writes everything out where it stands: no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as PyYAML names it
        return True


def generated() -> dict[Path, str]:
    """Return the content of every generated file."""
    pages = [DOCS / name for name in ("connecting.md", "onboarding.md", "cases.md")]
    return {
        FOLDER / "exchange.yaml": _yaml(exchange_document.document()),
        FOLDER / "internal.yaml": _yaml(internal_document.document()),
        **{FOLDER / "schemas" / f"{kind}.json": text for kind, text in _schemas().items()},
        **{page: connecting.filled(page.read_text()) for page in pages},
    }


def stale(wanted: Mapping[Path, str]) -> list[Path]:
    """Return the files that are missing, differ, or should not be there."""
    there = {path for path in FOLDER.rglob("*") if path.is_file()}
    differ = {path for path, text in wanted.items() if not path.exists() or path.read_text() != text}
    return sorted(differ | (there - wanted.keys()))


def write(wanted: Mapping[Path, str]) -> None:
    """Make the files what they should be."""
    for path in stale(wanted):
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
        else:
            path.unlink()


def _schemas() -> dict[str, str]:
    made = {}
    for kind, model in {**COMMANDS, **INBOX}.items():
        bodies = [example.body for example in of_type(kind)]
        schema = schemas.standalone(model, bodies, closed=kind in COMMANDS)
        made[kind] = json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
    return made


def _yaml(document: schemas.Json) -> str:
    head = "# Made by `python -m tools.asyncapi`.\n"
    return head + yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)


def main(arguments: list[str]) -> int:
    """Write, or check; return the exit status."""
    wanted = generated()
    if "--check" not in arguments:
        write(wanted)
        return 0
    differing = stale(wanted)
    for path in differing:
        print(f"{path.relative_to(DOCS.parent)} is not current: run `python -m tools.asyncapi`", file=sys.stderr)
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
