"""Traces: a span is the child of what it handles and the parent of what it publishes; without a collector, none."""

import sys
from collections.abc import Iterator, Sequence
from subprocess import run

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_core import from_json

from contracts.registry import Search
from services.chassis import tracing
from services.chassis.bus import Outgoing
from services.chassis.delivery import Delivery, Handled, Later
from services.chassis.desk import Answer, Desk, Event, done
from services.chassis.intake import Command
from tests.unit.deliveries import SYSTEM, delivered

LANE = f"registry.commands.{SYSTEM}"
TRACE = "a" * 32


def sent_in(span: str) -> str:
    """Where a sender says that its trace is."""
    return f"00-{TRACE}-{span * 16}-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Tracing is on, and every span that has ended is kept."""
    exporter = InMemorySpanExporter()
    tracing.export_to("registry", SimpleSpanProcessor(exporter))
    yield exporter
    tracing._use(tracing._pass_on, tracing._nothing)


async def handled(*answers: Answer | Later, count: int = 2) -> list[Outgoing]:
    """What a group of searches has to say: each in a trace of its own, all handled together."""

    async def handle(commands: Sequence[Command]) -> Sequence[Answer | Later]:
        event = (Event("event.other", Search(), "1"),)
        return answers or [Answer(done(command), (), event) for command in commands]

    desk = Desk([Search], 1_000, handle)
    group = [
        Delivery(LANE, delivered(b"{}", tag, headers={"traceparent": sent_in(str(tag))})) for tag in range(1, count + 1)
    ]
    results = await desk(group)
    return [out for result in results if isinstance(result, Handled) for out in result.outgoing]


def parent_of(span: ReadableSpan) -> str:
    """The span above, in the form in which a sender names it."""
    assert span.parent
    return f"00-{span.parent.trace_id:032x}-{span.parent.span_id:016x}-01"


def named(span: ReadableSpan) -> str:
    """The span, in the form in which it is passed on."""
    assert span.context
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


async def test_what_comes_of_a_command_is_below_its_own_span_and_of_no_other_of_the_group(
    spans: InMemorySpanExporter,
) -> None:
    """Two commands handled together and told in one message stay in two traces."""
    outgoing = await handled()
    made = spans.get_finished_spans()
    assert [span.name for span in made] == ["process registry.search.v1"] * 2
    assert [parent_of(span) for span in made] == [sent_in("1"), sent_in("2")]
    views = [view for out in outgoing if out.routing_key == "views" for view in from_json(out.body)["views"]]
    assert [view["traceparent"] for view in views] == [named(span) for span in made]
    events = [out for out in outgoing if out.routing_key == "event.other"]
    assert [event.headers["traceparent"] for event in events] == [named(span) for span in made]


async def test_what_is_put_off_is_told_when_it_is_done(spans: InMemorySpanExporter) -> None:
    """A command that is looked at again has one span in the end, not one for every look."""
    await handled(Later(1.0), count=1)
    assert not spans.get_finished_spans()


async def test_without_a_collector_the_senders_trace_is_passed_on_as_it_came() -> None:
    """No span is made; what comes of the command still names the sender's."""
    outgoing = await handled(count=1)
    views = next(from_json(out.body)["views"] for out in outgoing if out.routing_key == "views")
    assert [view["traceparent"] for view in views] == [sent_in("1")]


async def test_a_sender_without_a_trace_gets_one_of_the_exchanges(spans: InMemorySpanExporter) -> None:
    """The command is its root."""
    hop = tracing.begin("process", None, {})
    hop.end()
    assert spans.get_finished_spans()[0].parent is None
    assert tracing.is_traceparent(hop.traceparent)


async def test_a_sender_that_keeps_no_trace_makes_none_here(spans: InMemorySpanExporter) -> None:
    """Not sampled there, not sampled here; but passed on."""
    hop = tracing.begin("process", f"00-{TRACE}-{'b' * 16}-00", {})
    hop.end()
    assert not spans.get_finished_spans()
    assert hop.traceparent
    assert hop.traceparent.startswith(f"00-{TRACE}-")
    assert hop.traceparent.endswith("-00")


@pytest.mark.parametrize(("share", "traced"), [(0.0, 0), (1.0, 40)])
async def test_whoever_sees_it_first_draws_the_lot(share: float, traced: int) -> None:
    """Of what comes without a trace a share is traced; a service that gets it from another keeps to that."""
    exporter = InMemorySpanExporter()
    tracing.export_to("registry", SimpleSpanProcessor(exporter), share)
    first = [tracing.begin("process", None, {}) for _ in range(20)]
    tracing.export_to("translation", SimpleSpanProcessor(exporter), 1 - share)
    second = [tracing.begin("process", hop.traceparent, {}) for hop in first]
    for hop in first + second:
        hop.end()
    tracing._use(tracing._pass_on, tracing._nothing)
    assert len(exporter.get_finished_spans()) == traced
    assert all(tracing.is_traceparent(hop.traceparent) for hop in first)
    assert len({hop.traceparent for hop in first}) == len(first)


def test_a_service_without_traces_does_not_load_what_makes_them() -> None:
    """An idle service shall stay small."""
    program = (
        "import sys, services.casework.app, services.translation.app, services.notifier.app\n"
        "sys.exit(any(name.startswith(('opentelemetry.sdk', 'opentelemetry.trace')) for name in sys.modules))"
    )
    assert run([sys.executable, "-c", program], check=False).returncode == 0


async def test_a_collector_that_is_not_there_costs_nothing_but_the_spans() -> None:
    """Spans are handed over in the background, and the end of a process does not wait for long."""
    tracing.configure("registry", "http://127.0.0.1:9")
    hop = tracing.begin("process", sent_in("1"), {})
    hop.end()
    await tracing.shut_down()
    assert tracing.begin("process", None, {}).traceparent is None
