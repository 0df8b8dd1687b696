"""What the rounds came to: a table for people, a file to compare with, one line for programs."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.box import SIMPLE
from rich.table import Table

from bench.rounds import VARIANTS, Round

RESULTS: Final = Path(__file__).parent / "results"
AT_LEAST: Final = 2.0
"""How many times the naive services' cases ours must close."""

_GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "Python": (*VARIANTS["exchange"], "registry", "provisioner"),
    "broker": ("rabbitmq",),
    "mongod": ("mongodb",),
    "load": ("load",),
}


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return the medians of each variant, and what was lost or doubled in any round."""
    ours, naive = ([one for one in rounds if one.variant == variant] for variant in VARIANTS)
    rate, naive_rate = (median(one.cases_per_s for one in many) for many in (ours, naive))
    return {
        "cases_per_s": round(rate, 1),
        "naive_cases_per_s": round(naive_rate, 1),
        "vs_naive": round(rate / naive_rate, 2) if naive_rate else 0.0,
        "p50_ms": round(median(one.p50_ms for one in ours), 1),
        "p99_ms": round(median(one.p99_ms for one in ours), 1),
        "naive_p50_ms": round(median(one.p50_ms for one in naive), 1),
        "naive_p99_ms": round(median(one.p99_ms for one in naive), 1),
        "cpu_ms_per_case": _medians([one.cpu_ms_per_case for one in ours]),
        "naive_cpu_ms_per_case": _medians([one.cpu_ms_per_case for one in naive]),
        "lost": sum(one.lost for one in rounds),
        "doubled": sum(one.doubled for one in rounds),
        "repeated": sum(one.repeated for one in rounds),
        "rss_mb": _medians([one.rss_mb for one in ours]),
        "naive_rss_mb": _medians([one.rss_mb for one in naive]),
        "rounds": len(ours),
        "machine": machine(),
    }


def failures(result: Mapping[str, Any]) -> list[str]:
    """Return in words what is not as it must be."""
    wrong = []
    if result["vs_naive"] < AT_LEAST:
        wrong.append(f"{result['vs_naive']} times the naive services' cases, not {AT_LEAST}")
    wrong += [f"{result[what]} messages {what}" for what in ("lost", "doubled") if result[what]]
    return wrong


def table(rounds: Sequence[Round]) -> Table:
    """Return every round as a row."""
    shown = Table("round", "cases/s", "p50 ms", "p99 ms", "lost", "twice", *_GROUPS, box=SIMPLE)
    for one in rounds:
        used = [f"{sum(one.cpu_ms_per_case.get(name, 0) for name in names):.2f}" for names in _GROUPS.values()]
        numbers = f"{one.cases_per_s:.1f}", f"{one.p50_ms:.0f}", f"{one.p99_ms:.0f}", str(one.lost), str(one.doubled)
        shown.add_row(one.variant, *numbers, *used)
    shown.caption = "on the right: milliseconds of processor for each case"
    return shown


def write(result: Mapping[str, Any], rounds: Sequence[Round]) -> Path:
    """Keep the result with its rounds in a file that is named after the moment."""
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps({**result, "by_round": [vars(one) for one in rounds]}, indent=2) + "\n")
    return path


def machine() -> str:
    """Return what this ran on."""
    model = next((line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), "processor")
    return f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _medians(many: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = sorted({name for one in many for name in one})
    return {name: round(median(one[name] for one in many if name in one), 3) for name in names}
