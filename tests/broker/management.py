"""The broker as its administrator sees it."""

from typing import Any

import httpx

from contracts.topology import VHOST
from deploy.local.exchange import Exchange
from deploy.local.waiting import until


def depth(exchange: Exchange, queue: str) -> int:
    """Return how many messages a queue holds, delivered ones that are not acknowledged among them."""
    with _client(exchange) as client:
        # Of a single queue the broker gives no totals without statistics, which are seconds old.
        found = client.get(f"/api/queues/{VHOST}?disable_stats=true&enable_queue_totals=true").raise_for_status()
    return int(next(one["messages"] for one in found.json() if one["name"] == queue))


def purge(exchange: Exchange, queue: str) -> None:
    """Empty a queue."""
    with _client(exchange) as client:
        client.delete(f"/api/queues/{VHOST}/{queue}/contents").raise_for_status()


def take(exchange: Exchange, queue: str) -> tuple[dict[str, Any], str]:
    """Return headers and body of the next message of a queue, and take it out."""
    taken: list[dict[str, Any]] = []

    def there_is_one() -> bool:
        taken.extend(_taken(exchange, queue, 1))
        return bool(taken)

    until(there_is_one, f"nothing comes to {queue}", within=20)
    return taken[0]["properties"]["headers"], taken[0]["payload"]


def take_all(exchange: Exchange, queue: str) -> list[dict[str, Any]]:
    """Return the headers of all messages of a queue, and take them out. What it holds by its totals may be old."""
    return [one["properties"]["headers"] for one in _taken(exchange, queue, 10_000)]


def _taken(exchange: Exchange, queue: str, at_most: int) -> list[dict[str, Any]]:
    wanted = {"count": at_most, "ackmode": "ack_requeue_false", "encoding": "auto"}
    with _client(exchange) as client:
        answer = client.post(f"/api/queues/{VHOST}/{queue}/get", json=wanted).raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def remove(exchange: Exchange, queue: str) -> dict[str, Any]:
    """Delete a queue, and return what `restore` needs to make it again with its bindings."""
    with _client(exchange) as client:
        bindings = client.get(f"/api/queues/{VHOST}/{queue}/bindings").raise_for_status().json()
        found: dict[str, Any] = client.get(f"/api/queues/{VHOST}/{queue}").raise_for_status().json()
        client.delete(f"/api/queues/{VHOST}/{queue}").raise_for_status()
    kept = {key: found[key] for key in ("name", "vhost", "durable", "auto_delete", "arguments")}
    return {"queues": [kept], "bindings": [binding for binding in bindings if binding["source"]]}


def restore(exchange: Exchange, definitions: dict[str, Any]) -> None:
    """Make again what `remove` removed."""
    with _client(exchange) as client:
        client.post("/api/definitions", json=definitions).raise_for_status()


def _client(exchange: Exchange) -> httpx.Client:
    admin = exchange.addresses.rabbit_admin
    url = exchange.addresses.management_url
    return httpx.Client(base_url=url, auth=(admin.name, admin.password), trust_env=False, timeout=20)
