"""Measure how many whole cases a second the exchange closes, and the same domain in plain FastStream beside it.

Both take turns on the same servers. Each case is sent, accepted, answered and closed; its eight inbox messages are
translated and received. Exits with 1 when the exchange is not fast enough, or anything was lost or doubled.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench import report
from bench.plan import Load
from bench.players import onboard
from bench.profile import installed
from bench.rounds import VARIANTS, Round, Told, play
from deploy.local.exchange import Exchange, exchange

console = Console(stderr=True)


def main() -> int:
    """Run the rounds; the last line of standard output is the result in JSON."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, exchange(Path(folder)) as running:
        rounds = _rounds(running, options)
    result = report.summary(rounds)
    console.print(report.table(rounds))
    console.print(f"kept in {report.write(result, rounds)}")
    wrong = report.failures(result)
    for line in wrong:
        console.print(f"[red]{line}")
    print(json.dumps(result))
    return 1 if wrong else 0


def _rounds(running: Exchange, options: argparse.Namespace) -> list[Round]:
    report.RESULTS.mkdir(exist_ok=True)
    load = _load(running, options)
    running.stop(*(replica for name in VARIANTS["exchange"] for replica in running.of(name)))
    variants = [variant for _ in range(options.rounds) for variant in VARIANTS]
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn()
    rounds = []
    with Progress(*columns, console=console) as progress:
        for number, variant in enumerate(variants):
            task = progress.add_task(f"{number + 1}/{len(variants)} {variant}", total=options.seconds, rate="")
            profile = report.RESULTS / f"{variant}-{number}" if options.profile else None
            rounds.append(play(running, variant, load, _teller(progress, task), profile))
            progress.update(task, completed=options.seconds)
    return rounds


def _teller(progress: Progress, task: TaskID) -> Told:
    def told(closed: int, seconds: float) -> None:
        progress.update(task, completed=seconds, rate=f"{closed / seconds:.1f} cases/s")

    return told


def _load(running: Exchange, options: argparse.Namespace) -> Load:
    with console.status("onboarding ten states"):
        asking, answering = onboard(running)
    return Load(
        asking=asking,
        answering=answering,
        in_flight=options.in_flight,
        cases=options.cases,
        warm_up=options.warm_up,
        measured=options.seconds,
        drain=30,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each variant (%(default)s)")
    parser.add_argument("--cases", type=int, default=5000, help="cases measured in a round at most (%(default)s)")
    parser.add_argument("--seconds", type=float, default=15, help="measured in a round at most (%(default)s)")
    parser.add_argument("--warm-up", type=float, default=4, help="seconds of load before measuring (%(default)s)")
    parser.add_argument("--in-flight", type=int, default=150, help="cases open at the same time (%(default)s)")
    parser.add_argument("--profile", action="store_true", help="keep the services' stacks, if py-spy is on the PATH")
    options = parser.parse_args()
    options.profile = options.profile and installed()
    return options


if __name__ == "__main__":
    sys.exit(main())
