"""Send a great many registrations: some hundred at a time, to be taken up again where it stopped."""

import asyncio
import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from client.authorities import COLUMNS, OF_REJECTED, Fault, Row
from client.system import LaneFull, System
from contracts.inbox import Outcome

AT_ONCE: Final = 200
"""Registrations under way. A lane holds ten times as many."""
PATIENCE: Final = 120.0
"""Seconds that an outcome is waited for."""
WAIT_WHEN_FULL: Final = 0.25
TRIES: Final = 400
LOST: Final = (AMQPError, ChannelInvalidStateError, ConnectionError)
"""The connection is gone for the moment; it comes back by itself, and the same command can be sent again."""


@dataclass
class Result:
    """What came of an import. `rejected` has the lines that were not registered, each with why."""

    registered: int = 0
    known: int = 0
    """Registered by an earlier run, as its journal says."""
    rejected: list[Fault] = field(default_factory=list)


class Journal:
    """Which lines have been registered, in a file beside the list: whoever is interrupted need not begin anew."""

    def __init__(self, path: Path) -> None:
        """Read what is there."""
        self._path = path
        self._done = set(path.read_text().split()) if path.exists() else set[str]()

    def __enter__(self) -> Self:
        """Begin to write."""
        self._file = self._path.open("a")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what was written."""
        self._file.close()

    def has(self, row: Row) -> bool:
        """Say whether this very line was registered."""
        return _mark(row) in self._done

    def note(self, row: Row) -> None:
        """Note that it is."""
        print(_mark(row), file=self._file, flush=True)


async def register(
    system: System,
    coordinator: str,
    rows: Sequence[Row],
    journal: Journal,
    progress: Callable[[], None] = lambda: None,
) -> Result:
    """Register all rows for a coordinator. `progress` is called after each. Repeating it changes nothing.

    Raises `TimeoutError` when an outcome does not come, `LaneFull` or one of `LOST` when nothing more can be sent for
    minutes.
    """
    result = Result()
    waiting = iter(rows)

    async def work() -> None:
        for row in waiting:
            if journal.has(row):
                result.known += 1
            else:
                await _one(system, coordinator, row, journal, result)
            progress()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_ONCE, len(rows))):
            group.create_task(work())
    return result


async def _one(system: System, coordinator: str, row: Row, journal: Journal, result: Result) -> None:
    outcome = await _outcome(system, coordinator, row)
    if outcome.refused:
        where = f"{outcome.refused.field}: " if outcome.refused.field else ""
        reason = f"{where}{outcome.refused.text or outcome.refused.code} ({outcome.refused.code})"
        result.rejected.append(Fault(row.line, reason, _for_the_next_time(row, outcome.refused.code)))
        return
    journal.note(row)
    result.registered += 1


def _for_the_next_time(row: Row, code: str) -> Mapping[str, str]:
    """Corrected, the line is another attempt; but not one whose first has been registered already."""
    return row.source if code == "message-id-reused" else {**row.source, "attempt": str(row.attempt + 1)}


async def _outcome(system: System, coordinator: str, row: Row) -> Outcome:
    command, message_id = row.command(coordinator), row.message_id(coordinator)
    for _ in range(TRIES):
        try:
            return await system.outcome(command, message_id, PATIENCE)
        except (LaneFull, *LOST) as error:
            last: Exception = error
            await asyncio.sleep(WAIT_WHEN_FULL)
    raise last


def write_rejected(path: Path, faults: Iterable[Fault]) -> None:
    """Write the lines that were not registered, with their number and the reason; corrected, it can be imported."""
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, [*OF_REJECTED, *COLUMNS], restval="", extrasaction="ignore")
        lines.writeheader()
        lines.writerows(_lines(faults))


def _lines(faults: Iterable[Fault]) -> Iterator[Mapping[str, str | int]]:
    for fault in sorted(faults, key=lambda one: one.line):
        yield {"line": fault.line, "reason": fault.reason, **fault.source}


def _mark(row: Row) -> str:
    text = json.dumps([row.reference, row.system, row.details.model_dump(mode="json")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
