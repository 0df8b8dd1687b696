"""What a step in an authority's life adds to its history. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from contracts.refusal import Refusal
from contracts.registry import (
    Apply,
    AppointCoordinator,
    Approve,
    AssignSystem,
    Close,
    DecideChange,
    Details,
    GrantAccess,
    Invite,
    Register,
    Reinstate,
    Reject,
    Suspend,
    UpdateAuthority,
    WithdrawAccess,
)
from contracts.types import Message
from services.registry.authority import Authority, Entry, Proposal
from services.registry.coordination import covers
from services.registry.known import Known


def _appoint(_: Authority | None, command: AppointCoordinator, __: Known) -> Entry | Refusal:
    return {"details": _stored(command.details), "system": command.account.system, "coordinator": None}


def _begin(_: Authority | None, command: Invite | Apply | Register, known: Known) -> Entry | Refusal:
    coordinator = command.coordinator if isinstance(command, Apply) else command.authority
    realm = getattr(command, "realm", None)
    entry = {
        "details": _stored(command.details),
        "realm": realm.model_dump() if realm else None,
        "system": known.system,
        "coordinator": coordinator,
    }
    if isinstance(command, Register):
        entry["granted"] = _granted(known.actor, command.details)
    return entry


def _granted(actor: Authority | None, details: Details) -> list[str]:
    """The areas asked for that lie in the hand of whoever approves."""
    realm = actor.realm if actor else None
    return sorted(area for area in details.areas if realm and covers(realm, details.region, area))


def _approve(subject: Authority | None, _: Approve, known: Known) -> Entry | Refusal:
    return {"granted": _granted(known.actor, subject.details) if subject else []}


def _reason(_: Authority | None, command: Reject | Suspend, __: Known) -> Entry | Refusal:
    return {"reason": command.reason.model_dump()}


def _nothing(_: Authority | None, __: Any, ___: Known) -> Entry | Refusal:
    return {}


def _grant(subject: Authority | None, command: GrantAccess, known: Known) -> Entry | Refusal:
    for name in ("request_coordinators", "linked"):
        for position, authority in enumerate(getattr(command, name)):
            named = known.other(authority)
            if named is None or not _fits(named, subject):
                return Refusal("named-not-active", f"{name}.{position}")
    return {
        "area": command.area,
        "scope": command.scope.model_dump(mode="json"),
        "request_coordinators": list(command.request_coordinators),
        "linked": list(command.linked),
    }


def _fits(named: Authority, subject: Authority | None) -> bool:
    return named.active and subject is not None and named.details.country == subject.details.country


def _withdraw(subject: Authority | None, command: WithdrawAccess, _: Known) -> Entry | Refusal:
    if subject is None or command.area not in {**subject.access, **subject.details.areas}:
        return Refusal("access-not-held", "area")
    return {"area": command.area, "reason": command.reason.model_dump()}


def _update(subject: Authority | None, command: UpdateAuthority, _: Known) -> Entry | Refusal:
    """What is the authority's own takes effect at once; a name and a region wait, and so do areas (its wishes).

    What is so already is not noted again: whoever sends its entry every night would fill its history.
    """
    wanted = command.details
    if subject is None or wanted.country != subject.details.country:
        return Refusal("country-fixed", "details.country")
    names = dict(wanted.names) if wanted.names != subject.details.names else None
    region = wanted.region if wanted.region != subject.details.region else None
    kept = wanted.model_copy(update={"names": subject.details.names, "region": subject.details.region})
    proposal = {"names": names, "region": region} if names or region else None
    if kept == subject.details and (Proposal(names, region) if proposal else None) == subject.proposal:
        return Refusal("unchanged", "details")
    waits = proposal or any(subject.details.areas.get(area) != scope for area, scope in kept.areas.items())
    what: dict[str, Any] = {"what": "change-proposed"} if waits else {}
    return {"details": _stored(kept), "proposal": proposal, **what}


def _decide_change(subject: Authority | None, command: DecideChange, known: Known) -> Entry | Refusal:
    actor = known.actor
    if subject is None or actor is None or subject.proposal is None:
        return Refusal("nothing-proposed", "of")
    reason = {"reason": command.reason.model_dump() if command.reason else None}
    if not command.approved:
        return {"what": "change-refused", **reason}
    region = subject.proposal.region
    if region and not (actor.realm and covers(actor.realm, region, actor.realm.area)):
        return Refusal("outside-realm", "of")
    # Who moves it into another's region becomes its validating coordinator, and can hand it on from there.
    validating = known.other(subject.coordinator)
    stays = not region or (validating and validating.realm and covers(validating.realm, region, validating.realm.area))
    return {"coordinator": subject.coordinator if stays else actor.id, **reason}


def _close(subject: Authority | None, command: Close, known: Known) -> Entry | Refusal:
    if command.successor:
        successor = known.other(command.successor)
        if successor is None or successor.id == command.of or not _fits(successor, subject):
            return Refusal("successor-unfit", "successor")
    return {"successor": command.successor, "reason": command.reason.model_dump()}


def _assign(_: Authority | None, __: AssignSystem, known: Known) -> Entry | Refusal:
    return {"system": known.system} if known.system else Refusal("unknown-system", "system")


def _stored(details: Details) -> dict[str, Any]:
    return details.model_dump(mode="json")


CHANGES: Final[Mapping[type[Message], Callable[[Authority | None, Any, Known], Entry | Refusal]]] = {
    AppointCoordinator: _appoint,
    Invite: _begin,
    Apply: _begin,
    Register: _begin,
    Approve: _approve,
    Reject: _reason,
    GrantAccess: _grant,
    WithdrawAccess: _withdraw,
    UpdateAuthority: _update,
    DecideChange: _decide_change,
    Suspend: _reason,
    Reinstate: _nothing,
    Close: _close,
    AssignSystem: _assign,
}
