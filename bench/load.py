"""The load's process: keeps so many cases open between simulated systems, and counts what comes of them.

Reads a `Load` from standard input; prints a JSON object a line: `{"event": "begin"}` and `{"event": "end"}` around the
measured time, `{"event": "progress", ...}` in between, and last `{"event": "result", ...}`.
"""

import asyncio
import json
import statistics
import sys
import time
from typing import Any

import uvloop

from bench.cases import Cases
from bench.plan import Load

_PROGRESS_EVERY = 0.5
_TWICE_WITHIN = 0.5
"""Seconds for which the load listens on after the last case: what comes twice comes then."""


async def run(load: Load) -> None:
    """Warm up, measure, wait for the rest, print the result. Raises `TimeoutError` at the load's deadline."""
    async with asyncio.timeout(load.deadline):
        cases = Cases(load)
        await cases.connect()
        cases.fill()
        await _pass(cases, load.warm_up)
        result = await _measure(cases)
        await _drain(cases)
        await cases.close()
    tally = cases.tally
    counts = {"lost": tally.lost(cases.begun), "doubled": tally.doubled, "repeated": tally.repeated}
    _tell("result", **result, begun=cases.begun, **counts)


async def _measure(cases: Cases) -> dict[str, Any]:
    """Return what came of the measured time; it ends when it is over or enough cases are closed."""
    before, start = cases.closed, time.monotonic()
    cases.latencies.clear()
    _tell("begin")
    while (passed := time.monotonic() - start) < cases.load.measured and cases.closed - before < cases.load.cases:
        await _pass(cases, min(_PROGRESS_EVERY, cases.load.measured - passed))
        _tell("progress", closed=cases.closed - before, seconds=time.monotonic() - start)
    seconds, closed = time.monotonic() - start, cases.closed - before
    _tell("end")
    return {"closed": closed, "seconds": seconds, **_percentiles(cases.latencies)}


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


def _tell(event: str, **more: Any) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


if __name__ == "__main__":
    uvloop.run(run(Load.model_validate_json(sys.stdin.read())))
