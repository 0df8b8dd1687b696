"""More than anybody needs: the others must not wait for it, and nothing may grow without end.

Polite systems ask the registry and casework ten times a second each; beside them the attacker does its worst. What is
compared is how long the polite ones wait, calm and beside each attack, in turns, several rounds of it in one run: of
each the median of the rounds, so that one in which the machine was busy otherwise decides nothing.
"""

import asyncio
import multiprocessing
import os
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event
from typing import Final
from urllib.parse import urlsplit

from bench.flood import EVERY, TIMES, flood
from bench.frames import Properties
from bench.plan import Player
from bench.wire import connect
from contracts.casework import ListCases, ShowCase
from contracts.registry import PutTerms, Search
from contracts.topology import MAX_CHANNELS, MAX_CONNECTIONS, exchange_of
from tests.attack.polite import Waits, p99_ms, wait
from tests.attack.rights import NOBODYS_CASE
from tests.broker.raw import raw_system
from tests.world import HANDLER

CALM: Final = "nothing"
GOAL: Final = 4.0
"""The others' p99 beside an attack, at most so many times what it is when all is calm."""
_SEARCH: Final = Search(text="e", limit=100).model_dump_json(exclude_none=True).encode()
_LARGE: Final = (200 * 1024, 256 * 1024, 1024 * 1024)
_FAULTY: Final = (
    (PutTerms.TYPE, b'{"terms": [%b{}]}' % (b"{}," * 80_000)),  # more values than there may be
    (PutTerms.TYPE, b'{"terms": [%b{}]}' % (b"{}," * 21_000)),
    (Search.TYPE, b"{%b}" % b",".join(b'"x%d": 1' % number for number in range(18_000))),
    (ListCases.TYPE, b'{"states": [%b[]]}' % (b"[]," * 21_000)),
)
_LOOKS: Final = 300
_LOOKS_FOR_CALM: Final = 30
_CALM_FOR, _USUAL_MS = 4, 60.0
"""Seconds one after the other in which nobody waits longer."""
_TELLING: Final = 1.25
"""Medians of two kinds of answer that differ by less tell nothing."""


@dataclass(frozen=True)
class Measured:
    """What the others had of one attack: of what they asked, and of the broker's confirms, the median of the rounds."""

    name: str
    p99_ms: Mapping[str, float]
    ratio: float
    """The worst, of all that was asked, to what it is when all is calm."""
    confirmed_p99_ms: float
    unanswered: int


Worst = Callable[[str, Event], None]


def connections(url: str, stop: Event) -> None:
    """Open as many connections and channels as the broker lets through, and open again what it closes."""
    asyncio.run(_connections(url, stop))


