"""What a decision may know besides the case itself: authorities, areas, other cases, the time. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

from contracts.calendar import Calendar
from contracts.translation import AreaRules
from services.casework.case import Case, Side
from services.casework.deadlines import A_DAY, day_at

Kind = Literal["authority", "area", "rules", "case", "holidays"]


@dataclass(frozen=True, slots=True)
class Access:
    """What an authority may do in one area: who granted it, who mediates, who observes, its competences there."""

    coordinator: str = ""
    request_coordinators: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    competences: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Authority:
    """What casework knows of an authority. `version` counts what happened to it in the registry."""

    side: Side
    system: str
    active: bool
    access: Mapping[str, Access]
    coordinator: str | None = None
    successor: str | None = None
    version: int = 1

    @property
    def id(self) -> str:
        """Its number."""
        return self.side.authority


@dataclass(frozen=True, slots=True)
class Area:
    """An area in the version in force."""

    code: str
    version: int
    rules: AreaRules


@dataclass(frozen=True, slots=True)
class Now:
    """The moment of a decision, in whole milliseconds, the holidays by which periods are counted, a day's length.

    A day has 24 hours, but for demonstrations.
    """

    at: datetime
    day: timedelta = A_DAY
    calendar: Calendar = field(default_factory=Calendar)

    def today(self, side: Side) -> date:
        """The calendar day where an authority is."""
        return day_at(self.at, side.country, side.region)


class NotAtHand(LookupError):
    """A decision needs what has not been read yet. Whoever decides reads it, and decides again."""

    def __init__(self, kind: Kind, *key: str | int) -> None:
        """Name it."""
        super().__init__(kind, *key)
        self.kind = kind
        self.key = key


class Knowledge(Protocol):
    """Answers from what has been read. Each method raises `NotAtHand` for what has not."""

    def authority(self, number: str) -> Authority | None:
        """Return an authority; nothing when there is none."""

    def area(self, code: str) -> Area | None:
        """Return an area in the version in force; nothing when there is none."""

    def rules(self, area: str, version: int) -> AreaRules:
        """Return the rules of one version."""

    def case(self, number: str) -> Case | None:
        """Return another case as it now is; nothing when there is none."""


def behind(authority: Authority, area: str, ask: Knowledge) -> Authority:
    """Return who mediates for an authority in an area: its first active request coordinator there.

    Else the access coordinator, else the validating one. An authority above which nobody is active mediates for itself.
    """
    for number in _above(authority, area):
        if (found := ask.authority(number)) and found.active:
            return found
    return authority


def first_behind(authority: Authority, area: str) -> str | None:
    """Return the number of who would mediate, whether active or not: whom reminders go to."""
    return next(iter(_above(authority, area)), None)


def _above(authority: Authority, area: str) -> tuple[str, ...]:
    access = authority.access.get(area, Access())
    named = (*access.request_coordinators, access.coordinator, authority.coordinator or "")
    return tuple(dict.fromkeys(number for number in named if number and number != authority.id))
