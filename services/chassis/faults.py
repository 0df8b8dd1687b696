"""Faults that pass by themselves, and waiting until they have."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog
from pymongo.errors import (
    AutoReconnect,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    WaitQueueTimeoutError,
)

from services.chassis import metrics

T = TypeVar("T")
log = structlog.get_logger()

DATABASE_AWAY: Final = (AutoReconnect, NetworkTimeout, ExecutionTimeout, WaitQueueTimeoutError)
PATIENCE: Final = 600.0
"""Seconds for which a delivery is held while a fault lasts. RabbitMQ drops a consumer that holds one for 30 minutes."""

_SHORTEST, _LONGEST = 0.05, 5.0


class Impatient(Exception):
    """A fault did not pass in time: give the delivery back, and take up again later."""


async def outlast(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what `attempt` returns, repeating it while a server is away. `attempt` must be idempotent.

    Waits between attempts twice as long each time, up to 5 s, with jitter. Raises `Impatient` after `PATIENCE`.
    """
    pause, deadline = _SHORTEST, asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await attempt()
        except Exception as error:
            if not passes(error):
                raise
            metrics.RETRIES.labels(type(error).__name__).inc()
            log.warning("a server is away", fault=type(error).__name__, next_attempt_s=round(pause, 2))
            if asyncio.get_running_loop().time() > deadline:
                raise Impatient from error
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        pause = min(pause * 2, _LONGEST)


def passes(error: Exception) -> bool:
    """Say whether the same operation may succeed later without anybody changing anything."""
    if isinstance(error, OperationFailure) and error.has_error_label("RetryableWriteError"):
        return True
    return isinstance(error, (*DATABASE_AWAY, ConnectionError))
