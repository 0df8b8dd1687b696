"""More of everything than is fair, each from a process of its own, which counts what the broker had to do with it."""

import asyncio
import multiprocessing
import os
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any, Final
from urllib.parse import urlsplit

from bench.channel import Closed
from bench.flood import EVERY, TIMES
from bench.frames import Properties
from bench.simulated import Simulated
from bench.wire import Wire, connect
from contracts.casework import ListCases
from contracts.registry import PutTerms, Search
from contracts.topology import MAX_CHANNELS, MAX_CONNECTIONS, exchange_of

ENOUGH: Final = 0.8
"""Of what an attack is to be: less than this, and the others were not beside it."""
_BEGINS_WITHIN: Final = 20.0
_FAIR: Final = Search(text="Kammer", country="HU").model_dump_json(exclude_none=True).encode()
_SEARCH: Final = Search(text="e", limit=100).model_dump_json(exclude_none=True).encode()
_LARGE: Final = (200 * 1024, 256 * 1024, 1024 * 1024)
_FAULTY: Final = (
    (PutTerms.TYPE, b'{"terms": [%b{}]}' % (b"{}," * 80_000)),  # more values than there may be
    (PutTerms.TYPE, b'{"terms": [%b{}]}' % (b"{}," * 21_000)),
    (Search.TYPE, b"{%b}" % b",".join(b'"x%d": 1' % number for number in range(18_000))),
    (ListCases.TYPE, b'{"states": [%b[]]}' % (b"[]," * 21_000)),
)


class Tally:
    """What the process of an attack has come to, where both it and who started it see it."""

    def __init__(self) -> None:
        """Nothing yet."""
        context = multiprocessing.get_context("spawn")
        self._offered = context.Value("q", 0, lock=False)
        self._held = context.Value("q", 0, lock=False)

    @property
    def offered(self) -> int:
        """How much the broker has taken or turned away."""
        return int(self._offered.value)

    @property
    def held(self) -> int:
        """The most connections that there were at once, since `forget`."""
        return int(self._held.value)

    def dealt_with(self, publish: asyncio.Future[None]) -> None:
        """Count what was published, unless nobody knows what became of it."""
        if not publish.cancelled() and not isinstance(publish.exception(), Closed):
            self._offered.value += 1

    def hold(self, connections: int) -> None:
        """Note how many connections there are."""
        self._held.value = max(self.held, connections)

    def forget(self) -> None:
        """Have the most connections begin anew."""
        self._held.value = 0


@dataclass(frozen=True)
class Excess:
    """What there was of an attack beside the others, in one round."""

    per_s: float
    held: int
    lasted: bool
    """It was still under way in the end."""


def least(rounds: Sequence[Excess]) -> Excess | None:
    """Return what there was in every one of these rounds."""
    if not rounds:
        return None
    per_s, held = min(one.per_s for one in rounds), min(one.held for one in rounds)
    return Excess(per_s, held, all(one.lasted for one in rounds))


@dataclass(frozen=True)
class Worst:
    """An attack, and of how much it is to be: commands a second, connections at once."""

    do: Callable[[str, Event, Tally], Coroutine[Any, Any, None]]
    per_s: float = 0.0
    held: int = 0

    def lacks(self, had: Excess) -> str | None:
        """Say why the others were not beside this attack, if that is so."""
        if not had.lasted:
            return "it ended before the others did"
        if had.per_s < ENOUGH * self.per_s:
            return f"{had.per_s} a second instead of {self.per_s}"
        return f"{had.held} connections at once instead of {self.held}" if had.held < self.held else None


