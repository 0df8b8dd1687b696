"""Faults that pass by themselves, and waiting until they have."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import structlog
from aiormq.exceptions import AMQPError, ChannelInvalidStateError
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    WaitQueueTimeoutError,
)

from services.chassis import metrics

T = TypeVar("T")
log = structlog.get_logger()

BROKER_AWAY: Final = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError)
"""What talking to the broker raises when the connection or the broker is at fault."""

DATABASE_AWAY: Final = (ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError)
# What an operations team mends while we wait: no right or no login (13, 18), a full disk (14031), locks and conflicts
# (24, 46, 112), an interruption, a majority that does not answer, a change of primary.
_PASSING_CODES: Final = frozenset(
    {
        6,
        7,
        13,
        18,
        24,
        46,
        50,
        64,
        79,
        89,
        91,
        100,
        112,
        189,
        262,
        9001,
        10107,
        11600,
        11601,
        11602,
        13435,
        13436,
        14031,
    }
)
PATIENCE: Final = 600.0
"""Seconds for which a delivery is held while a fault lasts. RabbitMQ drops a consumer that holds one for 30 minutes."""

_SHORTEST, _LONGEST = 0.05, 5.0


class TryAgain(Exception):
    """Others were in the way: the same operation may succeed in a moment."""


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
    """Say whether the same operation may succeed later without anybody changing the message or the code."""
    if isinstance(error, BulkWriteError):
        return _bulk_passes(error.details)
    if isinstance(error, OperationFailure):
        return error.has_error_label("RetryableWriteError") or error.code in _PASSING_CODES
    return isinstance(error, (*DATABASE_AWAY, ConnectionError, TryAgain))


def _bulk_passes(details: Mapping[str, Any]) -> bool:
    codes = {one["code"] for one in details["writeErrors"]}
    return codes <= _PASSING_CODES if codes else bool(details["writeConcernErrors"])
