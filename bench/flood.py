"""One system floods, the others search on: `python -m bench.flood`.

Three polite systems search ten times a second each; calm, and then beside another system that sends searches a hundred
times as fast as one of them, from a process of its own on the same cores. The last line is JSON; the exit status is 1
when the others' p99 grew more than fourfold, or when one of their searches had no answer.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
import uuid
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.frames import Delivered
from bench.plan import Player
from bench.players import onboard
from bench.simulated import Simulated
from contracts.registry import Search
from deploy.local.exchange import exchange

EVERY: Final = 0.1
"""Seconds between two searches of a polite system."""
TIMES: Final = 100
GOAL: Final = 4.0
_PATIENCE: Final = 30.0
_BODY: Final = Search(text="Bench", country="HU").model_dump_json(exclude_none=True).encode()


class Polite:
    """A system that searches at its own pace, and notes how long each answer took."""

    def __init__(self, player: Player) -> None:
        """Nothing is sent yet."""
        self._player = player
        self._sent: dict[str, float] = {}
        self.seconds: list[float] = []

    async def search(self, seconds: float) -> None:
        """Search for so long, then wait for the answers."""
        system = await Simulated.connect(self._player.url, self._answered, _fail)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            message_id = str(uuid.uuid4())
            self._sent[message_id] = time.monotonic()
            system.send(Search.TYPE, message_id, _BODY)
            await asyncio.sleep(EVERY)
        deadline = time.monotonic() + _PATIENCE
        while self._sent and time.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.05)
        await system.close()

    @property
    def unanswered(self) -> int:
        """How many searches had no answer."""
        return len(self._sent)

    def _answered(self, _: str, message: Delivered) -> None:
        sent = self._sent.pop(message.properties.correlation_id or "", None)
        if sent is not None:
            self.seconds.append(time.monotonic() - sent)


def _fail(error: BaseException) -> None:
    raise error


def flood(url: str, stop: Event, counts: "multiprocessing.Queue[tuple[int, int]]") -> None:
    """Send a hundred times as fast as a polite system until told to stop: the process that floods."""
    counts.put(asyncio.run(_flood(url, stop)))


async def _flood(url: str, stop: Event) -> tuple[int, int]:
    turned_away, sent, began = 0, 0, time.monotonic()

    def fail(_: BaseException) -> None:
        nonlocal turned_away
        turned_away += 1

    system = await Simulated.connect(url, lambda *_: None, fail)
    while not stop.is_set():
        due = int((time.monotonic() - began) * TIMES / EVERY)
        for _ in range(due - sent):
            system.send(Search.TYPE, str(uuid.uuid4()), _BODY)
        sent = max(sent, due)
        await asyncio.sleep(0.01)
    await system.close()
    return sent, turned_away


def measure(polite: list[Player], seconds: float) -> tuple[list[float], int, int]:
    """Have all search side by side; return the sorted times, how many were sent, how many had no answer."""
    searching = [Polite(player) for player in polite]

    async def run() -> None:
        await asyncio.gather(*(one.search(seconds) for one in searching))

    asyncio.run(run())
    times = sorted(second for one in searching for second in one.seconds)
    unanswered = sum(one.unanswered for one in searching)
    return times, len(times) + unanswered, unanswered


def measure_flooded(polite: list[Player], flooding: Player, seconds: float) -> tuple[list[float], int, int, int, int]:
    """Do the same beside the flood; return also what the flood sent, and how much was turned away."""
    context = multiprocessing.get_context("spawn")
    stop, counts = context.Event(), context.Queue()
    process = context.Process(target=flood, args=(flooding.url, stop, counts))
    process.start()
    time.sleep(2)  # until the flood is under way
    try:
        times, sent, unanswered = measure(polite, seconds)
    finally:
        stop.set()
    flooded = counts.get(timeout=60)
    process.join()
    return times, sent, unanswered, *flooded


def percentile(times: list[float], share: float) -> float:
    """Return a percentile in milliseconds."""
    return round(statistics.quantiles(times, n=100, method="inclusive")[round(share * 100) - 1] * 1000, 1)


def main() -> int:
    """Measure, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    seconds = parser.parse_args().seconds
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="flood-", dir=".local") as folder, exchange(Path(folder)) as running:
        asking, answering = onboard(running)
        polite, flooding = asking[:3], answering[0]
        measure(polite, 3)  # warm
        calm, sent, lost = measure(polite, seconds)
        beside, sent_beside, lost_beside, flooded, turned_away = measure_flooded(polite, flooding, seconds)
    figures = {
        "calm_p50_ms": percentile(calm, 0.5),
        "calm_p99_ms": percentile(calm, 0.99),
        "flood_p50_ms": percentile(beside, 0.5),
        "flood_p99_ms": percentile(beside, 0.99),
        "ratio_p99": round(percentile(beside, 0.99) / percentile(calm, 0.99), 2),
        "polite_sent": sent + sent_beside,
        "polite_unanswered": lost + lost_beside,
        "flooder_sent": flooded,
        "flooder_turned_away": turned_away,
    }
    table = Table("", "p50 ms", "p99 ms", "searches")
    table.add_row("calm", str(figures["calm_p50_ms"]), str(figures["calm_p99_ms"]), str(sent))
    table.add_row("beside the flood", str(figures["flood_p50_ms"]), str(figures["flood_p99_ms"]), str(sent_beside))
    Console().print(table)
    print(json.dumps(figures))
    return 0 if figures["ratio_p99"] <= GOAL and not figures["polite_unanswered"] else 1


if __name__ == "__main__":
    sys.exit(main())
