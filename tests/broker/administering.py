"""What connected systems have in the broker, as its administrator sees and may spoil it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from contracts.topology import VHOST, exchanges_of, queues_of, system_topology
from deploy.local.exchange import Exchange

NOBODYS = frozenset({"operator"})


@dataclass(frozen=True)
class Has:
    """Everything that the broker has of one system."""

    account: bool
    permission: bool
    exchanges: frozenset[str]
    queues: frozenset[str]
    bindings: int


def everything(system: str) -> Has:
    """What the broker has of an active system."""
    bindings = len(system_topology(system, None)["bindings"])
    return Has(True, True, frozenset(exchanges_of(system)), frozenset(queues_of(system)), bindings)


NOTHING = Has(False, False, frozenset(), frozenset(), 0)


class Administrator:
    """The management API."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str) -> Any:
        """What the API says."""
        return self._client.get(path).raise_for_status().json()

    def put(self, path: str, content: Mapping[str, Any]) -> None:
        """Make or change something."""
        self._client.put(path, json=content).raise_for_status()

    def post(self, path: str, content: Mapping[str, Any]) -> Any:
        """Have something done."""
        response = self._client.post(path, json=content).raise_for_status()
        return response.json() if response.content else None

    def delete(self, path: str) -> None:
        """Delete something, which must be there."""
        self._client.delete(path).raise_for_status()

    def has(self, system: str) -> Has:
        """What the broker has of a system now."""
        queues, own = frozenset(queues_of(system)), frozenset(exchanges_of(system))
        bindings = self.get(f"/api/bindings/{VHOST}")
        return Has(
            account=system in self.accounts(),
            permission=system in self.permissions(),
            exchanges=own & {one["name"] for one in self.get(f"/api/exchanges/{VHOST}")},
            queues=queues & {one["name"] for one in self.get(f"/api/queues/{VHOST}?disable_stats=true")},
            bindings=sum(
                one["source"] in own or (one["source"] != "" and one["destination"] in queues) for one in bindings
            ),
        )

    def accounts(self) -> dict[str, dict[str, Any]]:
        """All accounts but those of the exchange itself and the administrators', with their hashes."""
        users = {one["name"]: one for one in self.get("/api/users")}
        return {name: one for name, one in users.items() if _is_systems(name) and "administrator" not in one["tags"]}

    def permissions(self) -> dict[str, list[tuple[str, ...]]]:
        """All permissions of those accounts, in whichever vhost."""
        accounts, found = self.accounts(), dict[str, list[tuple[str, ...]]]()
        for one in self.get("/api/permissions"):
            if one["user"] in accounts:
                permission = tuple(one[key] for key in ("vhost", "configure", "write", "read"))
                found.setdefault(one["user"], []).append(permission)
        return found

    def waiting(self, queue: str) -> int:
        """How many messages a queue holds now. For one queue alone RabbitMQ 3.10 would not say."""
        listed = self.get(f"/api/queues/{VHOST}?disable_stats=true&enable_queue_totals=true")
        return next(int(one["messages"]) for one in listed if one["name"] == queue)

    def connections(self, user: str) -> int:
        """How many connections a user has now."""
        return len(self.get(f"/api/connections/username/{quote(user)}"))


def right(system: str) -> list[tuple[str, ...]]:
    """The one permission that a connected system should have."""
    return [(VHOST, "^$", rf"^in\.{system}$", rf"^inbox\.{system}$")]


@contextmanager
def administrator(exchange: Exchange) -> Iterator[Administrator]:
    """The broker's administrator."""
    admin = exchange.addresses.rabbit_admin
    url = exchange.addresses.management_url
    with httpx.Client(base_url=url, auth=(admin.name, admin.password), trust_env=False, timeout=30) as client:
        yield Administrator(client)


def _is_systems(name: str) -> bool:
    return not name.startswith("service.") and name not in NOBODYS
