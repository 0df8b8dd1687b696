"""One round: the services of one variant started, loaded, measured, stopped."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.measure import Usage, programs
from bench.plan import Load
from bench.profile import profiling
from deploy.local.exchange import Exchange, Replica

VARIANTS: Final[Mapping[str, Mapping[str, str | None]]] = {
    "exchange": {"casework": None, "translation": None, "notifier": None},
    "naive": {name: f"bench.naive_{name}" for name in ("casework", "translation", "notifier")},
}
"""What runs in place of each service that a case passes; nothing: itself. The registry is the same in both."""

Told = Callable[[int, float], None]
"""Called with the cases closed and the seconds passed since the measuring began."""


@dataclass(frozen=True)
class Round:
    """What one variant did in one round."""

    variant: str
    closed: int
    seconds: float
    p50_ms: float
    p99_ms: float
    begun: int
    lost: int
    doubled: int
    repeated: int
    cpu_ms_per_case: Mapping[str, float]
    rss_mb: Mapping[str, float]

    @property
    def cases_per_s(self) -> float:
        """Whole cases."""
        return self.closed / self.seconds


def play(exchange: Exchange, variant: str, load: Load, told: Told, profile: Path | None = None) -> Round:
    """Run one round, with its services' stacks written to files that begin with `profile`.

    Raises RuntimeError when the load breaks off, as when a command is refused.
    """
    with _services(exchange, variant), _loading(load) as process, ExitStack() as stack:
        watch = _Watch(programs() | {"load": process.pid})
        for event in _events(process):
            match event.pop("event"):
                case "begin":
                    watch.begin()
                    if profile:
                        stack.enter_context(profiling(watch.pids, load.measured, profile))
                case "progress":
                    told(event["closed"], event["seconds"])
                case "end":
                    watch.end()
                    stack.close()
                case "result":
                    cpu, rss = watch.used(event["closed"])
                    return Round(variant=variant, cpu_ms_per_case=cpu, rss_mb=rss, **event)
    raise RuntimeError(f"{variant}: the load broke off; see the logs in {exchange.folder / 'logs'}")


class _Watch:
    """What the processes use while it is measured."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self.pids = pids
        self._before = self._after = Usage.now(pids)

    def begin(self) -> None:
        self._before = Usage.now(self.pids)

    def end(self) -> None:
        self._after = Usage.now(self.pids)

    def used(self, cases: int) -> tuple[dict[str, float], dict[str, float]]:
        """Return milliseconds of processor for each case, and megabytes, by process."""
        rss = {name: round(size / 2**20, 1) for name, size in self._after.rss.items()}
        return self._after.cpu_ms_per(self._before, cases), rss


@contextmanager
def _services(exchange: Exchange, variant: str) -> Iterator[None]:
    started: list[Replica] = []
    try:
        started += [exchange.start(service, module) for service, module in VARIANTS[variant].items()]
        exchange.wait_until_ready()
        yield
    finally:
        exchange.stop(*started)


@contextmanager
def _loading(load: Load) -> Iterator[subprocess.Popen[str]]:
    """Have the load's process running; it ends by itself at its deadline, else it is killed soon after."""
    command = [sys.executable, "-m", "bench.load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        late = threading.Timer(load.deadline + 15, process.kill)
        late.start()
        try:
            assert process.stdin
            process.stdin.write(load.model_dump_json())
            process.stdin.close()
            yield process
            process.wait(10)
        finally:
            late.cancel()
            process.kill()


def _events(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout
    for line in process.stdout:
        yield json.loads(line)
