"""What an e-mail may be about. Codes, numbers, dates and official names alone: nothing that anybody typed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from contracts.identity import derived_uuid
from services.notifier.deadlines import Step
from services.notifier.notices import Told

_SLASHES: Final = 4
"""In the key of a step."""


@dataclass(frozen=True, slots=True)
class Due:
    """A step of a case, as the case's dates were in this version."""

    case: str
    version: int
    step: Step

    @property
    def key(self) -> str:
        """What it is, as it is remembered of a mail that told it."""
        return f"{self.case}/{self.step.key}"

    @classmethod
    def at(cls, key: str) -> Self | None:
        """Return what has this key, in a version that is not known any more; nothing if it is no such key."""
        case, _, rest = key.partition("/")
        return cls(case, 0, Step.at_key(rest)) if rest.count("/") == _SLASHES else None

    def email_id(self, address: str) -> str:
        """Return the identity of the mail to `address`: the same at every try, in every replica, in every plan."""
        step = self.step
        return derived_uuid("email", self.case, step.kind, step.stage, step.due.isoformat(), str(step.number), address)


@dataclass(frozen=True, slots=True)
class Notices:
    """What has happened, and what is due, told in one mail; `daily` if it is the day's summary.

    `batch` names what was gathered for it: some of that may no longer be needed at the next try. `before` is what the
    reader was told earlier of the same cases: what that put into a calendar, this may take away.
    """

    told: Sequence[Told]
    due: Sequence[Due] = ()
    daily: bool = False
    batch: str | None = None
    before: Sequence[Told | Due] = ()

    def email_id(self, address: str) -> str:
        """Return the identity of the mail that tells all of this to `address`: the same at every try."""
        ids = [*(one.id for one in self.told), *(one.key for one in self.due)]
        return derived_uuid("notices", *([self.batch] if self.batch else sorted(ids)), address)


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """Told to a coordinator: mails to an address of the authority `about` do not arrive. Which one, the registry says.

    `id` is the same for the same address and day.
    """

    id: str
    about: str

    def email_id(self, address: str) -> str:
        """Return the identity of the mail to `address`: the same at every try."""
        return derived_uuid("undeliverable", self.id, address)


Letter = Due | Notices | Undeliverable


def parts_of(letter: Due | Notices) -> tuple[tuple[Told, ...], tuple[Due, ...]]:
    """Return what has happened, and what is due."""
    return ((), (letter,)) if isinstance(letter, Due) else (tuple(letter.told), tuple(letter.due))
