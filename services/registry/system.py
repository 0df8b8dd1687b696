"""A connected system, as its history tells it, and who may do what to it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from contracts.directory import Provision, SystemHappening, SystemState, SystemStatus
from contracts.refusal import Refusal
from contracts.registry import Account, CloseSystem, ReinstateSystem, RotateCredential, SuspendSystem
from contracts.topology import OPERATOR, RESERVED
from contracts.types import FreeText, User
from services.registry.authority import Authority
from services.registry.coordination import above

Entry = Mapping[str, Any]
Step = RotateCredential | SuspendSystem | ReinstateSystem | CloseSystem
"""What happens to a system that is connected."""


class Happening(NamedTuple):
    """One entry of a system's history: what, which coordinator by which system, why."""

    what: SystemHappening
    by: str | None
    by_system: str
    reason: FreeText | None


@dataclass(frozen=True, slots=True)
class System:
    """The account by which one or more authorities speak, after `version` entries of its history."""

    id: str
    version: int
    status: SystemStatus
    password_hash: str | None
    certificate_subject: str | None
    languages: tuple[str, ...]
    state: str
    coordinator: str | None
    """The coordinator that had it connected; none for a system that the operator had connected."""
    coordinator_system: str
    acts_for: tuple[str, ...]
    """For whom it was to act when it was connected."""
    happenings: tuple[Happening, ...]

    def provision(self) -> Provision:
        """Return what the broker should have of it."""
        return Provision(
            system=self.id,
            version=self.version,
            status=self.status,
            password_hash=self.password_hash,
            certificate_subject=self.certificate_subject,
        )

    def event(self) -> SystemState:
        """Return what the other services are told of it."""
        return SystemState(
            id=self.id, version=self.version, status=self.status, languages=self.languages, state=self.state
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """What a decision on a system rests on besides the command.

    `actor` is the authority as which the sender speaks, `coordinator` the one that had the system connected.
    """

    at: datetime
    sender: str
    actor: Authority | None = None
    coordinator: Authority | None = None
    in_use: bool = False
    """An authority that is neither closed nor rejected has the system."""
    in_force: int = 0
    """The version of the system that the broker is known to have."""


def system_from(system_id: str, history: Sequence[Entry]) -> System | None:
    """Return the system that this history tells, or nothing when it is empty."""
    system: System | None = None
    for entry in history:
        system = _connected(system_id, entry) if system is None else _changed(system, entry)
    return replace(system, happenings=tuple(map(_happening, history))) if system else None


def connect(
    account: Account,
    *,
    state: str,
    by: str | None,
    by_system: str,
    user: User,
    at: datetime,
    taken: bool,
    acts_for: tuple[str, ...] = (),
) -> Entry | Refusal:
    """Return the first entry of a system, or why there can be none of that name. `by` is no one for the operator's.

    A name that was ever taken stays so: what waits for the old system must not reach a new one.
    """
    if taken or account.system in RESERVED:
        return Refusal("system-exists", "account.system")
    return {
        "what": "connected",
        "at": at,
        "by": by,
        "by_system": by_system,
        "user": user.model_dump(),
        "state": state,
        "acts_for": list(acts_for),
        **_credential(account),
    }


def may_connect(actor: Authority | None) -> Refusal | None:
    """Say why this authority may not connect a system: only a coordinator may, and in its own state alone."""
    if actor is None or not actor.coordinates:
        return Refusal("not-a-coordinator", "authority")
    return None


def may_assign(named: Authority | None, by: Authority) -> Refusal | None:
    """Say why a coordinator may not name this authority as one that a new system acts for."""
    if named is None:
        return Refusal("unknown-authority", "acts_for")
    return None if named.details.country == by.details.country else Refusal("other-state", "acts_for")


def decide(system: System | None, command: Step, standing: Standing) -> Entry | Refusal:
    """Return the entry of what happens to a system, or why it does not.

    Whether the system exists is told to those alone who may have to do with it.
    """
    rule = RULES[type(command)]
    wrong = rule.who(system, standing)
    if wrong or system is None:
        return wrong or Refusal("unknown-system", field_of(command))
    if system.status not in rule.before:
        return Refusal("system-status", field_of(command))
    if rule.what == "closed" and standing.in_use:
        return Refusal("system-in-use", "system")
    # So a system that rotates without pause has one order before that of its suspension, and not a queue of them.
    if rule.what == "rotated" and system.version > standing.in_force:
        return Refusal("change-pending", field_of(command))
    return {
        "what": rule.what,
        "at": standing.at,
        "by": None if isinstance(command, RotateCredential) or standing.actor is None else standing.actor.id,
        "by_system": standing.sender,
        "user": command.user.model_dump(),
        **_particulars(command),
    }


def subject_of(command: Step) -> str:
    """Return the name of the system that a command changes."""
    return command.account.system if isinstance(command, RotateCredential) else command.system


def field_of(command: Step) -> Literal["account.system", "system"]:
    """Return the field of a command that names the system."""
    return "account.system" if isinstance(command, RotateCredential) else "system"


def _by_owner(system: System | None, standing: Standing) -> Refusal | None:
    """The system itself, or, when it has lost its credential, the one that had it connected."""
    if system is None or standing.sender not in {system.id, system.coordinator_system}:
        return Refusal("unknown-system", "account.system")
    return None


def _by_coordinator(system: System | None, standing: Standing) -> Refusal | None:
    """The coordinator that had it connected or one above; for what the operator had connected, the operator.

    Nobody does it to the system by which he speaks: who cuts himself off could not come back.
    """
    if standing.sender == OPERATOR:
        return None if system and system.coordinator is None else Refusal("unknown-system", "system")
    actor = standing.actor
    if actor is None or not actor.coordinates:
        return Refusal("not-a-coordinator", "authority")
    if system is None or system.state != actor.details.country:
        return Refusal("unknown-system", "system")
    if system.id == standing.sender or not _stands_above(actor, system, standing.coordinator):
        return Refusal("not-its-coordinator", "authority")
    return None


def _stands_above(actor: Authority, system: System, coordinator: Authority | None) -> bool:
    return actor.id == system.coordinator or (coordinator is not None and above(actor, coordinator))


class Rule(NamedTuple):
    """What a command does: the entry, from which status, and who may give it."""

    what: SystemHappening
    before: frozenset[SystemStatus]
    who: Callable[[System | None, Standing], Refusal | None]


_ACTIVE: Final[frozenset[SystemStatus]] = frozenset({"active"})
_SUSPENDED: Final[frozenset[SystemStatus]] = frozenset({"suspended"})
RULES: Final[Mapping[type, Rule]] = {
    # A credential that fell into wrong hands is replaced while its system is suspended.
    RotateCredential: Rule("rotated", _ACTIVE | _SUSPENDED, _by_owner),
    SuspendSystem: Rule("suspended", _ACTIVE, _by_coordinator),
    ReinstateSystem: Rule("reinstated", _SUSPENDED, _by_coordinator),
    CloseSystem: Rule("closed", _ACTIVE | _SUSPENDED, _by_coordinator),
}
_BECOMES: Final[Mapping[SystemHappening, SystemStatus]] = {
    "suspended": "suspended",
    "reinstated": "active",
    "closed": "closed",
}


def _particulars(command: Step) -> Entry:
    if isinstance(command, RotateCredential):
        return _credential(command.account)
    return {} if isinstance(command, ReinstateSystem) else {"reason": command.reason.model_dump()}


def _credential(account: Account) -> Entry:
    return {
        "password_hash": account.password_hash,
        "certificate_subject": account.certificate_subject,
        "languages": list(account.languages),
    }


def _connected(system_id: str, entry: Entry) -> System:
    return System(
        id=system_id,
        version=1,
        status="active",
        password_hash=entry["password_hash"],
        certificate_subject=entry["certificate_subject"],
        languages=tuple(entry["languages"]),
        state=entry["state"],
        coordinator=entry["by"],
        coordinator_system=entry["by_system"],
        acts_for=tuple(entry["acts_for"]),
        happenings=(),
    )


def _changed(system: System, entry: Entry) -> System:
    changed = replace(
        system,
        version=system.version + 1,
        status=_BECOMES.get(entry["what"], system.status),
    )
    if entry["what"] != "rotated":
        return changed
    return replace(
        changed,
        password_hash=entry["password_hash"],
        certificate_subject=entry["certificate_subject"],
        languages=tuple(entry["languages"]),
    )


def _happening(entry: Entry) -> Happening:
    reason = FreeText.model_validate(entry["reason"]) if entry.get("reason") else None
    return Happening(entry["what"], entry["by"], entry["by_system"], reason)
