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

from bench.rounds import LIMIT, VARIANTS, Round
from deploy.local.rabbitmq import version
from deploy.local.supply import Supply, supply

RESULTS: Final = Path(__file__).parent / "results"
STARTED: Final = f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
"""By which the files of this run are called."""
MUST: Final[Mapping[str, float]] = {"vs_naive": 3.0, "vs_limit": 0.18}
"""How many times the naive services' cases ours must close, and which part of the limit."""
AIM: Final[Mapping[str, float]] = {"vs_naive": 4.0, "vs_limit": 0.25}
AIM_MS: Final[Mapping[str, float]] = {"half_load_p50_ms": 25.0, "half_load_p99_ms": 80.0}

GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "services": (*VARIANTS["exchange"], "registry", "provisioner"),
    "broker": ("rabbitmq",),
    "mongod": ("mongodb",),
    "load": ("load", "flow"),
}


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return the medians of each variant, and what was lost or doubled in any round."""
    ours, naive, limit = (_full(rounds, variant) for variant in (*VARIANTS, LIMIT))
    rate, naive_rate, limit_rate = (_median(many, "cases_per_s") for many in (ours, naive, limit))
    half, naive_half = ([one for one in rounds if one.variant == name and one.per_s] for name in VARIANTS)
    shape = next((one.shape for one in reversed(ours) if one.shape), None)
    return {
        "cases_per_s": round(rate, 1),
        "naive_cases_per_s": round(naive_rate, 1),
        "limit_cases_per_s": round(limit_rate, 1),
        "vs_naive": round(rate / naive_rate, 2) if naive_rate else 0.0,
        "vs_limit": round(rate / limit_rate, 3) if limit_rate else 0.0,
        **_latencies("", ours),
        **_latencies("half_load_", half),
        **_latencies("naive_", naive),
        **_latencies("naive_half_load_", naive_half),
        "cpu_ms_per_case": _medians([one.cpu_ms_per_case for one in ours]),
        "naive_cpu_ms_per_case": _medians([one.cpu_ms_per_case for one in naive]),
        "limit_cpu_ms_per_case": _medians([one.cpu_ms_per_case for one in limit]),
        "case": shape.model_dump() if shape else None,
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
    wrong = [f"{what} is {result[what]}, and must be {least}" for what, least in MUST.items() if result[what] < least]
    wrong += [f"{result[what]} messages {what}" for what in ("lost", "doubled") if result[what]]
    return wrong


def distances(result: Mapping[str, Any]) -> list[str]:
    """Return in words how far everything is from the aim."""
    shown = [f"{what}: {result[what]}, the aim is {aim}: {result[what] / aim:.0%}" for what, aim in AIM.items()]
    return shown + [f"{what}: {result[what]}, the aim is under {aim}" for what, aim in AIM_MS.items()]


def table(rounds: Sequence[Round]) -> Table:
    """Return every round as a row."""
    shown = Table("round", "cases/s", "p50 ms", "p99 ms", "lost", "twice", *GROUPS, box=SIMPLE)
    for one in rounds:
        used = [f"{sum(one.cpu_ms_per_case.get(name, 0) for name in names):.2f}" for names in GROUPS.values()]
        numbers = f"{one.cases_per_s:.1f}", f"{one.p50_ms:.0f}", f"{one.p99_ms:.0f}", str(one.lost), str(one.doubled)
        shown.add_row(f"{one.variant}, half load" if one.per_s else one.variant, *numbers, *used)
    shown.caption = "on the right: milliseconds of processor for each case"
    return shown


def write(result: Mapping[str, Any], rounds: Sequence[Round]) -> Path:
    """Keep the result with its rounds in a file that is named after the moment at which the run began."""
    path = RESULTS / f"{STARTED}.json"
    by_round = [{**vars(one), "shape": one.shape.model_dump() if one.shape else None} for one in rounds]
    path.write_text(json.dumps({**result, "by_round": by_round}, indent=2) + "\n")
    return path


def machine() -> str:
    """Return what this ran on."""
    model = next((line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), "processor")
    ours = [f"RabbitMQ {version()}"] if supply() is Supply.PROGRAMS else []
    system = f"{platform.system()} {platform.release()}"
    return ", ".join([f"{os.cpu_count()} x {model}", system, f"Python {platform.python_version()}", *ours])


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _medians(many: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = sorted({name for one in many for name in one})
    return {name: round(median(one[name] for one in many if name in one), 3) for name in names}


def _full(rounds: Sequence[Round], variant: str) -> list[Round]:
    return [one for one in rounds if one.variant == variant and not one.per_s]


def _median(many: Sequence[Round], what: str) -> float:
    return median(getattr(one, what) for one in many) if many else 0.0


def _latencies(prefix: str, many: Sequence[Round]) -> dict[str, float]:
    return {f"{prefix}{what}": round(_median(many, what), 1) for what in ("p50_ms", "p99_ms")}
