"""What the systems saw from outside: what they sent, what came to their inboxes, which mails arrived. Data alone.

Times are seconds since the load began.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

Status = Literal["done", "refused"]

VERSIONS: Final = {1: "awaiting-acceptance", 2: "accepted", 3: "replied", 4: "closed"}
"""The versions that a whole case has, and its state in each."""
TOLD: Final = {"asking": {"accepted": 1, "replied": 1}, "answering": {"arrived": 0, "closed": 1}}
"""Which notices of a whole case each side gets by e-mail, and how often at least; none of them ever more than once.

The answering side is told of the arrival unless it has accepted before the mail goes out.
"""


@dataclass
class Command:
    """A command that a system sent, until the broker had confirmed it."""

    id: str
    system: str
    kind: str
    expected: Status
    case: str | None = None
    connects: str | None = None
    """The system that it connects, if it does: whoever sent it is told when that is in force."""
    sent: list[float] = field(default_factory=list)
    confirmed_at: float | None = None


@dataclass(frozen=True)
class Received:
    """A message that came to an inbox."""

    at: float
    system: str
    id: str
    kind: str
    digest: str
    """Of its body: a repetition says the same."""
    command: str | None = None
    status: str | None = None
    code: str | None = None
    case: str | None = None
    version: int | None = None
    state: str | None = None
    connected: str | None = None


@dataclass(frozen=True)
class Case:
    """A whole case between two systems, and their authorities' addresses."""

    id: str
    asking: str
    answering: str


@dataclass(frozen=True)
class Mail:
    """An e-mail that arrived; `told` are pairs of a case and what is told of it: a kind of notice."""

    at: float
    id: str
    to: str
    told: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Fault:
    """A fault, from its beginning until what had been done was undone."""

    name: str
    target: str
    began: float
    ended: float


@dataclass
class Record:
    """All of it."""

    commands: dict[str, Command] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    cases: dict[str, Case] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    never_met: list[Fault] = field(default_factory=list)
    """Those for which a process was waited that never came by: nothing was done to any."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Where each system's authority gets its mails."""

    def outcomes(self) -> Iterator[Received]:
        """Return what answers a command of this record."""
        return (one for one in self.received if one.command in self.commands and one.status)

    def strays(self) -> Iterator[Received]:
        """Return what answers a command, or shows a case, that this record knows nothing of."""
        for one in self.received:
            if (one.status and one.command not in self.commands) or (one.case and one.case not in self.cases):
                yield one

    def shown(self) -> Iterator[Received]:
        """Return what shows a case of this record."""
        return (one for one in self.received if one.case in self.cases and one.version)
