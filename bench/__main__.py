"""Measure how many whole cases a second the exchange closes; beside it plain FastStream, and the limit.

They take turns on the same servers: the services as they ship, the same domain in plain FastStream, and the same
messages and writes by a C client and bulks alone. Each case is sent, accepted, answered and closed; its eight inbox
messages are translated and received. Then the two are measured at half of what each can do. Exits with 1 when the
exchange is not as fast as it must be, or anything was lost or doubled.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench import report
from bench.limit import build
from bench.plan import Load
from bench.players import onboard
from bench.profile import installed
from bench.rounds import LIMIT, VARIANTS, Round, Told, play, play_limit
from deploy.local.exchange import Exchange, exchange

console = Console(stderr=True, width=120)


def main() -> int:
    """Run the rounds; the last line of standard output is the result in JSON."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        try:
            program = build.flow(Path(folder))
        except build.CannotBuild as error:
            console.print(f"[red]{error}")
            return 1
        with exchange(Path(folder)) as running:
            rounds = list(_Turns(running, program, options).play())
    result = report.summary(rounds)
    console.print(report.table(rounds))
    console.print(f"kept in {report.write(result, rounds)}")
    for line in report.distances(result):
        console.print(line)
    wrong = report.failures(result)
    for line in wrong:
        console.print(f"[red]{line}")
    print(json.dumps(result))
    return 1 if wrong else 0


class _Turns:
    """The rounds, one after the other."""

    def __init__(self, running: Exchange, program: Path, options: argparse.Namespace) -> None:
        self._running = running
        self._program = program
        self._options = options
        self._number = 0
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn()
        self._progress = Progress(*columns, console=console)

    def play(self) -> Iterator[Round]:
        """Yield each round: in turn at full load, then at half of what each variant did."""
        report.RESULTS.mkdir(exist_ok=True)
        load, rounds = self._load(), list[Round]()
        self._running.stop(*(replica for name in VARIANTS["exchange"] for replica in self._running.of(name)))
        with self._progress:
            for _ in range(self._options.rounds):
                for variant in (*VARIANTS, LIMIT):
                    rounds.append(self._round(variant, load, rounds))
                    yield rounds[-1]
            for variant in VARIANTS:
                rate = median(one.cases_per_s for one in rounds if one.variant == variant) / 2
                yield self._round(variant, load.model_copy(update={"per_s": rate}), rounds)

    def _round(self, variant: str, load: Load, before: list[Round]) -> Round:
        self._number += 1
        what = f"{variant}, half load" if load.per_s else variant
        total = 3 * self._options.rounds + len(VARIANTS)
        task = self._progress.add_task(f"{self._number}/{total} {what}", total=load.measured, rate="")
        told = _teller(self._progress, task)
        if variant == LIMIT:
            shape = next(one.shape for one in reversed(before) if one.shape)
            played = play_limit(self._running, shape, self._program, load, told)
        else:
            played = play(self._running, variant, load, told, self._profile(variant, load))
        self._progress.update(task, completed=load.measured)
        return played

    def _profile(self, variant: str, load: Load) -> Path | None:
        """Where to keep the stacks of this round; every result has those of the exchange's last round at full load."""
        last = variant == "exchange" and not load.per_s and self._number == 3 * self._options.rounds - 2
        wanted = self._options.profile == "all" or (self._options.profile == "last" and last)
        return report.RESULTS / f"{report.STARTED}-{variant}-{self._number}" if wanted and installed() else None

    def _load(self) -> Load:
        with console.status("onboarding ten states"):
            asking, answering = onboard(self._running)
        return Load(
            asking=asking,
            answering=answering,
            in_flight=self._options.in_flight,
            cases=self._options.cases,
            warm_up=self._options.warm_up,
            measured=self._options.seconds,
            drain=30,
        )


def _teller(progress: Progress, task: TaskID) -> Told:
    def told(closed: int, seconds: float) -> None:
        progress.update(task, completed=seconds, rate=f"{closed / seconds:.1f} cases/s")

    return told


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each variant (%(default)s)")
    parser.add_argument("--cases", type=int, default=50_000, help="cases measured in a round at most (%(default)s)")
    parser.add_argument("--seconds", type=float, default=15, help="measured in a round at most (%(default)s)")
    parser.add_argument("--warm-up", type=float, default=4, help="seconds of load before measuring (%(default)s)")
    parser.add_argument("--in-flight", type=int, default=150, help="cases open at the same time (%(default)s)")
    parser.add_argument(
        "--profile", choices=("none", "last", "all"), default="last",
        help="of which rounds the services' stacks are kept: sampling costs a little (%(default)s)",
    )  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
