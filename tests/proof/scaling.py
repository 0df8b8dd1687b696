"""Each service is scaled from one replica to four and back, and rolled over, twice, while cases go on.

`python -m tests.proof.scaling`. The last line is JSON; the exit status is 1 when any command has no outcome or two,
or anything else that systems should have seen is missing or doubled.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Final

from contracts.topology import SERVICES
from tests.chaos.report import stories
from tests.proof.moving import Moving, Seen, figures, under_load

MOST: Final = 4
TIMES: Final = 2


async def scale(moving: Moving, times: int = TIMES, most: int = MOST, rest: float = 2.0) -> None:
    """Scale and roll over each service in turn; `rest` so many seconds with all replicas at work."""
    for _ in range(times):
        for service in SERVICES:
            moving.tell(f"{moving.clock():7.1f} s  {service}: 1 to {most} and back")
            for _ in range(most - 1):
                await moving.add(service)
            await asyncio.sleep(rest)
            moving.tell(f"{moving.clock():7.1f} s  {service}: rolled over")
            for old in list(moving.exchange.of(service))[: most // 2]:
                await moving.add(service)
                await moving.take_away(old)
            await asyncio.sleep(rest)
            await moving.take_away(*moving.exchange.of(service)[1:])


def main() -> int:
    """Run, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=8, help="cases that are begun in a second")
    given = parser.parse_args()
    logging.getLogger("aiormq").disabled = True
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scaling-", dir=".local") as folder:
        seen = asyncio.run(under_load(Path(folder), scale, rate=given.rate, seed=given.seed, tell=print))
    return told(seen)


def told(seen: Seen) -> int:
    """Print the table, what was found, and the figures; return the exit status."""
    print("\n".join(["", *seen.table, "", *stories(seen.record, seen.found)]))
    print(json.dumps(figures(seen)))
    return 1 if seen.found else 0


if __name__ == "__main__":
    sys.exit(main())
