"""What may be done to an authority: in which status, by whom, and what follows. Pure: all that it needs is handed in.

`LIFECYCLE` is the whole of it: a step that does not stand there is not taken by anybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts.directory import AuthorityHappening
from contracts.refusal import Refusal
from contracts.registry import (
    Apply,
    AppointCoordinator,
    Approve,
    AssignSystem,
    Close,
    DecideChange,
    GrantAccess,
    Invite,
    Register,
    Reinstate,
    Reject,
    Status,
    Suspend,
    UpdateAuthority,
    WithdrawAccess,
)
from contracts.types import Message
from services.registry.authority import Authority, Entry
from services.registry.changes import CHANGES
from services.registry.entitlement import ENTITLED, Who
from services.registry.known import Known, scopes_of, subject_field


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the table: this command, from one of these statuses, by them, leads to that status.

    `of` is empty where an authority begins; `leads_to` is nothing where the status stays what it is.
    """

    command: type[Message]
    of: tuple[Status, ...]
    by: Who
    what: AuthorityHappening
    leads_to: Status | None


LIFECYCLE: Final = (
    Step(AppointCoordinator, (), "operator", "appointed", "active"),
    Step(Invite, (), "admitting", "invited", "invited"),
    Step(Apply, (), "applicant", "applied", "pending"),
    Step(Apply, ("invited", "rejected"), "applicant", "applied", "pending"),
    Step(Register, (), "admitting", "registered", "active"),
    Step(Approve, ("pending",), "validating", "approved", "active"),
    Step(Reject, ("pending", "invited"), "validating", "rejected", "rejected"),
    Step(GrantAccess, ("active",), "access", "access-granted", None),
    Step(WithdrawAccess, ("active", "suspended"), "access", "access-withdrawn", None),
    Step(UpdateAuthority, ("active",), "itself", "updated", None),
    Step(DecideChange, ("active", "suspended"), "validating", "change-approved", None),
    Step(Suspend, ("active",), "validating", "suspended", "suspended"),
    Step(Reinstate, ("suspended",), "validating", "reinstated", "active"),
    Step(Close, ("invited", "pending", "active", "suspended"), "validating", "closed", "closed"),
    Step(AssignSystem, ("invited", "pending", "active", "suspended"), "validating", "system-assigned", None),
)


def decide(subject: Authority | None, command: Any, known: Known) -> Entry | Refusal:
    """Return the entry that the command adds to an authority's history, or why it adds none."""
    wrong = _wrong_actor(command, known) or _unknown_competence(command, known)
    if wrong:
        return wrong
    steps = [step for step in LIFECYCLE if step.command is type(command)]
    # Who may comes before what is so: whoever has no right here learns nothing about the authority.
    if refusal := ENTITLED[steps[0].by](subject, command, known):
        return refusal
    step = _step(steps, subject, command)
    if isinstance(step, Refusal):
        return step
    change = CHANGES[type(command)](subject, command, known)
    if isinstance(change, Refusal):
        return change
    by = known.sender if known.actor is None else known.actor.id
    return {"what": step.what, "at": known.at, "by": by, "user": command.user.model_dump(), **change}


def _wrong_actor(command: Any, known: Known) -> Refusal | None:
    if not hasattr(command, "authority"):  # the operator, and whoever applies, speak for themselves
        return None
    if known.actor is None:
        return Refusal("unknown-authority", "authority")
    if known.actor.system != known.sender:
        return Refusal("not-your-authority", "authority")
    return None if known.actor.active else Refusal("authority-not-active", "authority")


def _unknown_competence(command: Any, known: Known) -> Refusal | None:
    if not known.unknown_competences:
        return None
    for path, scope in scopes_of(command):
        for position, code in enumerate(scope.competences):
            if code in known.unknown_competences:
                return Refusal("unknown-competence", f"{path}.competences.{position}")
    return None


def _step(steps: Sequence[Step], subject: Authority | None, command: Any) -> Step | Refusal:
    if subject is None:
        return next((step for step in steps if not step.of), Refusal("unknown-authority", subject_field(command)))
    fitting = next((step for step in steps if subject.status in step.of), None)
    return fitting or _WRONG_STATUS.get(type(command), Refusal("wrong-status", subject_field(command)))


_WRONG_STATUS: Final[Mapping[type[Message], Refusal]] = {
    AppointCoordinator: Refusal("coordinator-exists", "details.country"),
    Apply: Refusal("not-invited", "registration"),
    Approve: Refusal("not-pending", "applicant"),
    Reject: Refusal("not-pending", "applicant"),
}
