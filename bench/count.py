"""Whether each case's eight messages came, each once. Pure."""

from dataclasses import dataclass, field
from typing import Final

EXPECTED: Final = 8
"""Four commands: each gives an outcome to its sender and an update to the other side, so each side sees 1 to 4."""

VERSIONS: Final = (1, 2, 3, 4)


@dataclass
class Tally:
    """What was sent and what arrived. Systems, cases and messages are named by their ids."""

    awaited: dict[str, float] = field(default_factory=dict)
    """When each command was sent whose outcome has not come, by its message id."""
    repeated: int = 0
    """The same message once more: allowed, readers drop it."""
    doubled: int = 0
    """Another message that says the same: never allowed."""
    _outcomes: dict[str, str] = field(default_factory=dict)
    _seen: dict[tuple[str, str, int], str] = field(default_factory=dict)
    _cases: dict[str, int] = field(default_factory=dict)

    def sent(self, command: str, at: float) -> None:
        """Note a command, sent at `at` seconds."""
        self.awaited[command] = at

    def outcome(self, command: str, message: str) -> float | None:
        """Note an outcome; return when its command was sent, or nothing when the outcome is not the first."""
        first = self._outcomes.setdefault(command, message)
        if command in self.awaited:
            return self.awaited.pop(command)
        self._again(first, message)
        return None

    def saw(self, system: str, case: str, version: int, message: str) -> bool:
        """Note that a system was shown a case in this version; return whether it is the first time."""
        seen = (system, case, version)
        if seen in self._seen:
            self._again(self._seen[seen], message)
            return False
        self._seen[seen] = message
        self._cases[case] = self._cases.get(case, 0) + 1
        return True

    def whole(self, case: str) -> bool:
        """Say whether both sides were shown all four versions of a case."""
        return self._cases.get(case, 0) == EXPECTED

    def lost(self, begun: int) -> int:
        """Return how many messages are missing of those that `begun` cases give."""
        return begun * EXPECTED - sum(self._cases.values()) + len(self.awaited)

    def _again(self, first: str, message: str) -> None:
        if first == message:
            self.repeated += 1
        else:
            self.doubled += 1
