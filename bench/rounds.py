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

from pydantic import BaseModel

from bench.limit.flow import Limit
from bench.limit.shape import Counted, Shape
from bench.measure import Usage, programs
from bench.plan import Load
from bench.profile import profiling
from contracts.topology import VHOST
from deploy.local.exchange import Exchange, Replica

VARIANTS: Final[Mapping[str, Mapping[str, str | None]]] = {
    "exchange": {"casework": None, "translation": None, "notifier": None},
    "naive": {name: f"bench.naive_{name}" for name in ("casework", "translation", "notifier")},
}
"""What runs in place of each service that a case passes; nothing: itself. The registry is the same in both."""
UNSEEN: Final = "unseen"
"""The exchange without metrics, logs and traces, for `bench.seen` alone."""
LIMIT: Final = "limit"
"""The third variant: no service at all, the same messages and writes."""

Told = Callable[[int, float], None]
"""Called with the cases closed and the seconds passed since the measuring began."""


@dataclass(frozen=True)
class Round:
    """What one variant did in one round. The limit has no outcomes: nobody waits for one."""

    variant: str
    closed: int
    seconds: float
    cpu_ms_per_case: Mapping[str, float]
    rss_mb: Mapping[str, float]
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    begun: int = 0
    lost: int = 0
    doubled: int = 0
    repeated: int = 0
    per_s: float | None = None
    """Cases begun a second, where the load was no more than that."""
    shape: Shape | None = None
    """What its cases came to in messages and writes."""

    @property
    def cases_per_s(self) -> float:
        """Whole cases."""
        return self.closed / self.seconds


def play(exchange: Exchange, variant: str, load: Load, told: Told, profile: Path | None = None) -> Round:
    """Run one round, with its services' stacks written to files that begin with `profile`.

    Raises RuntimeError when the load breaks off, as when a command is refused.
    """
    with services(exchange, variant), _running("bench.load", load, load.deadline) as process, ExitStack() as stack:

        def begin(pids: Mapping[str, int]) -> None:
            if profile:
                stack.enter_context(profiling(pids, load.measured, profile))

        watch = _Watch(exchange, process)
        result = watch.follow(told, begin, stack.close)
        commands, closed = result.pop("commands"), result["closed"]
        shape = watch.shape(closed, commands) if variant == "exchange" and closed else None
        used: Any = watch.used(closed)
        return Round(variant=variant, per_s=load.per_s, shape=shape, **used, **result)


def play_limit(exchange: Exchange, shape: Shape, program: Path, load: Load, told: Told) -> Round:
    """Run one round of as many messages and writes as `shape` says, by the C client `program`."""
    addresses = exchange.addresses
    broker, database = addresses.rabbit_admin, addresses.mongo_admin
    limit = Limit(
        program=str(program),
        amqp_url=addresses.amqp_url(broker.name, broker.password, VHOST),
        mongo_url=addresses.mongo_url(database.name, database.password),
        shape=shape,
        in_flight=load.in_flight,
        warm_up=load.warm_up,
        measured=load.measured,
    )
    with _running("bench.limit.flow", limit, load.deadline) as process:
        watch = _Watch(exchange, process)
        result = watch.follow(told)
        used: Any = watch.used(result["closed"])
        return Round(variant=LIMIT, shape=shape, **used, **result)


class _Watch:
    """What the processes use while it is measured, and what they publish and write."""

    def __init__(self, exchange: Exchange, process: subprocess.Popen[str]) -> None:
        self._exchange = exchange
        self._process = process
        self._before = self._after = Usage({}, {})
        self._counted = self._counted_after = Counted()

    def follow(
        self,
        told: Told,
        begin: Callable[[Mapping[str, int]], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> dict[str, Any]:
        """Return the result that the process tells of last. Raises RuntimeError when it tells of none."""
        pids: dict[str, int] = {}
        for event in _events(self._process):
            match event.pop("event"):
                case "begin":
                    pids = programs() | {"load": self._process.pid}
                    self._counted, self._before = Counted.now(self._exchange), Usage.now(pids)
                    if begin:
                        begin(pids)
                case "progress":
                    told(event["closed"], event["seconds"])
                case "end":
                    self._after, self._counted_after = Usage.now(pids), Counted.now(self._exchange)
                    if end:
                        end()
                case "result":
                    return event
        raise RuntimeError(f"the load broke off; see the logs in {self._exchange.folder / 'logs'}")

    def used(self, cases: int) -> dict[str, dict[str, float]]:
        """Return milliseconds of processor for each case, and megabytes, by process."""
        rss = {name: round(size / 2**20, 1) for name, size in self._after.rss.items()}
        return {"cpu_ms_per_case": self._after.cpu_ms_per(self._before, cases), "rss_mb": rss}

    def shape(self, cases: int, commands: tuple[int, int]) -> Shape:
        """Return what each of so many cases came to."""
        return self._counted_after.shape(self._counted, cases, commands, self._exchange)


@contextmanager
def services(exchange: Exchange, variant: str = "exchange") -> Iterator[None]:
    """Have the services of a variant that a case passes running, one process of each."""
    started: list[Replica] = []
    try:
        started += [exchange.start(service, module) for service, module in _modules(variant).items()]
        exchange.wait_until_ready()
        yield
    finally:
        exchange.stop(*started)


def _modules(variant: str) -> Mapping[str, str | None]:
    if variant == UNSEEN:
        return {service: f"bench.unseen.{service}" for service in VARIANTS["exchange"]}
    return VARIANTS[variant]


@contextmanager
def _running(module: str, wanted: BaseModel, deadline: float) -> Iterator[subprocess.Popen[str]]:
    """Have a process running that does what is wanted; it ends by itself, else it is killed soon after its deadline."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        late = threading.Timer(deadline + 15, process.kill)
        late.start()
        try:
            assert process.stdin
            process.stdin.write(wanted.model_dump_json())
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
