"""What the broker has, held against what it should have of the connected systems. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.directory import Provision, Reconcile
from contracts.topology import (
    RESERVED,
    Definitions,
    exchanges_of,
    owner_of,
    queues_of,
    system_topology,
)

Thing = Mapping[str, Any]
Things = Iterable[Thing]

_TAG: Final = re.compile(r"imi-v([0-9]{1,9})\Z")
_SERVICE: Final = "service."
_BINDING: Final = ("source", "destination", "destination_type", "routing_key")
_EXCHANGE: Final = ("name", "type", "durable", "internal", "arguments")
_PERMISSION: Final = ("vhost", "configure", "write", "read")


def tag_of(version: int) -> str:
    """Return the tag of an account that is as this version wants it. To the broker it means nothing."""
    return f"imi-v{version}"


def version_of(account: Thing | None) -> int:
    """Return the version that an account of the broker's bears, 0 when it bears none."""
    found = [_TAG.match(tag) for tag in _tags(account)] if account else []
    return max((int(tag[1]) for tag in found if tag), default=0)


def topology_of(order: Provision, vhost: str) -> Definitions:
    """Return what the broker should have of a system that is not closed."""
    tag, suspended = tag_of(order.version), order.status == "suspended"
    return system_topology(order.system, order.password_hash, vhost, tag=tag, suspended=suspended)


def listed(message: Reconcile) -> list[Provision]:
    """Return the systems that should have something in the broker. More than a system is not in the registry's hand."""
    return [order for order in message.systems if order.status != "closed" and order.system not in RESERVED]


@dataclass(frozen=True, slots=True)
class Repair:
    """A system of which something is not as it should be, and what to take away before it is made again."""

    order: Provision
    was: int
    """The version that the broker had."""
    forbidden: tuple[str, ...]
    """Vhosts in which it must have no permission."""
    restricted: tuple[str, ...]
    """Vhosts in which something narrows its permissions."""
    exchanges: tuple[str, ...]
    """Exchanges that must be made anew."""
    bindings: tuple[Thing, ...]
    """Bindings that should not be."""
    opened: bool
    """There may be connections that were opened by what no longer opens any."""
    broken: bool
    """Something is missing or wrong; else only connections must go."""

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return self.broken or self.opened


class Found:
    """What the broker has, by what it belongs to."""

    def __init__(self, everything: Mapping[str, Things], vhost: str) -> None:
        """Take the lists of the management API."""
        self.vhost = vhost
        self._accounts = {one["name"]: one for one in everything["users"]}
        self._limits = {one["user"]: one["value"] for one in everything["limits"]}
        self._connected = {one["user"] for one in everything["connections"] if one.get("user")}
        self._permissions = _by("user", everything["permissions"])
        self._restrictions = _by("user", everything["topic_permissions"])
        self._exchanges = {one["name"]: one for one in everything["exchanges"]}
        self._queues = {one["name"] for one in everything["queues"]}
        self._bindings: dict[str, list[Thing]] = defaultdict(list)
        for one in everything["bindings"]:
            for owner in {owner_of(one["source"]), owner_of(one["destination"])} - {None} if one["source"] else ():
                self._bindings[owner or ""].append(one)

    def strangers(self, message: Reconcile, kept: Iterable[str]) -> list[str]:
        """Return the names in the message's range that it does not know, but who have something in the broker."""
        owners = {owner_of(name) for name in (*self._queues, *self._exchanges)} - {None}
        known = {order.system for order in listed(message)} | RESERVED | set(kept)
        names = {name or "" for name in (owners | self._accounts.keys() | self._connected)} - known
        return sorted(n for n in names if _lies_in(n, message) and not n.startswith(_SERVICE))

    def repair(self, order: Provision) -> Repair:
        """Return what a system lacks and has too much."""
        wanted = topology_of(order, self.vhost)
        exchanges, bindings = self._wrong_exchanges(wanted), self._wrong_bindings(order.system, wanted)
        forbidden = self._forbidden(order.system, wanted)
        restricted = tuple(one["vhost"] for one in self._restrictions[order.system])
        (account,) = wanted["users"]
        old_credential = self._old_credential(account)
        missing = self._missing(wanted) or self._wrong_account(account)
        return Repair(
            order,
            version_of(self._accounts.get(order.system)),
            forbidden,
            restricted,
            exchanges,
            bindings,
            opened=old_credential or (order.status == "suspended" and order.system in self._connected),
            broken=bool(missing or forbidden or restricted or exchanges or bindings),
        )

    def _wrong_account(self, wanted: Thing) -> bool:
        name = wanted["name"]
        account = self._accounts.get(name)
        return (
            account is None
            or _proof(account) != _proof(wanted)
            or set(_tags(account)) != {wanted["tags"]}
            or self._limits.get(name) != wanted["limits"]
        )

    def _old_credential(self, wanted: Thing) -> bool:
        account = self._accounts.get(wanted["name"])
        return account is not None and _proof(account) != _proof(wanted)

    def _missing(self, wanted: Definitions) -> bool:
        permissions = {_key(one, _PERMISSION) for one in wanted["permissions"]}
        (account,) = wanted["users"]
        has = {_key(one, _PERMISSION) for one in self._permissions[account["name"]]}
        bound = {_key(one, _BINDING) for one in self._bindings[account["name"]]}
        return not (
            permissions <= has
            and {one["name"] for one in wanted["exchanges"]} <= self._exchanges.keys()
            and {one["name"] for one in wanted["queues"]} <= self._queues
            and {_key(one, _BINDING) for one in wanted["bindings"]} <= bound
        )

    def _forbidden(self, system: str, wanted: Definitions) -> tuple[str, ...]:
        allowed = {one["vhost"] for one in wanted["permissions"]}
        return tuple(one["vhost"] for one in self._permissions[system] if one["vhost"] not in allowed)

    def _wrong_exchanges(self, wanted: Definitions) -> tuple[str, ...]:
        found = ((one, self._exchanges.get(one["name"])) for one in wanted["exchanges"])
        return tuple(one["name"] for one, has in found if has and not _same_exchange(one, has))

    def _wrong_bindings(self, system: str, wanted: Definitions) -> tuple[Thing, ...]:
        right = {_key(one, _BINDING) for one in wanted["bindings"]}
        return tuple(one for one in self._bindings[system] if _key(one, _BINDING) not in right)


def things_of(system: str) -> tuple[list[str], list[str]]:
    """Return the exchanges and the queues of a system that is to go."""
    return exchanges_of(system), queues_of(system)


def _lies_in(name: str, message: Reconcile) -> bool:
    return (message.after is None or name > message.after) and (message.upto is None or name <= message.upto)


def _tags(account: Thing) -> list[str]:
    tags = account["tags"]
    return [tag for tag in (tags.split(",") if isinstance(tags, str) else tags) if tag]


def _proof(account: Thing) -> tuple[str, str]:
    hashed = account["password_hash"] or ""
    return hashed, account["hashing_algorithm"] if hashed else ""


def _same_exchange(wanted: Thing, has: Thing) -> bool:
    return all(wanted[part] == has[part] for part in _EXCHANGE)


def _key(thing: Thing, parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(thing[part]) for part in parts)


def _by(part: str, things: Things) -> dict[str, list[Thing]]:
    found: dict[str, list[Thing]] = defaultdict(list)
    for thing in things:
        found[thing[part]].append(thing)
    return found
