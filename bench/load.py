"""The load's process: keeps so many cases open between simulated systems, and counts what comes of them.

Reads a `Load` from standard input; prints a JSON object a line: `{"event": "begin"}` and `{"event": "end"}` around the
measured time, `{"event": "progress", ...}` in between, and last `{"event": "result", ...}`.
"""

import asyncio
import statistics
import sys
import time
from typing import Any

import uvloop

from bench.cases import Cases
from bench.plan import Load
from bench.told import tell

_PROGRESS_EVERY = 0.5
_TWICE_WITHIN = 0.5
"""Seconds for which the load listens on after the last case: what comes twice comes then."""


async def run(load: Load) -> None:
    """Warm up, measure, wait for the rest, print the result. Raises `TimeoutError` at the load's deadline."""
    async with asyncio.timeout(load.deadline):
        cases = Cases(load)
        await cases.connect()
        cases.begin()
        await _pass(cases, load.warm_up)
        result = await _measure(cases)
        await _drain(cases)
        await cases.close()
    tally = cases.tally
    counts = {"lost": tally.lost(cases.begun), "doubled": tally.doubled, "repeated": tally.repeated}
    tell("result", **result, begun=cases.begun, **counts)


async def _measure(cases: Cases) -> dict[str, Any]:
    """Return what came of the measured time; it ends when it is over or enough cases are closed."""
    before, start, sent = cases.closed, time.monotonic(), (cases.sent, cases.sent_bytes)
    cases.latencies.clear()
    tell("begin")
    while (passed := time.monotonic() - start) < cases.load.measured and cases.closed - before < cases.load.cases:
        await _pass(cases, min(_PROGRESS_EVERY, cases.load.measured - passed))
        tell("progress", closed=cases.closed - before, seconds=time.monotonic() - start)
    seconds, closed = time.monotonic() - start, cases.closed - before
    tell("end")
    commands = {"commands": (cases.sent - sent[0], cases.sent_bytes - sent[1])}
    return {"closed": closed, "seconds": seconds, **commands, **_percentiles(cases.latencies)}


async def _pass(cases: Cases, seconds: float) -> None:
    """Let the load run; raise what went wrong."""
    await asyncio.wait([cases.failed], timeout=seconds)
    if cases.failed.done():
        await cases.failed


async def _drain(cases: Cases) -> None:
    cases.drain()
    try:
        await asyncio.wait_for(cases.idle.wait(), cases.load.drain)
    except TimeoutError:
        return  # the tally says what is missing
    await _pass(cases, _TWICE_WITHIN)


def _percentiles(latencies: list[float]) -> dict[str, float]:
    hundredths = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else [0.0] * 99
    return {"p50_ms": hundredths[49] * 1000, "p99_ms": hundredths[98] * 1000}


if __name__ == "__main__":
    uvloop.run(run(Load.model_validate_json(sys.stdin.read())))
