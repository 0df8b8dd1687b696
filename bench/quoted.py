"""A result as the README quotes it: `python -m bench.quoted [FILE]`, of the newest where none is named."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.report import GROUPS, RESULTS

_ROWS: Final = (
    ("", "the services as they ship"),
    ("naive_", "plain FastStream, neither encrypting nor chaining"),
    ("limit_", "the limit: the same messages and writes, by a C client and bulks alone"),
)
_HEAD: Final = (
    "",
    "cases/s",
    "command to outcome, p50 / p99",
    "at half load",
    "CPU per case: services / broker / database / load",
)


def quoted(result: Mapping[str, Any]) -> str:
    """Return the table and the sentence below it, in Markdown."""
    lines = [_line(_HEAD), "|" + "---|" * len(_HEAD)]
    lines += [_line((name, *_figures(result, prefix))) for prefix, name in _ROWS]
    times = f"{result['vs_naive']} times as many as plain FastStream, {result['vs_limit']:.0%} of the limit"
    lost = f"{result['lost']} lost, {result['doubled']} doubled"
    return "\n".join([*lines, "", f"{times}; {lost} in {result['rounds']} rounds of each. {result['machine']}."])


def _figures(result: Mapping[str, Any], prefix: str) -> Iterable[str]:
    yield f"{result[f'{prefix}cases_per_s']:,}"
    for load in ("", "half_load_"):
        p50, p99 = (result.get(f"{prefix}{load}{what}") for what in ("p50_ms", "p99_ms"))
        yield f"{p50:,.0f} / {p99:,.0f} ms" if p50 and p99 else "-"
    used = result[f"{prefix}cpu_ms_per_case"]
    parts = (sum(used.get(name, 0) for name in GROUPS[group]) for group in ("services", "broker", "mongod", "load"))
    yield " / ".join(f"{part:.1f}" for part in parts) + " ms"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print it."""
    named = [Path(name) for name in sys.argv[1:]] or sorted(RESULTS.glob("*.json"))[-1:]
    for path in named:
        print(quoted(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
