"""Where a group's time goes: how much of handling it is waiting for the database, and how much is deciding."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from services.chassis import metrics


class _Stored:
    """What the task at hand has spent waiting for the database."""

    def __init__(self) -> None:
        self.seconds = 0.0


_STORED: ContextVar[_Stored | None] = ContextVar("stored", default=None)


@contextmanager
def handling(waiting_since: float) -> Iterator[None]:
    """Measure what happens in the block as the handling of a group whose first message was taken at a monotonic time.

    Operations that run side by side may add up to more than the block took: then nothing is left for deciding.
    """
    stored, begun = _Stored(), time.monotonic()
    metrics.WAITING.observe(begun - waiting_since)
    token = _STORED.set(stored)
    try:
        yield
    finally:
        _STORED.reset(token)
        metrics.STORING.observe(stored.seconds)
        metrics.DECIDING.observe(max(0.0, time.monotonic() - begun - stored.seconds))


class DatabaseTime(CommandListener):
    """Counts what the database is asked, and adds its time to that of the group for which it is asked."""

    def started(self, event: CommandStartedEvent) -> None:
        """Nothing is to be counted yet."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Count an operation."""
        self._note(event)

    def failed(self, event: CommandFailedEvent) -> None:
        """Count an operation that the database did not carry out."""
        metrics.DATABASE_FAILURES.inc()
        self._note(event)

    def _note(self, event: CommandSucceededEvent | CommandFailedEvent) -> None:
        seconds = event.duration_micros / 1e6
        metrics.DATABASE_SECONDS.labels(event.command_name).observe(seconds)
        if stored := _STORED.get():
            stored.seconds += seconds
