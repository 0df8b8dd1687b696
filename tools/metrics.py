"""Write `docs/metrics.md`: every metric that a service shows, from the code that counts it.

`python -m tools.metrics` writes it; with `--check` it exits with 1 when what is there is something else.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

from prometheus_client.metrics import Counter, Histogram, MetricWrapperBase

from services.casework import metrics as of_casework
from services.chassis import metrics as of_all
from services.notifier import metrics as of_notifier
from services.registry import metrics as of_registry
from services.registry import reconciling
from services.translation import metrics as of_translation

PAGE: Final = Path(__file__).parent.parent / "docs" / "metrics.md"
_MARK: Final = "<!-- written by tools/metrics.py: what follows is not edited by hand -->\n"
_MODULES: Final[Mapping[str, tuple[ModuleType, ...]]] = {
    "Every service, and the provisioner": (of_all,),
    "Registry": (of_registry, reconciling),
    "Casework": (of_casework,),
    "Translation": (of_translation,),
    "Notifier": (of_notifier,),
}


def metrics_of(module: ModuleType) -> Iterator[MetricWrapperBase]:
    """Return the metrics that a module makes, in its order."""
    for value in vars(module).values():
        found = value.values() if isinstance(value, Mapping) else [value]
        # A child, as of one stage, is no metric of its own.
        yield from (one for one in found if isinstance(one, MetricWrapperBase) and not one._labelvalues)  # noqa: SLF001 - its only way to say so


def name_of(metric: MetricWrapperBase) -> str:
    """Return the name under which the metric is asked for."""
    family = next(iter(metric.describe()))
    return f"{family.name}_total" if isinstance(metric, Counter) else family.name


def generated() -> str:
    """Return the page: its hand-written beginning, then the tables."""
    beginning = PAGE.read_text().split(_MARK)[0]
    return beginning + _MARK + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for title, modules in _MODULES.items():
        yield from ("", f"## {title}", "", "| metric | type | labels | |", "|---|---|---|---|")
        for metric in (metric for module in modules for metric in metrics_of(module)):
            yield f"| {' | '.join(_row(metric))} |"


def _row(metric: MetricWrapperBase) -> tuple[str, str, str, str]:
    family = next(iter(metric.describe()))
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - its only way to say so
    buckets = f" Buckets: {_buckets(metric)}." if isinstance(metric, Histogram) else ""
    return f"`{name_of(metric)}`", family.type, labels, family.documentation + buckets


def _buckets(histogram: Histogram) -> str:
    return ", ".join(f"{bound:g}" for bound in histogram._upper_bounds[:-1])  # noqa: SLF001 - its only way to say so


def main() -> None:
    """Write the page, or check it."""
    wanted = generated()
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_text() == wanted else f"{PAGE.name} is stale: python -m tools.metrics")
    PAGE.write_text(wanted)


if __name__ == "__main__":
    main()
