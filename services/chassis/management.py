"""RabbitMQ's management API, for the provisioner and for `imi topology apply` alone."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx

from contracts.management import read
from contracts.topology import Definitions

Listed = list[dict[str, Any]]

_PARTS: Final[Mapping[str, str]] = {
    "users": "/api/users?columns=name,tags,password_hash,hashing_algorithm",
    "limits": "/api/user-limits",
    # Without statistics: those come seconds late.
    "connections": "/api/connections?columns=name,user&disable_stats=true",
    "permissions": "/api/permissions",
    "topic_permissions": "/api/topic-permissions",
    "exchanges": "/api/exchanges/{vhost}?columns=name,type,durable,internal,arguments",
    "queues": "/api/queues/{vhost}?columns=name&disable_stats=true",
    "bindings": "/api/bindings/{vhost}?columns=source,destination,destination_type,routing_key,properties_key",
}

_STANDING: Final = frozenset({"down", "crashed", "stopped"})
"""States of a queue that nobody can use."""


class BrokerAway(ConnectionError):
    """The management API does not answer, or not yet."""


class Management:
    """The broker as its administrator sees it. Every method raises `BrokerAway` when it cannot be reached.

    Every method raises `httpx.HTTPStatusError` when the broker refuses.
    """

    def __init__(self, url: str) -> None:
        """`url` holds the administrator's name and password, and in `cafile` whom to trust if not the machine's."""
        address = httpx.URL(url)
        context = ssl.create_default_context(cafile=address.params.get("cafile"))
        self._client = httpx.AsyncClient(base_url=address.copy_with(query=None), timeout=30, verify=context)
        self.administrator = address.username

    async def apply(self, definitions: Definitions) -> None:
        """Make what is not there yet; what is there stays, but an account, its limits and its permission change."""
        await self._ask("POST", "/api/definitions", json=definitions)

    async def account(self, user: str) -> dict[str, Any] | None:
        """Return an account, or nothing when there is none of that name."""
        response = await self._ask("GET", f"/api/users/{_quoted(user)}")
        found: dict[str, Any] | None = None if response.status_code == httpx.codes.NOT_FOUND else response.json()
        return found

    async def everything(self, vhost: str) -> dict[str, Listed]:
        """Return all accounts with what they may and have open, and all exchanges, queues and bindings of a vhost."""
        paths = [path.format(vhost=_quoted(vhost)) for path in _PARTS.values()]
        responses = await asyncio.gather(*(self._ask("GET", path) for path in paths))
        return {part: response.raise_for_status().json() for part, response in zip(_PARTS, responses, strict=True)}

    async def queues(self, vhost: str) -> set[str]:
        """Return the names of all queues; none where there is no such vhost yet."""
        return {one["name"] for one in await self._states(vhost)}

    async def standing_still(self, vhost: str) -> set[str]:
        """Return the names of the queues that do not run now, if only for the moment that an election takes."""
        return {one["name"] for one in await self._states(vhost) if one.get("state") in _STANDING}

    async def whole(self) -> bool:
        """Say whether every node of the broker runs."""
        response = await self._ask("GET", "/api/nodes?columns=running")
        return all(one["running"] for one in response.raise_for_status().json())

    async def forbid(self, user: str, vhost: str) -> None:
        """Take away whatever a user may do in a vhost."""
        await self._ask("DELETE", f"/api/permissions/{_quoted(vhost)}/{_quoted(user)}")

    async def unrestrict(self, user: str, vhost: str) -> None:
        """Take away what narrows a user's permissions to some routing keys."""
        await self._ask("DELETE", f"/api/topic-permissions/{_quoted(vhost)}/{_quoted(user)}")

    async def close_connections(self, user: str) -> None:
        """Close a user's connections, on all nodes, those among them that no statistics show yet."""
        await self._ask("DELETE", f"/api/connections/username/{_quoted(user)}")

    async def remove_user(self, user: str) -> None:
        """Delete an account, its permissions and limits with it."""
        await self._ask("DELETE", f"/api/users/{_quoted(user)}")

    async def remove_exchange(self, exchange: str, vhost: str) -> None:
        """Delete an exchange, its bindings with it."""
        await self._ask("DELETE", f"/api/exchanges/{_quoted(vhost)}/{_quoted(exchange)}")

    async def remove_queue(self, queue: str, vhost: str) -> None:
        """Delete a queue with what is in it."""
        await self._ask("DELETE", f"/api/queues/{_quoted(vhost)}/{_quoted(queue)}")

    async def unbind(self, binding: Mapping[str, Any], vhost: str) -> None:
        """Delete a binding as `everything` lists it."""
        kind = "q" if binding["destination_type"] == "queue" else "e"
        names = [binding["source"], kind, binding["destination"], binding["properties_key"]]
        await self._ask("DELETE", f"/api/bindings/{_quoted(vhost)}/e/{'/'.join(map(_quoted, names))}")

    async def _states(self, vhost: str) -> Listed:
        # Only with its totals does the broker say whether a queue runs; statistics would come seconds late.
        response = await self._ask("GET", f"/api/queues/{_quoted(vhost)}?disable_stats=true&enable_queue_totals=true")
        found: Listed = [] if response.status_code == httpx.codes.NOT_FOUND else read(response.text)
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Ask, where nothing is a good answer too: what is to be gone may be gone already."""
        try:
            response = await self._client.request(method, path, **content)
        except httpx.TransportError as error:
            raise BrokerAway from error
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise BrokerAway(response.status_code)
        if response.status_code != httpx.codes.NOT_FOUND or method == "POST":
            response.raise_for_status()
        return response


def _quoted(name: str) -> str:
    return quote(name, safe="")
