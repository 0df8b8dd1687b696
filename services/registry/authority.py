"""An authority, as its history tells it, and how others see it. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from contracts.directory import Access, Asked, AuthorityHappening, AuthorityState, Card, FullCard, TrailEntry
from contracts.registry import Details, Kind, Realm, Scope, Status
from contracts.types import FreeText

Entry = Mapping[str, Any]

SHOWN: Final = {"country", "names", "short_name", "region", "city", "languages"}
"""The details that stand on a card."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A name or a region that waits for the validating coordinator."""

    names: Mapping[str, str] | None
    region: str | None


@dataclass(frozen=True, slots=True)
class Authority:
    """The state of an authority after `version` entries of its history."""

    id: str
    version: int
    status: Status
    details: Details
    system: str
    coordinator: str | None
    """The validating coordinator: it approves, and owns the official name. A national coordinator has none."""
    realm: Realm | None = None
    """For what it is a coordinator; an authority that coordinates nobody has none."""
    access: Mapping[str, Access] = field(default_factory=dict)
    proposal: Proposal | None = None
    successor: str | None = None
    reason: FreeText | None = None
    happened: AuthorityHappening | None = None
    """What the last entry tells, and when that was."""
    at: datetime | None = None

    @property
    def kind(self) -> Kind:
        """What it is, in the terms of IMI."""
        if self.realm is None:
            return "authority"
        if self.realm.area:
            return "area-coordinator"
        return "regional-coordinator" if self.realm.region else "national-coordinator"

    @property
    def active(self) -> bool:
        """Whether anybody may act as it."""
        return self.status == "active"

    @property
    def coordinates(self) -> bool:
        """Whether it is a coordinator that may act."""
        return self.realm is not None and self.active

    @property
    def wishes(self) -> dict[str, Scope]:
        """The areas that await an access coordinator's word: new ones, and those where it would do other things."""
        held = {area: access.scope for area, access in self.access.items()}
        return {area: scope for area, scope in self.details.areas.items() if held.get(area) != scope}

    def asked(self) -> Asked | None:
        """Return what waits for a coordinator, if anything does."""
        joining = self.status in {"invited", "pending"}
        names = self.proposal.names if self.proposal else None
        region = self.proposal.region if self.proposal else None
        if not (joining or self.proposal or self.wishes):
            return None
        return Asked(
            names=dict(names) if names else None,
            region=region,
            realm=self.realm if joining else None,
            areas=self.wishes,
        )

    def card(self) -> Card:
        """Return what anybody may see of it."""
        shown = self.details.model_dump(include=SHOWN)
        areas = tuple(sorted(self.access))
        return Card(id=self.id, status=self.status, kind=self.kind, reason=self.reason, areas=areas, **shown)

    def full_card(self) -> FullCard:
        """Return what whoever may write to it sees of it."""
        shown = self.details.model_dump(include=SHOWN | {"address", "contacts"})
        return FullCard(
            id=self.id,
            status=self.status,
            kind=self.kind,
            areas=tuple(sorted(self.access)),
            realm=self.realm,
            coordinator=self.coordinator,
            access=dict(self.access),
            **shown,
        )

    def state(self) -> AuthorityState:
        """Return what the other services are told of it."""
        return AuthorityState(
            id=self.id,
            version=self.version,
            status=self.status,
            kind=self.kind,
            details=self.details,
            realm=self.realm,
            access=dict(self.access),
            system=self.system,
            coordinator=self.coordinator,
            successor=self.successor,
            happened=self.happened,
            at=self.at,
        )


def authority_from(authority_id: str, history: Iterable[Entry]) -> Authority | None:
    """Return the authority that this history tells, or nothing when it is empty."""
    authority: Authority | None = None
    for entry in history:
        authority = _begun(authority_id, entry) if authority is None else apply(authority, entry)
    return authority


def apply(authority: Authority, entry: Entry) -> Authority:
    """Return the authority after one more entry."""
    reason = FreeText.model_validate(entry["reason"]) if entry.get("reason") else None
    changed = replace(
        authority, version=authority.version + 1, reason=reason, happened=entry["what"], at=entry.get("at")
    )
    return _APPLY[entry["what"]](changed, entry)


def trail_of(history: Iterable[Entry]) -> tuple[TrailEntry, ...]:
    """Return everything that happened to an authority: who, when, why."""
    return tuple(
        TrailEntry.model_validate({key: entry.get(key) for key in TrailEntry.model_fields}) for entry in history
    )