async def connections(url: str, stop: Event, tally: Tally) -> None:
    """Open as many connections and then channels as the broker lets through, and open again what it closes."""
    while not stop.is_set():
        async with AsyncExitStack() as stack:
            opened = list[Wire]()
            for _ in range(2 * MAX_CONNECTIONS):
                with suppress(ConnectionError, TimeoutError):
                    opened.append(await connect(url))
                    stack.push_async_callback(opened[-1].close)
            tally.hold(sum(not one.closing.done() for one in opened))
            for one in opened * (2 * MAX_CHANNELS // MAX_CONNECTIONS):
                with suppress(ConnectionError, TimeoutError):
                    await one.channel()
            await asyncio.sleep(0.2)


async def fair(url: str, stop: Event, tally: Tally) -> None:
    """Search a hundred times as fast as each other, and read the answers."""
    system = await Simulated.connect(url, lambda *_: None, lambda _: None)

    def offer(kind: str, body: bytes) -> asyncio.Future[None]:
        return system.offer(kind, str(uuid.uuid4()), body)

    await _keep_on(offer, stop, tally, [(Search.TYPE, _FAIR)] * 10, every=10 * EVERY / TIMES)
    await system.close()


async def unread(url: str, stop: Event, tally: Tally) -> None:
    """Ask for the largest answers that there are, a hundred times as fast as each other, and read none."""
    await _offer(url, stop, tally, [(Search.TYPE, _SEARCH)] * 50, every=50 * EVERY / TIMES)


async def faulty(url: str, stop: Event, tally: Tally, every: float = EVERY) -> None:
    """Send commands in which there is as much wrong as there is room for, each as often as the others ask."""
    await _offer(url, stop, tally, _FAULTY, every=every)


async def large(url: str, stop: Event, tally: Tally, every: float = EVERY) -> None:
    """Send what is as large as a command may be, and a little larger, each as often as the others ask."""
    bodies = [(Search.TYPE, b'{"text": "%b"}' % (b"a" * size)) for size in _LARGE]
    await _offer(url, stop, tally, bodies, every=every)


async def fast(url: str, stop: Event, tally: Tally) -> None:
    """Ask as fast as the broker takes it, or says that it does not."""
    await _offer(url, stop, tally, [(Search.TYPE, _SEARCH)] * 50)


async def _offer(
    url: str, stop: Event, tally: Tally, commands: Sequence[tuple[str, bytes]], every: float = 0.0
) -> None:
    """Publish these again and again, and read nothing."""
    wire = await connect(url)
    out, system = await wire.channel(confirms=True), str(urlsplit(url).username)

    def offer(kind: str, body: bytes) -> asyncio.Future[None]:
        return out.publish(exchange_of(system), kind, _as(system, kind), body)

    await _keep_on(offer, stop, tally, commands, every)
    await wire.close()


async def _keep_on(
    offer: Callable[[str, bytes], asyncio.Future[None]],
    stop: Event,
    tally: Tally,
    commands: Sequence[tuple[str, bytes]],
    every: float,
) -> None:
    """Offer them so often, or as soon as the broker has taken or refused them. Raises `Closed` when it takes none."""
    due = time.monotonic()
    while not stop.is_set():
        offered = [offer(kind, body) for kind, body in commands]
        for one in offered:
            one.add_done_callback(tally.dealt_with)
        due += every
        await (asyncio.sleep(due - time.monotonic()) if every else asyncio.wait(offered))


def _as(system: str, kind: str) -> Properties:
    return Properties(
        content_type="application/json",
        delivery_mode=2,
        message_id=str(uuid.uuid4()),
        message_type=kind,
        user_id=system,
    )


WORST: Final[dict[str, Worst]] = {
    "a hundred times the fair rate": Worst(fair, per_s=TIMES / EVERY),
    "an inbox that nobody reads": Worst(unread, per_s=TIMES / EVERY),
    "as many connections and channels as there may be": Worst(connections, held=MAX_CONNECTIONS),
    "commands of the largest size": Worst(large, per_s=len(_LARGE) / EVERY),
    "commands full of faults": Worst(faulty, per_s=len(_FAULTY) / EVERY),
}
BEYOND: Final[dict[str, Worst]] = {
    "as many commands as the broker can take": Worst(fast, per_s=TIMES / EVERY),
    "as many of the largest size": Worst(partial(large, every=0.0), per_s=len(_LARGE) / EVERY),
    "as many full of faults": Worst(partial(faulty, every=0.0), per_s=len(_FAULTY) / EVERY),
}
"""These saturate the broker's own processors: everybody is answered, but when is not promised."""


@contextmanager
def under_way(name: str, url: str) -> Iterator[Callable[[], Excess]]:
    """Have an attack go on meanwhile; what is yielded says what there was of it since."""
    context, tally = multiprocessing.get_context("spawn"), Tally()
    stop = context.Event()
    process = context.Process(target=_do, args=(name, url, stop, tally))
    process.start()
    _until_begun(process, tally)
    tally.forget()
    offered, began = tally.offered, time.monotonic()

    def excess() -> Excess:
        per_s = (tally.offered - offered) / (time.monotonic() - began)
        return Excess(round(per_s, 1), tally.held, process.is_alive())

    try:
        yield excess
    finally:
        stop.set()
        process.join(30)
        process.kill()


def _until_begun(process: BaseProcess, tally: Tally) -> None:
    """Wait until the broker has heard of the attack, and a little longer: it is measured at its full rate."""
    deadline = time.monotonic() + _BEGINS_WITHIN
    while process.is_alive() and not (tally.offered or tally.held) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1 if process.is_alive() else 0)


def _do(name: str, url: str, stop: Event, tally: Tally) -> None:
    """Attack, as from a machine of one's own: what this process itself uses is what the exchange leaves."""
    os.nice(19)
    asyncio.run((WORST | BEYOND)[name].do(url, stop, tally))
