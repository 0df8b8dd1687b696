"""Traces: one from a system's message through every service to the inboxes and the mails. Off unless told otherwise.

What is passed on is the W3C Trace Context (`traceparent`). A service's span is the child of the span whose message it
handles, and what it publishes names that span, whoever else's messages were handled in the same group or went out in
the same message: a framework's middleware, which sees one message in and one out, would make siblings of them.

Nothing of OpenTelemetry is loaded, and no span is made, without a collector's address: then a `traceparent` is passed
on as it came. With one, a sender's word counts: what it traces is traced, what it does not is not. Of what comes
without a trace a share is traced, for a span costs more than all metrics and logs of a message; whichever service sees
it first draws the lot, and all others keep to it.
"""

import asyncio
import random
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

HEADER: Final = "traceparent"
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_EXPORT_WITHIN: Final = 5_000
"""Milliseconds that a shutdown waits for the collector."""

current: ContextVar[str | None] = ContextVar(HEADER, default=None)
"""Of the event that is being handled, where one is handled at a time."""


@dataclass(slots=True)
class Hop:
    """One service's part in a trace: `traceparent` is what it passes on, `end` is called when its part is done."""

    traceparent: str | None
    end: Callable[[], None]


def _nothing() -> None:
    """There is no span to end."""


_Begin = Callable[[str, str | None, Mapping[str, str]], Hop]


def _pass_on(_name: str, parent: str | None, _attributes: Mapping[str, str]) -> Hop:
    return Hop(parent, _nothing)


_begin: _Begin = _pass_on
_shut_down: Callable[[], Any] = _nothing


def begin(name: str, parent: str | None, attributes: Mapping[str, str]) -> Hop:
    """Begin a span below `parent`. One that is never ended is never told: a message that is put off has none."""
    return _begin(name, parent, attributes)


def is_traceparent(value: object) -> bool:
    """Say whether this is one: anything else that a sender puts there goes no further."""
    return isinstance(value, str) and _TRACEPARENT.fullmatch(value) is not None


def headers() -> dict[str, str]:
    """Return the headers by which what is published now names the event that is being handled."""
    parent = current.get()
    return {HEADER: parent} if parent else {}


def configure(service: str, endpoint: str | None, share: float = 1.0) -> None:
    """Send spans to the OTLP collector at `endpoint` (`http://host:4318`), in the background; without one, none."""
    if not endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - costs memory; see above
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    export_to(service, BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")), share)


def export_to(service: str, processor: Any, share: float = 1.0) -> None:
    """Hand every span that ends to an OpenTelemetry span processor; of traces that begin here, there is a `share`."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(processor)

    def shut() -> None:
        provider.force_flush(_EXPORT_WITHIN)
        provider.shutdown()

    _use(_beginner(provider.get_tracer("imi"), share), shut)


async def shut_down() -> None:
    """Hand over what has ended, within seconds, and make no more spans."""
    await asyncio.to_thread(_shut_down)
    _use(_pass_on, _nothing)


def _use(begin_one: _Begin, shut: Callable[[], Any]) -> None:
    global _begin, _shut_down
    _begin, _shut_down = begin_one, shut


def _beginner(tracer: Any, share: float) -> _Begin:
    from opentelemetry import trace  # noqa: PLC0415

    def context_of(found: re.Match[str] | None) -> Any:
        if not found:
            return trace.set_span_in_context(trace.INVALID_SPAN)
        trace_id, span_id, flags = (int(part, 16) for part in found.groups())
        remote = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(flags & 1))
        return trace.set_span_in_context(trace.NonRecordingSpan(remote))

    def begin_one(name: str, parent: str | None, attributes: Mapping[str, str]) -> Hop:
        found = _TRACEPARENT.fullmatch(parent or "")
        if found and not int(found[3], 16) & 1:
            return Hop(parent, _nothing)
        if not found and random.random() >= share:  # noqa: S311 - a lot, not a secret
            return Hop(_untraced(), _nothing)
        span = tracer.start_span(name, context_of(found), kind=trace.SpanKind.CONSUMER, attributes=attributes)
        made = span.get_span_context()
        return Hop(f"00-{made.trace_id:032x}-{made.span_id:016x}-{made.trace_flags:02x}", span.end)

    return begin_one


def _untraced() -> str:
    """What tells all others that the lot has been drawn, and there is no trace."""
    number = random.getrandbits(192) | 1 << 64 | 1
    return f"00-{number >> 64:032x}-{number & (1 << 64) - 1:016x}-00"