async def _connections(url: str, stop: Event) -> None:
    while not stop.is_set():
        async with AsyncExitStack() as stack:
            for _ in range(2 * MAX_CONNECTIONS):
                with suppress(ConnectionError, TimeoutError):
                    connection = await connect(url)
                    stack.push_async_callback(connection.close)
                    for _ in range(2 * MAX_CHANNELS // MAX_CONNECTIONS):
                        await connection.channel()
            await asyncio.sleep(0.2)


def unread(url: str, stop: Event) -> None:
    """Ask for the largest answers that there are, a hundred times as fast as each other, and read none."""
    asyncio.run(_offer(url, stop, [(Search.TYPE, _SEARCH)] * 50, every=50 * EVERY / TIMES))


def faulty(url: str, stop: Event, every: float = EVERY) -> None:
    """Send commands in which there is as much wrong as there is room for, each as often as the others ask."""
    asyncio.run(_offer(url, stop, _FAULTY, every=every))


def large(url: str, stop: Event, every: float = EVERY) -> None:
    """Send what is as large as a command may be, and a little larger, each as often as the others ask."""
    asyncio.run(_offer(url, stop, [(Search.TYPE, b'{"text": "%b"}' % (b"a" * size)) for size in _LARGE], every=every))


def fast(url: str, stop: Event) -> None:
    """Ask as fast as the broker takes it, or says that it does not."""
    asyncio.run(_offer(url, stop, [(Search.TYPE, _SEARCH)] * 50))


async def _offer(url: str, stop: Event, commands: Sequence[tuple[str, bytes]], every: float = 0.0) -> None:
    """Publish these again and again, and read nothing: so often, or as soon as the broker has taken or refused them."""
    wire = await connect(url)
    out, system = await wire.channel(confirms=True), str(urlsplit(url).username)
    due = time.monotonic()
    while not stop.is_set():
        offered = [out.publish(exchange_of(system), kind, _as(system, kind), body) for kind, body in commands]
        due += every
        await (asyncio.sleep(due - time.monotonic()) if every else asyncio.wait(offered))
    await wire.close()


def _as(system: str, kind: str) -> Properties:
    return Properties(
        content_type="application/json",
        delivery_mode=2,
        message_id=str(uuid.uuid4()),
        message_type=kind,
        user_id=system,
    )


def _flood(url: str, stop: Event) -> None:
    """Search a hundred times as fast as each other."""
    flood(url, stop, multiprocessing.get_context("spawn").Queue())


WORST: Final[dict[str, Worst]] = {
    "a hundred times the fair rate": _flood,
    "an inbox that nobody reads": unread,
    "as many connections and channels as there may be": connections,
    "commands of the largest size": large,
    "commands full of faults": faulty,
}
BEYOND: Final[dict[str, Worst]] = {
    "as many commands as the broker can take": fast,
    "as many of the largest size": partial(large, every=0.0),
    "as many full of faults": partial(faulty, every=0.0),
}
"""These saturate the broker's own processors: everybody is answered, but when is not promised."""


def measured(
    polite: Sequence[Player], attacker: Player, seconds: float, rounds: int, clear: Callable[[], None]
) -> Iterator[Measured]:
    """Return what the others had when all was calm, and beside each attack; each round is calm first.

    `clear` takes away what an attack has left behind: the next one is measured by itself.
    """
    wait(polite, 3)  # warm
    had = {name: list[Waits]() for name in (CALM, *WORST, *BEYOND)}
    # What saturates the broker comes last: what it leaves there to be written is beside nothing that is judged.
    for names in ((CALM, *WORST), BEYOND):
        for name in (*names,) * rounds:
            with _under_way(name, attacker):
                had[name].append(wait(polite, seconds))
            clear()
            _calm_down(polite)
    calm = _p99_ms(had[CALM])
    for name, by_round in had.items():
        p99 = _p99_ms(by_round)
        ratio = max(round(value / calm[kind], 2) for kind, value in p99.items())
        confirmed = round(statistics.median(p99_ms(one.confirms) for one in by_round), 1)
        yield Measured(name, p99, ratio, confirmed, sum(one.unanswered for one in by_round))


def _calm_down(polite: Sequence[Player]) -> None:
    """Wait until the others are answered as usual: the broker writes what was large once more when it has the time."""
    calm = 0
    for _ in range(_LOOKS_FOR_CALM):
        calm = calm + 1 if max(wait(polite, 1.0).p99_ms.values()) < _USUAL_MS else 0
        if calm == _CALM_FOR:
            return


def _p99_ms(by_round: Sequence[Waits]) -> dict[str, float]:
    return {kind: round(statistics.median(one.p99_ms[kind] for one in by_round), 1) for kind in by_round[0].p99_ms}


@contextmanager
def _under_way(name: str, attacker: Player) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=_do, args=(name, attacker.url, stop))
    process.start()
    time.sleep(2)  # until it is
    try:
        yield
    finally:
        stop.set()
        process.join(30)
        process.kill()


def _do(name: str, url: str, stop: Event) -> None:
    """Attack, as from a machine of one's own: what this process itself uses is what the exchange leaves."""
    os.nice(19)
    if name != CALM:
        (WORST | BEYOND)[name](url, stop)


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
