"""Write the rules of `deploy/prometheus` as one object of Prometheus' operator, for Kubernetes: it takes no files.

`python -m tools.rules` writes it; with `--check` it exits with 1 when what is there is something else.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

DEPLOY: Final = Path(__file__).parent.parent / "deploy"
PLACE: Final = DEPLOY / "kubernetes" / "components" / "monitoring" / "rules.yaml"
SOURCES: Final = ("rules", "kubernetes")
"""What is true of every exchange, and what Kubernetes alone can tell."""
_HEAD: Final = "# Written by `make docs` from deploy/prometheus.\n"


class _Dumper(yaml.SafeDumper):
    """Writes a query of several lines as such, as its source does."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def generated() -> str:
    """Return what the file holds."""
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "exchange"},
        "spec": {"groups": list(_groups())},
    }
    return _HEAD + yaml.dump(rule, Dumper=_Dumper, sort_keys=False, width=1000)


def _groups() -> Iterator[dict[str, Any]]:
    for folder in SOURCES:
        for path in sorted((DEPLOY / "prometheus" / folder).glob("*.yml")):
            yield from yaml.safe_load(path.read_text())["groups"]


def main() -> None:
    """Write the file, or check it."""
    wanted = generated()
    if "--check" in sys.argv[1:]:
        sys.exit(
            0 if PLACE.exists() and PLACE.read_text() == wanted else f"{PLACE.name} is stale: python -m tools.rules"
        )
    PLACE.write_text(wanted)


if __name__ == "__main__":
    main()
