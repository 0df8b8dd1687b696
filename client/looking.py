"""What the management API and the services' own pages say, asked with an account that may only look."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx

from contracts.management import read
from contracts.topology import VHOST

_LINE: Final = re.compile(r"(?P<name>[a-z_]+)(?:\{[^}]*\})? (?P<value>[0-9.e+-]+)")
_UNREAD_FOR: Final = 'max by (queue) (queue:waiting_seconds:max{queue=~"inbox[.].+"})'
WITHIN: Final = 10.0
"""Seconds for an answer."""


class BrokerDown(ConnectionError):
    """The management API does not answer, or does not let this account look."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as it is now. The number of its consumers is some seconds old."""

    name: str
    ready: int
    in_hand: int
    consumers: int
    running: bool


@dataclass(frozen=True, slots=True)
class Replica:
    """What a replica says of itself; `metrics` are the greatest values over all labels."""

    url: str
    ready: bool
    metrics: Mapping[str, float]


class Looking:
    """The management API for whoever may look, and nothing else. Use it as an asynchronous context manager."""

    def __init__(self, url: str, vhost: str = VHOST) -> None:
        """`url` holds the account: one with the tag `monitoring` and an empty permission is enough."""
        self._vhost = quote(vhost, safe="")
        self._client = httpx.AsyncClient(base_url=url, timeout=WITHIN)

    async def __aenter__(self) -> "Looking":
        """Nothing is connected before the first question."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def queues(self) -> list[Queue]:
        """Return all queues. Raises `BrokerDown`."""
        totals, statistics = await asyncio.gather(
            self.ask(f"/api/queues/{self._vhost}?disable_stats=true&enable_queue_totals=true"),
            self.ask(f"/api/queues/{self._vhost}?columns=name,consumers"),
        )
        consumers = {one["name"]: one.get("consumers", 0) for one in statistics}
        return [_queue(one, consumers.get(one["name"], 0)) for one in totals]

    async def connections(self) -> dict[str, int]:
        """Return how many connections each account has. Raises `BrokerDown`."""
        found = dict[str, int]()
        for one in await self.ask("/api/connections?columns=name,user&disable_stats=true"):
            if user := one.get("user"):
                found[user] = found.get(user, 0) + 1
        return found

    async def permitted(self) -> set[str] | None:
        """Return the accounts that may do anything here; nothing when this account may not know."""
        try:
            found = await self.ask("/api/permissions")
        except BrokerDown:
            return None
        return {one["user"] for one in found}

    async def ask(self, path: str) -> Any:
        """Return what the API says. Raises `BrokerDown`, which quotes no address: it holds a password."""
        try:
            response = await self._client.get(path)
        except httpx.HTTPError as error:
            raise BrokerDown(type(error).__name__) from None
        if not response.is_success:
            raise BrokerDown(f"HTTP {response.status_code}")
        return read(response.text)


async def unread_for(url: str) -> dict[str, float]:
    """Return for how long, at the most, something has been unread in each inbox: what the dashboards show.

    RabbitMQ does not tell how old the head of a quorum queue is; Prometheus remembers when each was seen empty. Raises
    `BrokerDown` when it cannot be asked.
    """
    async with httpx.AsyncClient(timeout=WITHIN) as client:
        try:
            response = await client.get(f"{url.rstrip('/')}/api/v1/query", params={"query": _UNREAD_FOR})
            found = response.raise_for_status().json()["data"]["result"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise BrokerDown(type(error).__name__) from None
    return {one["metric"]["queue"]: float(one["value"][1]) for one in found}


async def replicas(urls: Sequence[str]) -> list[Replica]:
    """Return what the replicas at these addresses say; one that says nothing is not ready."""
    async with httpx.AsyncClient(timeout=WITHIN) as client:
        return list(await asyncio.gather(*(_replica(client, url.rstrip("/")) for url in urls)))


async def _replica(client: httpx.AsyncClient, url: str) -> Replica:
    try:
        ready, metrics = await asyncio.gather(client.get(f"{url}/health/ready"), client.get(f"{url}/metrics"))
    except httpx.HTTPError:
        return Replica(url, ready=False, metrics={})
    return Replica(url, ready.is_success, greatest_of(metrics.text) if metrics.is_success else {})


def greatest_of(text: str) -> dict[str, float]:
    """Return the greatest value of each metric in Prometheus' text format, whatever its labels."""
    found = dict[str, float]()
    for line in map(_LINE.fullmatch, text.splitlines()):
        if line:
            found[line["name"]] = max(found.get(line["name"], float("-inf")), float(line["value"]))
    return found


def _queue(found: Mapping[str, Any], consumers: int) -> Queue:
    ready, in_hand = found.get("messages_ready") or 0, found.get("messages_unacknowledged") or 0
    return Queue(found["name"], ready, in_hand, consumers, found.get("state", "running") == "running")
