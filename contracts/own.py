"""What casework tells itself to do, under ids that are derived: told twice, it is done once.

They travel through casework's own queue. No connected system can send or read them.
"""

from datetime import datetime
from typing import ClassVar, Literal

from contracts.types import AuthorityId, CaseId, Message

Passing = Literal["acceptance", "answer", "clarification", "idle", "block", "delete"]


class OpenChild(Message):
    """Make the case of a part that was split off. What it asks stands in its parent."""

    TYPE: ClassVar[str] = "casework.own.open_child.v1"
    case: CaseId
    parent: CaseId


class ChildMoved(Message):
    """Tell a parent how far a part of it has come. What was answered stands in the child."""

    TYPE: ClassVar[str] = "casework.own.child_moved.v1"
    case: CaseId
    child: CaseId
    child_version: int


class TimePassed(Message):
    """A date of a case has come."""

    TYPE: ClassVar[str] = "casework.own.time_passed.v1"
    case: CaseId
    kind: Passing
    due: datetime


class AuthorityGone(Message):
    """A party of a case is no longer active: what it had to do goes to its successor or its coordinator."""

    TYPE: ClassVar[str] = "casework.own.authority_gone.v1"
    case: CaseId
    authority: AuthorityId
    authority_version: int


OWN: tuple[type[Message], ...] = (OpenChild, ChildMoved, TimePassed, AuthorityGone)


def routing_key(message: Message | type[Message]) -> str:
    """Return the key under which it goes to casework's own queue: `own.` and what it is."""
    return message.TYPE.removeprefix("casework.").rsplit(".", 1)[0]
