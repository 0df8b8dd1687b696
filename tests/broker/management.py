"""The broker as its administrator sees it."""

import httpx

from contracts.topology import VHOST
from deploy.local.exchange import Exchange


def depth(exchange: Exchange, queue: str) -> int:
    """Return how many messages a queue holds, delivered ones that are not acknowledged among them."""
    admin = exchange.addresses.rabbit_admin
    url = f"{exchange.addresses.management_url}/api/queues/{VHOST}/{queue}?disable_stats=true&enable_queue_totals=true"
    found = httpx.get(url, auth=(admin.name, admin.password), trust_env=False).raise_for_status().json()
    return int(found.get("messages", 0))
