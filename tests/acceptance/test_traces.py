"""One trace from a system's command through every service to the inboxes, on real servers and a collector."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.topology import SERVICES
from deploy.local.exchange import exchange
from deploy.local.waiting import until
from tests.acceptance.collector import Collector, Told, collector
from tests.broker.raw import raw_system
from tests.world import World, populate

pytestmark = [pytest.mark.servers, pytest.mark.slow]

TRACE, SENDERS_SPAN = "a" * 32, "b" * 16


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Collector]]:
    """An exchange that tells a collector of its traces."""
    with collector() as collecting:
        telling = {"IMI_OTLP_ENDPOINT": collecting.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        folder = Path(tmp_path_factory.mktemp("traced"))
        settings = {name: dict(telling) for name in (*SERVICES, "provisioner")}
        settings["notifier"]["IMI_GATHER_FOR"] = "PT0S"
        with exchange(folder, settings) as running:
            yield populate(running), collecting


def below(spans: list[Told], parent: str) -> list[Told]:
    """The spans whose parent this is."""
    return [span for span in spans if span.parent == parent]


async def test_a_request_is_one_trace_to_each_inbox_and_to_the_mail(traced: tuple[World, Collector]) -> None:
    """Casework's is below the sender's, each message's and the plan's below casework's, the mail's below the plan's."""
    world, collecting = traced
    names = ("de-kammer", "hu-hivatal")
    async with (
        raw_system(world.url(names[0]), names[0]) as asking,
        raw_system(world.url(names[1]), names[1]) as answering,
    ):
        body = world.request().model_dump_json(exclude_none=True).encode()
        headers = {"traceparent": f"00-{TRACE}-{SENDERS_SPAN}-01"}
        await asking.command("casework.send_request.v1", body, "traced", headers=headers)
        outcome, _ = await asking.receive(lambda p, b: p.correlation_id == "traced" and b["kind"] == "outcome")
        arrived, _ = await answering.receive(lambda _, b: b["kind"] == "case")
    named = {str((p.headers or {})["traceparent"]) for p in (outcome, arrived)}
    await asyncio.to_thread(until, lambda: len(collecting.of(TRACE)) >= 5, "the services' spans")
    spans = collecting.of(TRACE)
    (casework,) = below(spans, SENDERS_SPAN)
    assert (casework.service, casework.name) == ("casework", "process casework.send_request.v1")
    hops = below(spans, casework.span)
    assert sorted((hop.service, hop.name) for hop in hops) == [
        ("notifier", "plan"),
        ("translation", "translate"),
        ("translation", "translate"),
    ]
    (plan,) = (hop for hop in hops if hop.service == "notifier")
    assert [(hop.service, hop.name) for hop in below(spans, plan.span)] == [("notifier", "send e-mail")]
    assert named == {f"00-{TRACE}-{hop.span}-01" for hop in hops if hop.service == "translation"}
