"""The broker's whole topology as data: exchanges, queues, bindings, policies, users and what each may do.

It is written in the form of RabbitMQ's *definitions*, which a broker imports at its start (compose) or over its
management API (`imi topology apply`). Services declare nothing. Importing twice changes nothing.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

Definitions = dict[str, list[dict[str, Any]]]

VHOST: Final = "imi"
OPERATOR: Final = "operator"
SERVICES: Final = ("registry", "casework", "translation", "notifier")
RESERVED: Final = frozenset({OPERATOR, "administrator", "admin", "guest"})
"""Names that no coordinator may give to a system: who has them is more than a system."""
LANE_LENGTH: Final = 2_000
"""Commands that may wait in a lane; a publisher beyond that gets a negative confirm."""
LANE_BYTES: Final = 256 * 1024 * 1024
MAX_MESSAGE_SIZE: Final = 4 * 1024 * 1024
"""Bytes that the broker takes in one message. A command may have 256 KiB; a case as both sides read it has more."""
INBOX_LENGTH: Final = 100_000
INBOX_BYTES: Final = 2_000_000_000
"""Whoever asks for much and reads nothing fills its own inbox, and not the broker's disk."""
PARKED_LENGTH: Final = 100_000
DELIVERY_LIMIT: Final = 500
"""A backstop only: what cannot succeed is parked by the service itself, and restarts count as deliveries too."""

EXPIRED: Final = "expired"
"""The exchange by which the broker passes on what expired in a lane. Nobody can publish to it."""
REPLAY: Final = "replay"
"""The exchange by which the operator, and nobody else, has messages handled again. Its keys are names of queues."""
REPLAYS: Final = "replays"
"""The record of what was replayed and discarded, and by whom: a stream, of which nobody can take anything away."""
RECORDS_KEPT: Final = "1Y"
JOURNAL: Final = "journal"
"""All commands of the last days, as their systems sent them: a stream, from which they can be played again."""
JOURNAL_KEPT: Final = "7D"
JOURNAL_BYTES: Final = 2_000_000_000
"""Of it at the most: whoever floods shortens what can be played again, and does not fill the broker's disk."""
SEGMENT: Final = 5_000_000
"""Bytes of a stream that are forgotten together, once the last of them is old enough."""

MAX_CONNECTIONS: Final = 10
MAX_CHANNELS: Final = 50
"""Limits of a connected system, over all its connections."""

_COPYING: Final = ("casework", "translation", "notifier")
"""Services that keep copies of what the registry says."""
_STREAMS: Final = (JOURNAL, REPLAYS)
_BINDINGS: Final = (
    # (exchange, routing key, queue): who listens to what a service says
    *((source, "views", "translation.views") for source in SERVICES),
    *(("registry", "event.#", f"{listener}.events") for listener in _COPYING),
    ("registry", "terms", "translation.events"),
    # One queue for both: what a reconciliation says was true when it was sent, and no later.
    *(("registry", key, "provisioner.tasks") for key in ("provision", "reconcile")),
    *(("provisioner", key, "registry.provisioned") for key in ("provisioned", "reconciled")),
    *((copying, "compare", "registry.copies") for copying in _COPYING),
    *(("registry", f"replay.{copying}", f"{copying}.replayed") for copying in _COPYING),
    ("casework", "compare", "translation.copies"),
    ("translation", "replay.casework", "casework.replayed"),
    # Into the journal too: what is played again must not be carried out when it had expired.
    *((EXPIRED, f"{service}.#", queue) for service in SERVICES for queue in (f"{service}.expired", JOURNAL)),
    ("translation", "event.area", "casework.events"),
    ("casework", "dates", "notifier.dates"),
    ("casework", "own.#", "casework.own"),
    *((service, "parked", f"{service}.parked") for service in (*SERVICES, "provisioner")),
    *((REPLAY, f"{service}.again", f"{service}.again") for service in SERVICES),
    *((REPLAY, stream, stream) for stream in _STREAMS),
)

_INSIDE: Final = "views|events|replayed|dates|own|tasks|provisioned|copies|expired"
"""What services listen to, and what expired."""
_FED: Final = re.compile(r"[a-z]+\.(?:views|events|replayed|dates|own|tasks|provisioned|copies)")
"""What the exchange says to itself: it is handled again as it was, from the queue that it came by."""
_OWNED: Final = re.compile(
    rf"(?:(?:in|undelivered|inbox|registry\.undelivered|(?:{'|'.join(SERVICES)})\.commands)\.)(?P<system>[^.]+)\Z"
)

