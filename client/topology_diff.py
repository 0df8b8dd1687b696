"""What a running broker has, held against the topology that it should have. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from contracts.topology import RESERVED, Definitions, owner_of, system_topology

Thing = Mapping[str, Any]
Found = Mapping[str, list[dict[str, Any]]]
What = Literal["missing", "other", "unknown"]

_NAMES: Final[Mapping[str, Callable[[Thing], str]]] = {
    "exchanges": lambda one: str(one["name"]),
    "queues": lambda one: str(one["name"]),
    "policies": lambda one: str(one["name"]),
    "permissions": lambda one: str(one["user"]),
    "bindings": lambda one: f"{one['source']} -> {one['destination']} ({one['routing_key']})",
}
_COMPARED: Final[Mapping[str, tuple[str, ...]]] = {
    "exchanges": ("type", "durable", "internal", "arguments"),
    "queues": ("durable", "arguments"),
    "policies": ("pattern", "definition", "apply-to", "priority"),
    "permissions": ("configure", "write", "read"),
    "bindings": (),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is missing, otherwise than it should be, or that nobody knows of."""

    kind: str
    name: str
    what: What


def with_systems(wanted: Definitions, found: Found, vhost: str) -> Definitions:
    """Return the topology with that of every system that has a queue in the broker: who is one, the registry knows."""
    owners = {owner_of(one["name"]) for one in found["queues"]} - {None} - RESERVED
    parts = [wanted, *(system_topology(owner, None, vhost) for owner in sorted(filter(None, owners)))]
    kinds = ("exchanges", "queues", "bindings", "permissions", "policies")
    return {kind: [one for part in parts for one in part.get(kind, [])] for kind in kinds}


def differences(wanted: Definitions, found: Found) -> list[Difference]:
    """Return what differs, kind by kind. A kind of which nothing was found out is left out.

    Accounts and permissions of others than the exchange's are none of the topology's: the provisioner sees to those.
    """
    return [one for kind, name in _NAMES.items() if kind in found for one in _of(kind, name, wanted, found)]


def _of(kind: str, name: Callable[[Thing], str], wanted: Definitions, found: Found) -> Iterable[Difference]:
    should = {name(one): one for one in wanted[kind]}
    has = {name(one): one for one in found[kind] if _counts(kind, one)}
    for key in sorted(should.keys() | has.keys()):
        if key not in has:
            # A suspended system has no permission: that is the registry's word.
            if kind != "permissions" or key in RESERVED or key.startswith("service."):
                yield Difference(kind, key, "missing")
        elif key not in should:
            if kind != "permissions":
                yield Difference(kind, key, "unknown")
        elif any(should[key][part] != has[key].get(part) for part in _COMPARED[kind]):
            yield Difference(kind, key, "other")


def _counts(kind: str, one: Thing) -> bool:
    """The broker's own exchanges and the bindings to the default one are everywhere."""
    if kind == "exchanges":
        return bool(one["name"]) and not one["name"].startswith("amq.")
    return kind != "bindings" or bool(one["source"])
