"""A connected system, as its history tells it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.refusal import Refusal
from contracts.registry import Account, Provision, SystemState
from contracts.topology import RESERVED
from contracts.types import User
from services.registry.authority import Authority

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class System:
    """The account by which one or more authorities speak."""

    id: str
    version: int
    password_hash: str
    languages: tuple[str, ...]
    state: str
    coordinator_system: str
    """The system that asked for it, and is told when it can log in."""

    def provision(self) -> Provision:
        """Return the order to make its account, exchange, lanes and inbox."""
        return Provision(system=self.id, password_hash=self.password_hash)

    def event(self) -> SystemState:
        """Return what the other services are told of it."""
        return SystemState(id=self.id, version=self.version, languages=self.languages, state=self.state)


def system_from(system_id: str, history: Iterable[Entry]) -> System | None:
    """Return the system that this history tells, or nothing when it is empty."""
    entries = tuple(history)
    if not entries:
        return None
    first = entries[0]
    return System(
        id=system_id,
        version=len(entries),
        password_hash=first["password_hash"],
        languages=tuple(first["languages"]),
        state=first["state"],
        coordinator_system=first["by_system"],
    )


def connect(account: Account, state: str, by_system: str, user: User, *, taken: bool, at: datetime) -> Entry | Refusal:
    """Return the first entry of a system, or why there can be none of that name."""
    if taken or account.system in RESERVED:
        return Refusal("system-exists", "account.system")
    return {
        "what": "connected",
        "at": at,
        "by_system": by_system,
        "user": user.model_dump(),
        "state": state,
        "password_hash": account.password_hash,
        "languages": list(account.languages),
    }


def may_connect(actor: Authority | None) -> Refusal | None:
    """Say why this authority may not connect a system: only a coordinator may, and in its own state alone."""
    if actor is None or not actor.coordinates:
        return Refusal("not-a-coordinator", "authority")
    return None