def _begun(authority_id: str, entry: Entry) -> Authority:
    blank = Authority(
        id=authority_id,
        version=1,
        status="pending",
        details=Details.model_validate(entry["details"]),
        system=entry["system"],
        coordinator=entry["coordinator"],
        happened=entry["what"],
        at=entry.get("at"),
    )
    return _APPLY[entry["what"]](blank, entry)


def _appointed(authority: Authority, _: Entry) -> Authority:
    return replace(authority, status="active", realm=Realm())


def _invited(authority: Authority, _: Entry) -> Authority:
    return replace(authority, status="invited")


def _applied(authority: Authority, entry: Entry) -> Authority:
    return replace(
        authority,
        status="pending",
        details=Details.model_validate(entry["details"]),
        realm=Realm.model_validate(entry["realm"]) if entry["realm"] else None,
        system=entry["system"],
        coordinator=entry["coordinator"],
    )


def _registered(authority: Authority, entry: Entry) -> Authority:
    return _approved(_applied(authority, entry), entry)


def _approved(authority: Authority, entry: Entry) -> Authority:
    asked = authority.details.areas
    access = {area: _access(asked[area], entry["by"]) for area in entry["granted"]}
    return replace(authority, status="active", access=access)


def _access(scope: Scope, coordinator: str) -> Access:
    return Access(scope=scope, coordinator=coordinator, request_coordinators=(coordinator,))


def _rejected(authority: Authority, _: Entry) -> Authority:
    return replace(authority, status="rejected")


def _access_granted(authority: Authority, entry: Entry) -> Authority:
    area, scope = entry["area"], Scope.model_validate(entry["scope"])
    access = Access(
        scope=scope,
        coordinator=entry["by"],
        request_coordinators=tuple(entry["request_coordinators"]) or (entry["by"],),
        linked=tuple(entry["linked"]),
    )
    # What was granted is what it does there from now on, whatever it had asked for.
    details = authority.details.model_copy(update={"areas": {**authority.details.areas, area: scope}})
    return replace(authority, details=details, access={**authority.access, area: access})


def _access_withdrawn(authority: Authority, entry: Entry) -> Authority:
    areas = {area: scope for area, scope in authority.details.areas.items() if area != entry["area"]}
    access = {area: access for area, access in authority.access.items() if area != entry["area"]}
    return replace(authority, details=authority.details.model_copy(update={"areas": areas}), access=access)


def _updated(authority: Authority, entry: Entry) -> Authority:
    wanted = entry["proposal"]
    proposal = Proposal(wanted["names"], wanted["region"]) if wanted else None
    return replace(authority, details=Details.model_validate(entry["details"]), proposal=proposal)


def _change_approved(authority: Authority, entry: Entry) -> Authority:
    proposal = authority.proposal
    changes: dict[str, Any] = {}
    if proposal and proposal.names:
        changes["names"] = dict(proposal.names)
    if proposal and proposal.region:
        changes["region"] = proposal.region
    details = authority.details.model_copy(update=changes)
    return replace(authority, details=details, proposal=None, coordinator=entry["coordinator"])


def _change_refused(authority: Authority, _: Entry) -> Authority:
    return replace(authority, proposal=None)


def _suspended(authority: Authority, _: Entry) -> Authority:
    return replace(authority, status="suspended")


def _reinstated(authority: Authority, _: Entry) -> Authority:
    return replace(authority, status="active")


def _closed(authority: Authority, entry: Entry) -> Authority:
    return replace(authority, status="closed", successor=entry["successor"] or authority.coordinator)


def _system_assigned(authority: Authority, entry: Entry) -> Authority:
    return replace(authority, system=entry["system"])


_APPLY: Final[Mapping[str, Callable[[Authority, Entry], Authority]]] = {
    "appointed": _appointed,
    "invited": _invited,
    "applied": _applied,
    "registered": _registered,
    "approved": _approved,
    "rejected": _rejected,
    "access-granted": _access_granted,
    "access-withdrawn": _access_withdrawn,
    "updated": _updated,
    "change-proposed": _updated,
    "change-approved": _change_approved,
    "change-refused": _change_refused,
    "suspended": _suspended,
    "reinstated": _reinstated,
    "closed": _closed,
    "system-assigned": _system_assigned,
}
