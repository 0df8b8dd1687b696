"""An authority, as its history tells it, and who may do what to it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from contracts.refusal import Refusal
from contracts.registry import (
    Apply,
    AppointCoordinator,
    Approve,
    AuthorityState,
    Card,
    Details,
    Kind,
    Reject,
    Status,
)
from contracts.topology import OPERATOR
from contracts.types import FreeText

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Authority:
    """The state of an authority after `version` entries of its history."""

    id: str
    version: int
    status: Status
    kind: Kind
    details: Details
    system: str
    coordinator: str | None
    reason: FreeText | None = None

    @property
    def coordinates(self) -> bool:
        """Whether it is a coordinator that may act."""
        return self.kind == "national-coordinator" and self.status == "active"

    def card(self) -> Card:
        """Return what anybody may see of it."""
        shown = self.details.model_dump(include={"country", "names", "city", "languages", "areas"})
        return Card(id=self.id, status=self.status, kind=self.kind, reason=self.reason, **shown)

    def state(self) -> AuthorityState:
        """Return what the other services are told of it."""
        return AuthorityState(
            id=self.id,
            version=self.version,
            status=self.status,
            kind=self.kind,
            details=self.details,
            system=self.system,
            coordinator=self.coordinator,
        )


def authority_from(authority_id: str, history: Iterable[Entry]) -> Authority | None:
    """Return the authority that this history tells, or nothing when it is empty."""
    authority: Authority | None = None
    for entry in history:
        authority = _registered(authority_id, entry) if authority is None else _decided(authority, entry)
    return authority


def appoint(command: AppointCoordinator, system: str, *, there_is_one: bool, at: datetime) -> Entry | Refusal:
    """Return the first entry of a national coordinator. Only the operator appoints one, and one for each state."""
    if system != OPERATOR:
        return Refusal("operator-only", None)
    if there_is_one:
        return Refusal("coordinator-exists", "details.country")
    return {
        "what": "appointed",
        "at": at,
        "by": OPERATOR,
        "user": command.user.model_dump(),
        "kind": "national-coordinator",
        "details": command.details.model_dump(mode="json"),
        "system": command.account.system,
        "coordinator": None,
    }


def apply_for(command: Apply, system: str, coordinator: Authority | None, at: datetime) -> Entry | Refusal:
    """Return the first entry of an application, which its coordinator will decide on."""
    if coordinator is None or not coordinator.coordinates:
        return Refusal("not-a-coordinator", "coordinator")
    if coordinator.details.country != command.details.country:
        return Refusal("other-state", "details.country")
    return {
        "what": "applied",
        "at": at,
        "by": system,
        "user": command.user.model_dump(),
        "kind": "authority",
        "details": command.details.model_dump(mode="json"),
        "system": system,
        "coordinator": coordinator.id,
    }


def decide_on(
    applicant: Authority | None, command: Approve | Reject, actor: Authority | None, at: datetime
) -> Entry | Refusal:
    """Return the entry of an approval or a rejection, by the coordinator to whom the application was made alone."""
    if actor is None or not actor.coordinates:
        return Refusal("not-a-coordinator", "authority")
    if applicant is None:
        return Refusal("unknown-authority", "applicant")
    if wrong := _not_decidable(applicant, actor):
        return wrong
    entry = {"at": at, "by": actor.id, "user": command.user.model_dump()}
    if isinstance(command, Reject):
        return {**entry, "what": "rejected", "reason": command.reason.model_dump()}
    return {**entry, "what": "approved"}


def _not_decidable(applicant: Authority, actor: Authority) -> Refusal | None:
    if applicant.details.country != actor.details.country:
        return Refusal("other-state", "applicant")
    if applicant.coordinator != actor.id:
        return Refusal("not-its-coordinator", "authority")
    return None if applicant.status == "pending" else Refusal("not-pending", "applicant")


def _registered(authority_id: str, entry: Entry) -> Authority:
    return Authority(
        id=authority_id,
        version=1,
        status="active" if entry["what"] == "appointed" else "pending",
        kind=entry["kind"],
        details=Details.model_validate(entry["details"]),
        system=entry["system"],
        coordinator=entry["coordinator"],
    )


def _decided(authority: Authority, entry: Entry) -> Authority:
    changed = replace(authority, version=authority.version + 1)
    if entry["what"] == "rejected":
        return replace(changed, status="rejected", reason=FreeText.model_validate(entry["reason"]))
    return replace(changed, status="active")
