"""Faults on purpose, under load: `python -m tests.chaos`.

Three nodes of RabbitMQ, three members of MongoDB, the services, and ten systems that play whole cases. For a while
faults come by a schedule, alone and together; then everything settles, and what the systems saw must be whole: each
command has one outcome, each inbox every version, each notice its one mail, nothing came that nobody had asked for,
every chain holds, nothing is parked, and nothing waits any more. The last line is JSON; the exit status is 1 when
anything is otherwise, and then the folder with the logs stays. The same seed makes the same schedule.
"""

import argparse
import asyncio
import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.report import figures, stories, table
from tests.chaos.run import Options, chosen, run


def main() -> int:
    """Run, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=300, help="for how long faults begin")
    parser.add_argument("--rate", type=float, default=4, help="cases that are begun in a second")
    parser.add_argument("--faults", default="", help="only these, with commas between them")
    parser.add_argument("--list", action="store_true", help="list the faults")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs in any case")
    given = parser.parse_args()
    only = tuple(name.strip() for name in given.faults.split(",") if name.strip())
    if given.list:
        print("\n".join(chosen(())))
        return 0
    chosen(only)
    logging.getLogger("aiormq").disabled = True  # what breaks here is broken on purpose
    logging.getLogger("aiormq.connection").disabled = True
    Path(".local").mkdir(exist_ok=True)
    options = Options(given.seed, given.seconds, given.rate, only)
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=".local"))
    result = None
    try:
        result = asyncio.run(run(folder, options, _tell))
    finally:
        if given.keep or result is None or result.found:
            print(f"the logs are in {folder}")
        else:
            shutil.rmtree(folder)
    print("\n".join(["", *table(result.record), "", *result.notes, *stories(result.record, result.found)]))
    print(
        json.dumps(
            figures(
                result.record, result.found, seed=given.seed, seconds=given.seconds, settled_s=round(result.settled, 1)
            )
        )
    )
    return 1 if result.found else 0


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