_READS: Final[Mapping[str, str]] = {
    "registry": r"^registry\.((commands|undelivered)\..*|expired|again|provisioned|copies)$",
    "provisioner": r"^provisioner\.tasks$",
    "casework": r"^casework\.(commands\..*|expired|again|events|replayed|own)$",
    "translation": r"^translation\.(commands\..*|expired|again|events|replayed|views|copies)$",
    "notifier": r"^notifier\.(commands\..*|expired|again|events|replayed|dates)$",
}
_OPERATORS: Final = (
    rf"^(in\.{OPERATOR}|{REPLAY})$",
    rf"^(inbox\.{OPERATOR}|({'|'.join(_READS)})\.parked|{'|'.join(_STREAMS)})$",
)
"""What the operator may write and read: besides what every system may, whatever repair needs."""


def exchange_of(system: str) -> str:
    """Return the one exchange that `system` may write."""
    return f"in.{system}"


def undelivered_exchange_of(system: str) -> str:
    """Return the exchange that takes what no queue took. No client can publish to it."""
    return f"undelivered.{system}"


def inbox_of(system: str) -> str:
    """Return the one queue that `system` may read."""
    return f"inbox.{system}"


def lanes_of(service: str, systems: Iterable[str]) -> list[str]:
    """Return the queues of `systems` that `service` consumes. The registry answers what went nowhere, too."""
    kinds = ("commands", "undelivered") if service == "registry" else ("commands",)
    return [f"{service}.{kind}.{system}" for system in systems for kind in kinds]


def queues_of(system: str) -> list[str]:
    """Return all queues of a system: its lanes and its inbox."""
    return [*(lane for service in SERVICES for lane in lanes_of(service, [system])), inbox_of(system)]


def exchanges_of(system: str) -> list[str]:
    """Return all exchanges of a system."""
    return [exchange_of(system), undelivered_exchange_of(system)]


def owner_of(name: str) -> str | None:
    """Return the system whose exchange or queue this would be, or nothing when it is the exchange's own."""
    found = _OWNED.match(name)
    return found["system"] if found else None


def expired_lane_of(service: str) -> str:
    """Return the queue of the commands to `service` that expired in their lanes, of all systems."""
    return f"{service}.expired"


def is_expired(lane: str) -> bool:
    """Say whether the lane takes what had expired elsewhere."""
    return lane in {expired_lane_of(service) for service in SERVICES}


def again_lane_of(service: str) -> str:
    """Return the queue of the commands to `service` that the operator has handled again, of all systems."""
    return f"{service}.again"


def is_again(lane: str) -> bool:
    """Say whether the lane takes what had come by another before."""
    return lane in {again_lane_of(service) for service in SERVICES}


def parked_queue_of(service: str) -> str:
    """Return the queue of what a service, or the provisioner, could not handle."""
    return f"{service}.parked"


def destinations_of(exchange: str, routing_key: str) -> list[str]:
    """Return the queues that get what a service says under this key: an inbox, or what other services listen to."""
    inbox = [routing_key] if exchange == "translation" and routing_key.startswith(inbox_of("")) else []
    return inbox + [queue for source, key, queue in _BINDINGS if source == exchange and _fits(key, routing_key)]


def _fits(pattern: str, routing_key: str) -> bool:
    return routing_key == pattern or (pattern.endswith(".#") and routing_key.startswith(pattern.removesuffix("#")))


def system_of(lane: str) -> str:
    """Return whose lane this is."""
    return lane.rsplit(".", 1)[1]


def is_undelivered(lane: str) -> bool:
    """Say whether the lane takes what had not arrived elsewhere."""
    return lane.split(".")[1] == "undelivered"


def exchange_topology(password_hashes: Mapping[str, str], vhost: str = VHOST) -> Definitions:
    """Return everything but the systems. `password_hashes` has one for each of `SERVICES` and for `provisioner`."""
    queues = sorted({queue for _, _, queue in _BINDINGS})
    return {
        "vhosts": [{"name": vhost}],
        "users": [_user(f"service.{name}", password_hashes[name]) for name in _READS],
        "permissions": [
            _permission(f"service.{name}", vhost, write=rf"^{name}$", read=read) for name, read in _READS.items()
        ],
        "exchanges": [
            *(_exchange(name, vhost) for name in (*_READS, REPLAY)),
            _exchange(EXPIRED, vhost, internal=True),
        ],
        "queues": [_queue(name, vhost, "stream" if name in _STREAMS else "quorum") for name in queues],
        "bindings": [
            *(_binding(source, queue, key, vhost) for source, key, queue in _BINDINGS),
            *(_binding(REPLAY, queue, queue, vhost) for queue in queues if _FED.fullmatch(queue)),
        ],
        "policies": _policies(vhost),
    }


