"""What can be seen of a replica only by looking: whether it is ready, what it consumes, how late its copies may be."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from services.chassis import metrics
from services.chassis.faults import BROKER_AWAY
from services.chassis.feed import Feed
from services.chassis.worker import Worker

EVERY: Final = 5.0
"""Seconds between two looks."""
WITHIN: Final = 4.0
"""Seconds after which a server that says nothing is away."""


class Observing:
    """Looks at a process for its metrics: whoever asks for them gets what the last look found, and waits for nobody."""

    def __init__(self, ready: Callable[[], Awaitable[bool]], workers: Sequence[Worker], copies: Sequence[Feed]) -> None:
        """`copies` are the feeds of what this service keeps of another's data."""
        self._ready = ready
        self._workers = workers
        self._copies = copies

    async def turn(self) -> None:
        """Look once. A server that is away is a finding, and no fault."""
        counts = [worker.consumers for worker in self._workers]
        metrics.CONSUMERS.set(sum(here for here, _ in counts))
        metrics.CONSUMERS_WANTED.set(sum(wanted for _, wanted in counts))
        metrics.OLDEST.set(max((worker.oldest for worker in self._workers), default=0.0))
        for feed in self._copies:
            metrics.LAG.labels(feed.queue).set(await self._lag(feed))
        metrics.READY.set(await self._is_ready())

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(WITHIN):
                return await self._ready()
        except TimeoutError:
            return False

    async def _lag(self, feed: Feed) -> float:
        try:
            async with asyncio.timeout(WITHIN):
                return await feed.lag()
        except BROKER_AWAY:
            return feed.unknown_for
