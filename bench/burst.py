"""Many commands at once: ten systems send all they have, and again what the broker did not take, until it has all."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from bench.channel import Nacked
from bench.frames import Delivered
from bench.measure import Usage, programs
from bench.plan import Load, Player, request
from bench.simulated import Simulated
from contracts.casework import SendRequest
from contracts.inbox import Outcome

AGAIN_AFTER: Final = 0.05
"""Seconds after which a system offers again what was not taken: a lane takes no more than it may hold."""
WITHIN: Final = 300.0
_LISTEN_ON: Final = 2.0
"""Seconds after the last outcome in which one that comes twice would have come."""
_LOOK_EVERY: Final = 0.2
_DONE: Final = b'"status":"done"'


@dataclass
class Burst:
    """What came of it. Times in seconds since the first command was sent."""

    commands: int
    taken_after: float = 0.0
    answered_at: list[float] = field(default_factory=list)
    """Of each command."""
    not_taken: int = 0
    """How often the broker said no: that is how a sender learns to wait."""
    twice: int = 0
    refused: int = 0
    answered: set[str] = field(default_factory=set)
    peak_mb: dict[str, float] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """Return it in numbers."""
        after = self.answered_at[-1]
        return {
            "commands": self.commands,
            "taken_after_s": round(self.taken_after, 2),
            "answered_after_s": round(after, 2),
            "commands_per_s": round(self.commands / after, 1),
            "commands_per_s_by_quarter": self._by_quarter(),
            "not_taken": self.not_taken,
            "unanswered": self.commands - len(self.answered),
            "answered_twice": self.twice,
            "refused": self.refused,
            "peak_mb": self.peak_mb,
        }

    def _by_quarter(self) -> list[float]:
        """How quickly each quarter of the commands was answered: all wait in the first, few in the last."""
        ends = [0.0, *(self.answered_at[self.commands * quarter // 4 - 1] for quarter in range(1, 5))]
        return [round(self.commands / 4 / (end - begin), 1) for begin, end in pairwise(ends)]


async def burst(load: Load, commands: int) -> Burst:
    """Send so many requests, each system its part, and return when each has its outcome. Raises TimeoutError."""
    players = [*load.asking, *load.answering]
    done, burst_ = asyncio.Event(), Burst(commands)
    began = time.monotonic()

    def read(_: str, message: Delivered) -> None:
        if message.properties.message_type != Outcome.TYPE:
            return
        command = str(message.properties.correlation_id)
        if command in burst_.answered:
            burst_.twice += 1
            return
        burst_.answered.add(command)
        burst_.refused += _DONE not in message.body
        burst_.answered_at.append(time.monotonic() - began)
        if len(burst_.answered) == commands:
            done.set()

    systems = [await Simulated.connect(player.url, read, _broken) for player in players]
    watching = asyncio.create_task(_watch(burst_.peak_mb))
    try:
        async with asyncio.timeout(WITHIN):
            await asyncio.sleep(1)  # what is left over from before has come by then
            burst_.answered.clear()
            burst_.answered_at.clear()
            burst_.twice, burst_.refused, began = 0, 0, time.monotonic()
            bodies = [_body(load, player) for player in players]
            part = commands // len(players)
            sending = [_send(burst_, system, body, part) for system, body in zip(systems, bodies, strict=True)]
            await asyncio.gather(*sending)
            burst_.taken_after = time.monotonic() - began
            await done.wait()
            await asyncio.sleep(_LISTEN_ON)
    finally:
        await _end(watching)
        await asyncio.gather(*(system.close() for system in systems))
    return burst_


def _body(load: Load, player: Player) -> bytes:
    others: Sequence[Player] = load.answering if player in load.asking else load.asking
    return request(player, others[0])


async def _send(burst_: Burst, system: Simulated, body: bytes, part: int) -> None:
    waiting = [f"{secrets.token_hex(8)}-{number}" for number in range(part)]
    while waiting:
        offers = [system.offer(SendRequest.TYPE, message_id, body) for message_id in waiting]
        said = await asyncio.gather(*offers, return_exceptions=True)
        waiting = [one for one, error in zip(waiting, said, strict=True) if isinstance(error, Nacked)]
        if wrong := next((error for error in said if error and not isinstance(error, Nacked)), None):
            raise wrong
        burst_.not_taken += len(waiting)
        await asyncio.sleep(AGAIN_AFTER if waiting else 0)


async def _end(watching: asyncio.Task[None]) -> None:
    """Raises what ended it before."""
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def _watch(peak: dict[str, float]) -> None:
    pids = programs()
    while True:
        for name, size in Usage.now(pids).rss.items():
            peak[name] = max(peak.get(name, 0.0), round(size / 2**20, 1))
        await asyncio.sleep(_LOOK_EVERY)


def _broken(error: BaseException) -> None:
    raise error
