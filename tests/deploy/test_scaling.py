"""What KEDA asks Prometheus for, asked of the real broker: what waits for a service counts, what is parked does not."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from contracts.topology import SERVICES, VHOST
from deploy.local.exchange import Exchange
from deploy.local.waiting import until
from tests.broker.administering import administrator
from tests.deploy.rendered import named
from tests.world import World

pytestmark = pytest.mark.servers

SERIES = re.compile(
    r'rabbitmq_detailed_queue_messages\{vhost="(?P<vhost>[^"]*)",queue="(?P<queue>[^"]*)"\} (?P<value>\S+)'
)
QUERIED = re.compile(r'queue=~"(?P<queues>[^"]*)"')
MANY = 7


def waiting_for(service: str, exchange: Exchange) -> float:
    """What the query of the service's ScaledObject says, worked out as Prometheus does."""
    (trigger,) = named("production", "ScaledObject", service)["spec"]["triggers"]
    found = QUERIED.search(trigger["metadata"]["query"])
    assert found
    pattern = re.compile(found["queues"].replace("\\\\", "\\"))
    (detailed,) = (
        one
        for one in named("production", "PodMonitor", "rabbitmq")["spec"]["podMetricsEndpoints"]
        if one["path"] == "/metrics/detailed"
    )
    text = httpx.get(f"{exchange.addresses.prometheus_url}{detailed['path']}", params=detailed["params"]).text
    series = list(SERIES.finditer(text))
    assert series, "the broker tells the length of each queue"
    assert {one["vhost"] for one in series} == {VHOST}
    return sum(float(one["value"]) for one in series if pattern.fullmatch(one["queue"]))


@contextmanager
def lying_in(exchange: Exchange, *queues: str) -> Iterator[None]:
    """Have some messages in each queue, and none of them afterwards."""
    with administrator(exchange) as admin:
        for queue in queues:
            for _ in range(MANY):
                message = {
                    "properties": {},
                    "routing_key": queue,
                    "payload": json.dumps({}),
                    "payload_encoding": "string",
                }
                assert admin.post(f"/api/exchanges/{VHOST}/amq.default/publish", message) == {"routed": True}
        try:
            yield
        finally:
            for queue in queues:
                admin.delete(f"/api/queues/{VHOST}/{queue}/contents")


def test_what_waits_for_a_service_counts_and_what_is_parked_does_not(world: World) -> None:
    """A stopped service's lanes fill and are counted, all of them; parked messages of every service change nothing."""
    exchange = world.exchange
    if exchange.addresses.prometheus_url is None:
        pytest.skip("the broker was given without the address of its figures")
    exchange.stop(*exchange.of("notifier"))
    try:
        lanes = [f"notifier.commands.{system}" for system in ("de-kammer", "hu-hivatal")]
        parked = [f"{service}.parked" for service in SERVICES]
        with lying_in(exchange, *lanes, *parked):
            until(lambda: waiting_for("notifier", exchange) == len(lanes) * MANY, "the lanes are counted")
            until(lambda: lengths(exchange).items() >= dict.fromkeys(parked, MANY).items(), "what is parked is told")
            assert waiting_for("notifier", exchange) == len(lanes) * MANY
    finally:
        exchange.start("notifier")
        exchange.wait_until_ready()


def lengths(exchange: Exchange) -> dict[str, int]:
    """The length of each queue, as the broker's figures tell it."""
    url = f"{exchange.addresses.prometheus_url}/metrics/detailed"
    text = httpx.get(url, params={"family": "queue_coarse_metrics", "vhost": VHOST}).text
    return {one["queue"]: int(float(one["value"])) for one in SERIES.finditer(text)}
