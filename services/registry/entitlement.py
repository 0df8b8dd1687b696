"""Who may take a step in an authority's life. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from contracts.refusal import Refusal
from contracts.registry import (
    Apply,
    Details,
    GrantAccess,
    Invite,
    Realm,
    Register,
    WithdrawAccess,
)
from contracts.topology import OPERATOR
from services.registry.authority import Authority
from services.registry.coordination import admits, covers, grants, in_charge
from services.registry.known import Known, subject_field

Who = Literal["operator", "applicant", "admitting", "validating", "access", "itself"]


def _by_operator(_: Authority | None, __: Any, known: Known) -> Refusal | None:
    return None if known.sender == OPERATOR else Refusal("operator-only")


def _by_applicant(subject: Authority | None, command: Apply, known: Known) -> Refusal | None:
    """The system that will act for the authority applies for it, or the coordinator's own system does."""
    if command.registration and subject is None:
        return Refusal("not-invited", "registration")
    coordinator = known.other(command.coordinator)
    if coordinator is None or not coordinator.coordinates:
        return Refusal("not-a-coordinator", "coordinator")
    for_itself = command.system in {None, known.sender}
    if not for_itself and coordinator.system != known.sender:
        return Refusal("not-its-coordinator", "system")
    if subject and known.sender not in {subject.system, coordinator.system}:
        return Refusal("not-invited", "registration")
    return _not_admitted(coordinator, command.details, command.realm, known)


def _by_admitting(_: Authority | None, command: Invite | Register, known: Known) -> Refusal | None:
    if known.actor is None or not known.actor.coordinates:
        return Refusal("not-a-coordinator", "authority")
    return _not_admitted(known.actor, command.details, getattr(command, "realm", None), known)


def _not_admitted(coordinator: Authority, details: Details, realm: Realm | None, known: Known) -> Refusal | None:
    if coordinator.details.country != details.country:
        return Refusal("other-state", "details.country")
    if realm and realm.region and not realm.region.startswith(details.country):
        return Refusal("other-state", "realm.region")
    if known.system is None:
        return Refusal("unknown-system", "system")
    fits = admits(coordinator, details.country, details.region, details.areas, realm)
    return None if fits else Refusal("outside-realm", "details")


def _by_validating(subject: Authority | None, command: Any, known: Known) -> Refusal | None:
    actor = known.actor
    if actor is None or not actor.coordinates:
        return Refusal("not-a-coordinator", "authority")
    if subject is None:
        return Refusal("unknown-authority", subject_field(command))
    if actor.details.country != subject.details.country:
        return Refusal("other-state", subject_field(command))
    validating = known.other(subject.coordinator)
    return None if in_charge(actor, subject, validating) else Refusal("not-its-coordinator", "authority")


def _by_access(subject: Authority | None, command: GrantAccess | WithdrawAccess, known: Known) -> Refusal | None:
    actor = known.actor
    if actor is None or actor.realm is None:
        return Refusal("not-a-coordinator", "authority")
    if subject is None:
        return Refusal("unknown-authority", subject_field(command))
    if actor.details.country != subject.details.country:
        return Refusal("other-state", subject_field(command))
    if not covers(actor.realm, subject.details.region, command.area):
        return Refusal("outside-realm", "area")
    held = subject.access.get(command.area)
    holder = known.other(held.coordinator) if held else None
    return None if grants(actor, subject, command.area, holder) else Refusal("not-its-coordinator", "authority")


def _by_itself(_: Authority | None, __: Any, ___: Known) -> Refusal | None:
    return None  # as whom the sender speaks was checked


ENTITLED: Final[Mapping[Who, Callable[[Authority | None, Any, Known], Refusal | None]]] = {
    "operator": _by_operator,
    "applicant": _by_applicant,
    "admitting": _by_admitting,
    "validating": _by_validating,
    "access": _by_access,
    "itself": _by_itself,
}
