"""More than anybody needs: the others must not wait for it, and nothing may grow without end.

Polite systems search ten times a second, as in `bench.flood`; beside them the attacker does its worst. What is compared
is how long the polite ones wait, calm and beside each attack, in one run.
"""

import asyncio
import logging
import multiprocessing
import statistics
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Final

import aiormq
from aiormq.exceptions import AMQPError

from bench.flood import flood, measure, percentile
from bench.plan import Player
from contracts.casework import ShowCase
from contracts.registry import Search
from contracts.topology import MAX_CHANNELS, MAX_CONNECTIONS
from tests.attack.rights import NOBODYS_CASE
from tests.broker.raw import raw_system
from tests.world import HANDLER

GOAL: Final = 4.0
"""The others' p99 beside an attack, at most so many times what it is when all is calm."""
_LOOKS: Final = 300
_TELLING: Final = 1.25
"""Medians of two kinds of answer that differ by less tell nothing."""


@dataclass(frozen=True)
class Measured:
    """What the others had of one attack."""

    name: str
    p99_ms: float
    ratio: float
    unanswered: int


Worst = Callable[[str, Event], None]


def connections(url: str, stop: Event) -> None:
    """Open as many connections and channels as the broker lets through, and open again what it closes."""
    logging.disable()  # each refusal would be told
    asyncio.run(_connections(url, stop))


async def _connections(url: str, stop: Event) -> None:
    while not stop.is_set():
        async with AsyncExitStack() as stack:
            for _ in range(2 * MAX_CONNECTIONS):
                with suppress(AMQPError, ConnectionError, TimeoutError):
                    connection = await asyncio.wait_for(aiormq.connect(url), 5)
                    stack.push_async_callback(connection.close)
                    for _ in range(2 * MAX_CHANNELS // MAX_CONNECTIONS):
                        await connection.channel()
            await asyncio.sleep(0.2)


def unread(url: str, stop: Event) -> None:
    """Ask and ask, and read nothing of what is answered; what is asked is the largest that there is."""
    asyncio.run(_unread(url, stop))


async def _unread(url: str, stop: Event) -> None:
    body = Search(text="e", limit=100).model_dump_json(exclude_none=True).encode()
    async with raw_system(url, url.split("//")[1].split(":", maxsplit=1)[0], listening=False) as system:
        while not stop.is_set():
            asked = (system.command(Search.TYPE, body, str(uuid.uuid4())) for _ in range(50))
            await asyncio.gather(*asked, return_exceptions=True)


def large(url: str, stop: Event) -> None:
    """Send what is as large as a command may be, and a little larger."""
    asyncio.run(_large(url, stop))


async def _large(url: str, stop: Event) -> None:
    bodies = [b'{"text": "%b"}' % (b"a" * size) for size in (200 * 1024, 256 * 1024, 1024 * 1024)]
    async with raw_system(url, url.split("//")[1].split(":", maxsplit=1)[0]) as system:
        while not stop.is_set():
            asked = (system.command(Search.TYPE, body, str(uuid.uuid4())) for body in bodies)
            await asyncio.gather(*asked, return_exceptions=True)


def _flood(url: str, stop: Event) -> None:
    """Search a hundred times as fast as each other."""
    flood(url, stop, multiprocessing.get_context("spawn").Queue())


WORST: Final[dict[str, Worst]] = {
    "a hundred times the fair rate": _flood,
    "an inbox that nobody reads": unread,
    "as many connections and channels as there may be": connections,
    "commands of the largest size": large,
}


def measured(polite: list[Player], attacker: Player, seconds: float) -> tuple[float, list[Measured]]:
    """Return the others' p99 when all is calm, in milliseconds, and what it is beside each attack."""
    measure(polite, 3)  # warm
    times, _, _ = measure(polite, seconds)
    calm = percentile(times, 0.99)
    return calm, [_beside(name, polite, attacker, seconds=seconds, calm=calm) for name in WORST]


def _beside(name: str, polite: list[Player], attacker: Player, *, seconds: float, calm: float) -> Measured:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=WORST[name], args=(attacker.url, stop))
    process.start()
    time.sleep(2)  # until it is under way
    try:
        times, _, unanswered = measure(polite, seconds)
    finally:
        stop.set()
        process.join(30)
        process.kill()
    p99 = percentile(times, 0.99)
    return Measured(name, p99, round(p99 / calm, 2), unanswered)


async def timing(attacker: Player, case: str) -> tuple[float, float]:
    """Return the median milliseconds of an answer for a case of others, and for a number that no case has."""
    seconds: dict[str, list[float]] = {case: [], NOBODYS_CASE: []}
    async with raw_system(attacker.url, attacker.system) as system:
        for _ in range(_LOOKS):
            for number, times in seconds.items():
                asked = ShowCase(authority=attacker.authority, case=number, user=HANDLER)
                body = asked.model_dump_json(exclude_none=True).encode()
                message_id, began = str(uuid.uuid4()), time.perf_counter()
                await system.command(ShowCase.TYPE, body, message_id)
                await system.outcome(message_id)
                times.append(time.perf_counter() - began)
    theirs, nobodys = (round(statistics.median(times) * 1000, 2) for times in seconds.values())
    return theirs, nobodys


def tells(theirs: float, nobodys: float) -> bool:
    """Say whether somebody who only looks at the time could tell the two apart."""
    return max(theirs, nobodys) > _TELLING * min(theirs, nobodys)
