"""What a process does every so often besides taking messages."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from services.chassis.faults import BROKER_AWAY
from services.chassis.logs import where

log = structlog.get_logger()

LONGEST_PAUSE: Final = 30.0
"""Seconds after which a turn that failed is tried again, at the latest."""
FINISH_WITHIN: Final = 2.0
"""Seconds that an end waits for a turn that is under way."""


class Loop:
    """Does something every so often, in the background. No fault ends it."""

    def __init__(self, name: str, turn: Callable[[], Awaitable[object]], every: float) -> None:
        """`turn` is done `every` so many seconds, more or less: replicas do not stay together."""
        self._name = name
        self._turn = turn
        self._every = every
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def end(self) -> None:
        """End. A turn that is under way is finished, unless it takes long: then another will find what there is to do.

        A transaction that is broken off can stay open at the server for a minute, and nobody else can write meanwhile
        what it had written.
        """
        if self._task:
            self._ending.set()
            await asyncio.wait([self._task], timeout=FINISH_WITHIN)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def runs(self) -> bool:
        """Say whether the loop runs. It does while the database or the broker is away."""
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        while not self._ending.is_set():
            pause = min(self._every, LONGEST_PAUSE)
            try:
                await self._turn()
                pause = self._every
            except BROKER_AWAY as fault:
                log.warning("not done", loop=self._name, fault=type(fault).__name__)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next turn may go well
                log.warning("not done", loop=self._name, where=where(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause * random.uniform(0.75, 1.25)):  # noqa: S311 - jitter, not a secret
                    await self._ending.wait()
