"""What it costs to see everything: a case's CPU with metrics, logs and traces, and without any of them.

The services as they ship, with their share of traces sent to a collector, take turns with the same services blind,
under the load of `make bench`. What is between them is less than what the same services differ by from run to run on a
busy machine; so each part's own cost is timed in one process, too, with memory instead of broker and database: there a
message costs less than a real one, and the share that is found is more than the real one (see `bench.observed`).

The last line is JSON; exits with 1 when that share is a tenth or more.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console

from bench.observed import measured
from bench.plan import Load
from bench.players import onboard
from bench.rounds import UNSEEN, VARIANTS, play
from deploy.local.exchange import Exchange, exchange

GOAL: Final = 0.1
SERVICES: Final = tuple(VARIANTS["exchange"])
console = Console(stderr=True, width=120)


class Collector(BaseHTTPRequestHandler):
    """Takes traces and forgets them."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take some."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> int:
    """Run the rounds; the last line of standard output is the result in JSON."""
    options = _options()
    with collector() as endpoint, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings = {service: {"IMI_OTLP_ENDPOINT": endpoint} for service in SERVICES}
        with exchange(Path(folder), settings) as running:
            took = _rounds(running, options)
    ms = {variant: median(some) for variant, some in took.items()}
    per_case = {"seen": round(ms["exchange"], 2), "unseen": round(ms[UNSEEN], 2)}
    result: dict[str, Any] = {**asyncio.run(measured()), "services_cpu_ms_per_case": per_case}
    print(json.dumps(result))
    return 0 if result["share"] < GOAL else 1


def _rounds(running: Exchange, options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the milliseconds that the three services took together for a case, in each round."""
    asking, answering = onboard(running)
    load = Load(
        asking=asking,
        answering=answering,
        in_flight=options.in_flight,
        cases=50_000,
        warm_up=4,
        measured=options.seconds,
        drain=30,
    )
    running.stop(*(replica for name in SERVICES for replica in running.of(name)))
    took: dict[str, list[float]] = {"exchange": [], UNSEEN: []}
    for _ in range(options.rounds):
        for variant, some in took.items():
            used = play(running, variant, load, lambda *_: None).cpu_ms_per_case
            some.append(sum(used[service] for service in SERVICES))
            console.print(f"{variant}: {some[-1]:.2f} ms a case")
    return took


@contextmanager
def collector() -> Iterator[str]:
    """Have traces taken on loopback; gives the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.seen", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each (%(default)s)")
    parser.add_argument("--seconds", type=float, default=8, help="measured in a round (%(default)s)")
    parser.add_argument("--in-flight", type=int, default=50, help="cases open at the same time (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