def system_topology(
    system: str, password_hash: str | None, vhost: str = VHOST, *, tag: str = "", suspended: bool = False
) -> Definitions:
    """Return what one connected system needs: its account, exchange, lanes and inbox, all its own.

    Without a password's hash its certificate alone opens the account. A suspended system keeps what is its own and
    can do nothing with it: no permission, no password, no connection. A tag that is none of the broker's gives no
    right; the provisioner writes the version there.
    """
    undelivered = undelivered_exchange_of(system)
    limits = {"max-connections": 0 if suspended else MAX_CONNECTIONS, "max-channels": MAX_CHANNELS}
    hashed = "" if suspended else password_hash or ""
    write, read = _OPERATORS if system == OPERATOR else (rf"^in\.{system}$", rf"^inbox\.{system}$")
    permission = _permission(system, vhost, write=write, read=read)
    return {
        "users": [{**_user(system, hashed), "tags": tag, "limits": limits}],
        "permissions": [] if suspended else [permission],
        "exchanges": [
            _exchange(exchange_of(system), vhost, arguments={"alternate-exchange": undelivered}),
            _exchange(undelivered, vhost, kind="fanout", internal=True),
        ],
        "queues": [_queue(name, vhost) for name in queues_of(system)],
        "bindings": [
            *(_binding(exchange_of(system), f"{name}.commands.{system}", f"{name}.#", vhost) for name in SERVICES),
            # Under the lanes' own keys: what no lane takes must go to the alternate exchange all the same.
            *(_binding(exchange_of(system), JOURNAL, f"{name}.#", vhost) for name in SERVICES),
            _binding(undelivered, f"registry.undelivered.{system}", "", vhost),
            *(_binding(source, inbox_of(system), inbox_of(system), vhost) for source in ("translation", REPLAY)),
        ],
    }


def _policies(vhost: str) -> list[dict[str, Any]]:
    # A reader that crashes over a message must not lose it: RabbitMQ 4 would drop it after 20 deliveries.
    kept = {"delivery-limit": 1_000_000}
    inbox = {"max-length": INBOX_LENGTH, "max-length-bytes": INBOX_BYTES, "overflow": "drop-head", **kept}
    full = {"max-length": LANE_LENGTH, "max-length-bytes": LANE_BYTES, "overflow": "reject-publish"}
    lane = {**full, "delivery-limit": DELIVERY_LIMIT}
    # At-least-once: an expired command reaches its service even if the broker dies in between.
    commands = lane | {"dead-letter-exchange": EXPIRED, "dead-letter-strategy": "at-least-once"}
    undelivered = commands | {"dead-letter-routing-key": "registry.undelivered"}
    stream = {"max-length-bytes": JOURNAL_BYTES, "stream-max-segment-size-bytes": SEGMENT}
    inside = "|".join(_READS)  # a system may be called `views`: its lanes and its inbox are none of these
    return [
        _policy("commands", rf"^({inside})\.commands\.", commands, vhost),
        _policy("undelivered", r"^registry\.undelivered\.", undelivered, vhost),
        _policy("inboxes", r"^inbox\.", inbox, vhost),
        _policy(
            "parked", rf"^({inside})\.parked$", {"max-length": PARKED_LENGTH, "overflow": "drop-head", **kept}, vhost
        ),
        # It pushes back: nobody fills it faster than it is worked off.
        _policy("again", rf"^({inside})\.again$", full | kept, vhost),
        _policy("journal", rf"^{JOURNAL}$", {"max-age": JOURNAL_KEPT, **stream}, vhost),
        _policy("records", rf"^{REPLAYS}$", {"max-age": RECORDS_KEPT, **stream}, vhost),
        _policy("inside", rf"^({inside})\.({_INSIDE})$", kept, vhost),
    ]


def _user(name: str, password_hash: str) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": password_hash,
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
    }


def _permission(user: str, vhost: str, *, write: str, read: str) -> dict[str, Any]:
    return {"user": user, "vhost": vhost, "configure": "^$", "write": write, "read": read}


def _exchange(
    name: str,
    vhost: str,
    *,
    kind: str = "topic",
    internal: bool = False,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": vhost,
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "internal": internal,
        "arguments": dict(arguments or {}),
    }


def _queue(name: str, vhost: str, kind: str = "quorum") -> dict[str, Any]:
    arguments: dict[str, Any] = {"x-queue-type": kind}
    if is_again(name):
        # What is played again keeps its order, however many replicas there are.
        arguments["x-single-active-consumer"] = True
    return {"name": name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": arguments}


def _binding(source: str, queue: str, routing_key: str, vhost: str) -> dict[str, Any]:
    return {
        "source": source,
        "vhost": vhost,
        "destination": queue,
        "destination_type": "queue",
        "routing_key": routing_key,
        "arguments": {},
    }


def _policy(name: str, pattern: str, definition: Mapping[str, Any], vhost: str) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": vhost,
        "pattern": pattern,
        "apply-to": "queues",
        "definition": dict(definition),
        "priority": 1,
    }
