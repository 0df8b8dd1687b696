"""What a decision on an authority rests on, and what a command says of authorities. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.registry import (
    Apply,
    AppointCoordinator,
    Details,
    GrantAccess,
    Invite,
    Register,
    Scope,
)
from services.registry.authority import Authority


@dataclass(frozen=True, slots=True)
class Known:
    """What a decision rests on besides the command and the authority that it is about.

    `actor` is as whom the sender speaks, `system` the system that is to act for the authority, or nothing when there
    is no such connected system in this state.
    """

    at: datetime
    sender: str
    actor: Authority | None = None
    system: str | None = None
    others: Mapping[str, Authority] = field(default_factory=dict)
    unknown_competences: frozenset[str] = frozenset()

    def other(self, authority: str | None) -> Authority | None:
        """Return another authority that the decision touches."""
        return self.others.get(authority or "")


def subject_field(command: Any) -> str:
    """Return the field of a command that names the authority which it changes."""
    return next((name for name in ("applicant", "to", "of") if hasattr(command, name)), "authority")


def subject_of(command: Any) -> str | None:
    """Return the number of the authority that a command changes, or nothing when it begins a new one."""
    if isinstance(command, Apply):
        return command.registration
    if isinstance(command, AppointCoordinator | Invite | Register):
        return None
    return str(getattr(command, subject_field(command)))


def scopes_of(command: Any) -> Iterable[tuple[str, Scope]]:
    """Return what the command says of an authority's work, and the field where it says so."""
    if isinstance(command, GrantAccess):
        return [("scope", command.scope)]
    details: Details | None = getattr(command, "details", None)
    return [(f"details.areas.{area}", scope) for area, scope in details.areas.items()] if details else []
