"""What each part of seeing costs: a message's CPU on the hot path with metrics, logs and traces, and without.

In one process, with memory in the place of the broker and the database: what is timed is the chassis and casework's own
work, from delivery to acknowledgement. There is no socket, no driver, no encryption, so a real message costs more, and
the share that is found is more than the real one. Each way is timed in turn, many times over; the median counts.
"""

import asyncio
import gc
import io
import statistics
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

import structlog
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from bench.unseen import no_metrics
from contracts.casework import COMMANDS, SendRequest
from contracts.dates import AllDates
from services.chassis import desk, logs, tracing
from services.chassis.serving import Serving
from services.chassis.settings import BrokerSettings
from tests.unit.deliveries import FakeSession
from tests.unit.samples import SENDER, SYSTEM_OF, request
from tests.unit.test_case_desk import MemoryStore, desk_of

MESSAGES: Final = 500
ROUNDS: Final = 9
WAYS: Final = {
    "none": (),
    "metrics": ("metrics",),
    "logs": ("logs",),
    "traces": ("traces",),
    "all": ("metrics", "logs", "traces"),
    "shipped": ("metrics", "logs", "lots"),
}
"""What sees. `traces`: every message, since its sender traces it; `lots`: the share of those that nobody traces."""
TRACEPARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def measured() -> dict[str, Any]:
    """Return what a message costs each way, and which share of it seeing everything is."""
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, parts in WAYS.items():
            took[way].append(await timed(parts))
    us = {way: statistics.median(some) * 1e6 / MESSAGES for way, some in took.items()}
    # Within a round, for the machine is another from round to round.
    added = {way: round(_added(took["none"], some), 1) for way, some in took.items() if way != "none"}
    share = added["shipped"] / us["shipped"]
    return {
        "us_per_message": {way: round(cost, 1) for way, cost in us.items()},
        "added_us": added,
        "share": round(share, 3),
    }


def _added(blind: Sequence[float], seen: Sequence[float]) -> float:
    return statistics.median(b - a for a, b in zip(blind, seen, strict=True)) * 1e6 / MESSAGES


async def timed(parts: Sequence[str]) -> float:
    """Return the seconds of CPU for so many commands, seen by these parts."""
    with ExitStack() as stack:
        stack.enter_context(nullcontext() if "metrics" in parts else no_metrics())
        _logs(on="logs" in parts)
        _traces(parts)
        session, stopping = FakeSession(), asyncio.Event()
        serving = Serving(session.real, _lanes, desk.Desk(COMMANDS, 262_144, desk_of(MemoryStore())))
        running = asyncio.create_task(serving.run(stopping))
        await session.until(lambda: session.takes)
        bodies = [_body() for _ in range(MESSAGES)]
        gc.collect()
        begun = time.process_time()
        await _deliver(session, bodies, {} if "lots" in parts else {"traceparent": TRACEPARENT})
        used = time.process_time() - begun
        stopping.set()
        await running
    await tracing.shut_down()
    assert any(message.type == AllDates.TYPE for message in session.published)  # they were carried out
    return used


async def _lanes() -> list[str]:
    return [f"casework.commands.{SYSTEM_OF[SENDER]}"]


def _body() -> bytes:
    wished = datetime.now(UTC).date() + timedelta(days=20)
    return request(wished_date=wished).model_dump_json(exclude_none=True).encode()


async def _deliver(session: FakeSession, bodies: Sequence[bytes], headers: Mapping[str, str]) -> None:
    """Return when all have been acknowledged."""
    (lane,) = await _lanes()
    for body in bodies:
        message_id = str(uuid.uuid4())
        properties = {"message_type": SendRequest.TYPE, "message_id": message_id, "user_id": SYSTEM_OF[SENDER]}
        await session.deliver(lane, body, routing_key=SendRequest.TYPE, headers=dict(headers), **properties)
    await session.until(lambda: not session.unacknowledged)


def _logs(*, on: bool) -> None:
    structlog.reset_defaults()
    desk.log = structlog.get_logger()  # the one that is there has kept what it was configured with first
    with patch.object(sys, "stdout", io.StringIO()):
        logs.configure("casework", "INFO" if on else "CRITICAL")


def _traces(parts: Sequence[str]) -> None:
    if "traces" in parts or "lots" in parts:
        share = BrokerSettings.model_fields["trace_share"].default
        tracing.export_to("casework", BatchSpanProcessor(Forgetting()), share)


class Forgetting(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, _spans: object) -> SpanExportResult:
        """Take some."""
        return SpanExportResult.SUCCESS
