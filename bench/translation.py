"""How many views one replica of translation renders, with 1 area published and with 200: `python -m bench.translation`.

Each round fills translation's queue while the replica is held, lets go, and stops the clock when the last message is in
the reader's inbox: rendered, published and confirmed. Readers of all languages take turns, and with 200 areas each view
is of another one than the last. The last line is JSON; the exit status is 1 when a view costs the replica more than 1.3
times the processor's time with 200 areas (`ratio_cpu`), or when anything is missing. `ratio` is that of the events a
second: the first rounds and the last are minutes apart, so it also tells what else the machine did meanwhile.
"""

import argparse
import asyncio
import json
import signal
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import aio_pika
from aio_pika.abc import AbstractQueue
from pymongo import MongoClient
from rich.console import Console
from rich.table import Table

from bench.measure import Usage, programs
from bench.report import machine
from client import publishing
from client.legislation import Area, load
from client.system import System
from contracts.inbox import Views
from contracts.languages import LANGUAGES
from contracts.topology import OPERATOR, inbox_of
from deploy.local.exchange import Exchange, exchange
from tools.snapshots import AREA, view_of

MANY: Final = 200
GOAL: Final = 1.3
_PATIENCE: Final = 120.0
_AT_ONCE: Final = 500
"""Publishes in flight while the queue is filled."""
_AREAS_AT_ONCE: Final = 10


class Bench:
    """An exchange with one replica of translation, and a reader of each language."""

    def __init__(self, running: Exchange, views: int) -> None:
        """Nothing is published yet."""
        self._running = running
        self._views = views
        self._readers = [f"DE-{number:08}" for number, _ in enumerate(LANGUAGES)]
        self._view = view_of("areacode", 1).decode()

    def prepare(self) -> None:
        """Have translation know the readers."""
        running = self._running
        url = running.addresses.mongo_url("translation", running.passwords["translation"], "translation")
        with MongoClient[dict[str, Any]](url) as client:
            readers = zip(self._readers, LANGUAGES, strict=True)
            some = [{"_id": reader, "version": 1, "languages": [language]} for reader, language in readers]
            client["translation"]["readers"].insert_many(some)

    async def publish(self, areas: Sequence[Area]) -> float:
        """Publish areas as the operator; return how many seconds it took."""
        begun = time.monotonic()
        url = self._running.amqp_url(OPERATOR, self._running.passwords[OPERATOR])
        async with System(url) as operator:
            for first in range(0, len(areas), _AREAS_AT_ONCE):
                some = areas[first : first + _AREAS_AT_ONCE]
                await asyncio.gather(*(publishing.publish(operator, area) for area in some))
        return time.monotonic() - begun

    async def round(self, areas: Sequence[Area]) -> tuple[float, float]:
        """Return events a second, and milliseconds of translation's processor for each."""
        (replica,) = self._running.of("translation")
        pids = {name: pid for name, pid in programs().items() if name == "translation"}
        async with AsyncExitStack() as stack:
            inbox = await self._inbox(stack)
            await inbox.purge()
            replica.program.signal(signal.SIGSTOP)
            try:
                await self._fill(stack, areas)
                before, begun = Usage.now(pids), time.monotonic()
            finally:
                replica.program.signal(signal.SIGCONT)
            await self._until_all_are_in(inbox)
            seconds = time.monotonic() - begun
            used = Usage.now(pids).cpu_ms_per(before, self._views)["translation"]
            await inbox.purge()
        return self._views / seconds, used

    async def _inbox(self, stack: AsyncExitStack) -> AbstractQueue:
        url = self._running.amqp_url(OPERATOR, self._running.passwords[OPERATOR])
        connection = await stack.enter_async_context(await aio_pika.connect(url))
        return await (await connection.channel()).get_queue(inbox_of(OPERATOR), ensure=False)

    async def _fill(self, stack: AsyncExitStack, areas: Sequence[Area]) -> None:
        url = self._running.amqp_url("service.casework", self._running.passwords["casework"])
        connection = await stack.enter_async_context(await aio_pika.connect(url))
        out = await (await connection.channel()).get_exchange("casework", ensure=False)
        bodies = list(self._bodies(areas))
        for first in range(0, len(bodies), _AT_ONCE):
            some = (
                aio_pika.Message(body, type=Views.TYPE, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                for body in bodies[first : first + _AT_ONCE]
            )
            await asyncio.gather(*(out.publish(message, "views") for message in some))

    def _bodies(self, areas: Sequence[Area]) -> Iterator[bytes]:
        for number in range(self._views):
            reader, area = self._readers[number % len(self._readers)], areas[number % len(areas)].code
            message = self._view.replace("areacode", area)
            ids = f'"to": "{OPERATOR}", "reader": "{reader}", "message_id": "{uuid.uuid4()}"'
            yield f'{{"views": [{{{ids}, "message": {message}}}]}}'.encode()

    async def _until_all_are_in(self, inbox: AbstractQueue) -> None:
        async with asyncio.timeout(_PATIENCE):
            while (await inbox.declare()).message_count != self._views:  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(0.02)


async def measure(bench: Bench, areas: Sequence[Area], rounds: int) -> dict[str, Any]:
    """Return the medians with one area, and with all of them."""
    await bench.publish(areas[:1])
    await bench.round(areas[:1])  # what comes first warms up
    one = [await bench.round(areas[:1]) for _ in range(rounds)]
    seconds = await bench.publish(areas[1:])
    await bench.round(areas)  # each version is loaded when it is first met
    many = [await bench.round(areas) for _ in range(rounds)]
    (rate, used), (many_rate, many_used) = (_medians(some) for some in (one, many))
    return {
        "areas": [1, len(areas)],
        "events_per_s": [round(rate, 1), round(many_rate, 1)],
        "cpu_ms_per_event": [round(used, 3), round(many_used, 3)],
        "ratio": round(rate / many_rate, 2),
        "ratio_cpu": round(many_used / used, 2),
        "published_in_s": round(seconds, 1),
    }


def _medians(rounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    rates, used = zip(*rounds, strict=True)
    return statistics.median(rates), statistics.median(used)


def main() -> int:
    """Measure, and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m bench.translation", description=__doc__)
    parser.add_argument("--views", type=int, default=3000, help="in each round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="with few areas, and with many (%(default)s)")
    chosen = parser.parse_args()
    area = load(AREA)
    areas = [replace(area, code=f"area-{number:04}") for number in range(MANY)]
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="words-", dir=".local") as folder, exchange(Path(folder)) as running:
        bench = Bench(running, chosen.views)
        bench.prepare()
        figures = asyncio.run(measure(bench, areas, chosen.rounds))
        pids = {name: pid for name, pid in programs().items() if name == "translation"}
        figures |= {"rss_mb": round(Usage.now(pids).rss["translation"] / 2**20), "machine": machine()}
    table = Table("areas", "events/s", "CPU ms per event")
    for row in zip(figures["areas"], figures["events_per_s"], figures["cpu_ms_per_event"], strict=True):
        table.add_row(*map(str, row))
    Console().print(table)
    print(json.dumps(figures))
    return 0 if figures["ratio_cpu"] <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
