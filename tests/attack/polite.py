"""The others: systems that ask a little, and note how long each answer takes."""

import asyncio
import statistics
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from bench.frames import Delivered
from bench.plan import Player
from bench.simulated import Simulated
from contracts.casework import ListCases
from contracts.registry import Search
from tests.world import HANDLER

EVERY: Final = 0.1
"""Seconds between two questions of a polite system to the same service: the fair rate."""
_PATIENCE: Final = 30.0


@dataclass
class Waits:
    """How long answers took, in seconds, by the type of what was asked; and how many never came."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    confirms: list[float] = field(default_factory=list)
    """How long the broker's own confirms took."""
    unanswered: int = 0

    def add(self, other: Self) -> None:
        """Take up what somebody else waited."""
        for kind, seconds in other.seconds.items():
            self.seconds.setdefault(kind, []).extend(seconds)
        self.confirms += other.confirms
        self.unanswered += other.unanswered

    @property
    def p99_ms(self) -> Mapping[str, float]:
        """The 99th percentile by type, in milliseconds."""
        return {kind: p99_ms(seconds) for kind, seconds in sorted(self.seconds.items())}


def p99_ms(seconds: Sequence[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    return round(statistics.quantiles(seconds, n=100, method="inclusive")[-1] * 1000, 1)


def wait(players: Sequence[Player], seconds: float) -> Waits:
    """Have all ask side by side for so long, the registry and casework in turn."""
    systems = [_Polite(player) for player in players]

    async def run() -> None:
        await asyncio.gather(*(one.ask(seconds) for one in systems))

    asyncio.run(run())
    together = Waits()
    for one in systems:
        together.add(one.waits)
    return together


class _Polite:
    """One of them."""

    def __init__(self, player: Player) -> None:
        self.waits = Waits()
        self._player = player
        self._sent: dict[str, tuple[str, float]] = {}
        mine = ListCases(authority=player.authority, limit=5, user=HANDLER)
        asked = (Search(text="Kammer", country="HU"), mine)
        self._asked = [(one.TYPE, one.model_dump_json(exclude_none=True).encode()) for one in asked]

    async def ask(self, seconds: float) -> None:
        """Ask for so long, then wait for the answers."""
        system = await Simulated.connect(self._player.url, self._answered, _fail)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for kind, body in self._asked:
                self._send(system, kind, body)
                await asyncio.sleep(EVERY / len(self._asked))
        deadline = time.monotonic() + _PATIENCE
        while self._sent and time.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.05)
        await system.close()
        self.waits.unanswered = len(self._sent)

    def _send(self, system: Simulated, kind: str, body: bytes) -> None:
        message_id, began = str(uuid.uuid4()), time.monotonic()
        self._sent[message_id] = kind, began
        confirmed = system.offer(kind, message_id, body)
        confirmed.add_done_callback(lambda _: self.waits.confirms.append(time.monotonic() - began))

    def _answered(self, _: str, message: Delivered) -> None:
        kind, sent = self._sent.pop(message.properties.correlation_id or "", ("", 0.0))
        if kind:
            self.waits.seconds.setdefault(kind, []).append(time.monotonic() - sent)


def _fail(error: BaseException) -> None:
    raise error
