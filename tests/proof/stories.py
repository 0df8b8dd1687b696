"""Cases as they go in a year: what casework would tell of them, by chance with a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from contracts.dates import Dates, Deadline, DeadlineKind, Notice, NoticeKind
from contracts.identity import derived_code
from contracts.languages import ZONES
from contracts.notifier import Preferences, Wish

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)
COUNTRIES: Final = ("DE", "HU", "FR", "EL", "IE", "PT", "FI", "PL")
AREAS: Final = {"services": (7, 1), "toys": (14, 3)}
"""How many days before an answer is due its authority is reminded."""


@dataclass(frozen=True, eq=False)
class Party:
    """An authority, and how it wishes to be written to."""

    id: str
    country: str
    addresses: tuple[str, ...]
    wishes: Preferences

    def at_hour(self, day: datetime) -> datetime:
        """The moment of its summary on the day that it then has."""
        there = day.astimezone(ZoneInfo(ZONES[self.country]))
        return there.replace(hour=self.wishes.hour, minute=0, second=0, microsecond=0).astimezone(UTC)


@dataclass
class Story:
    """A case: what casework tells of it, in order."""

    id: str
    area: str
    told: list[Dates] = field(default_factory=list)

    def now(self, at: datetime) -> Dates:
        """What was last told by then."""
        return next(dates for dates in reversed(self.told) if dates.at <= at)


def parties(chance: random.Random) -> list[Party]:
    """A coordinator for each state, and two authorities of it."""
    made = []
    for country in COUNTRIES:
        for place in range(3):
            name = f"{country.lower()}{place}"
            addresses = (f"office@{name}.example", f"second@{name}.example")[: 1 + (chance.random() < 0.3)]
            wishes = Preferences() if place == 0 else _wishes(chance)
            made.append(Party(f"{country}-{derived_code(8, name)}", country, addresses, wishes))
    return made


def _wishes(chance: random.Random) -> Preferences:
    gathered = Wish(gathered=True, at_once=("arrived",) if chance.random() < 0.3 else ())
    if chance.random() < 0.3:
        return Preferences()
    if chance.random() < 0.4:
        return Preferences(hour=chance.randrange(6, 20), areas={"toys": gathered})
    return Preferences(hour=chance.randrange(6, 20), general=gathered)


class Course:
    """A case takes its course by chance."""

    def __init__(self, number: int, everybody: Sequence[Party], chance: random.Random) -> None:
        """It begins some day of the year."""
        code = derived_code(12, "story", str(number))
        self.story = Story(f"{code[:4]}-{code[4:8]}-{code[8:]}", chance.choice(list(AREAS)))
        self._everybody, self._chance = everybody, chance
        acting = [one for one in everybody if coordinator(one, everybody) is not one]
        self._sender, self._recipient, self._other = chance.sample(acting, 3)
        self._at = BEGIN + timedelta(seconds=chance.randrange(340 * 86_400))

    def run(self) -> Story:
        """From the request to its end."""
        self._tell("awaiting-acceptance", [self._acceptance()], ("arrived", self._recipient))
        self._later(0.01, 12)
        if self._may(0.1):
            self._tell("withdrawn", [], ("withdrawn", self._recipient))
            return self.story
        if self._may(0.2):
            self._recipient = self._other
            self._tell("awaiting-acceptance", [self._acceptance()], ("forwarded", self._recipient))
            self._later(0.01, 9)
        self._answered()
        self._afterwards()
        self._later(0.5, 9)
        self._tell("closed", [], ("closed", self._recipient))
        return self.story

    def _answered(self) -> None:
        """Accepted, perhaps talked about, perhaps put off, and answered in time or long after."""
        answer = self._deadline("answer", self._end_of_day(self._chance.randrange(40)))
        self._tell("accepted", [answer], ("accepted", self._sender))
        if self._may(0.3):
            self._later(0.1, 20)
            self._tell("accepted", [answer], ("message", self._sender), ("message", self._recipient))
        if self._may(0.2) and self._at < answer.due - DAY:
            self._later(0.01, 0.5)
            answer = self._deadline("answer", answer.due + self._chance.randrange(5, 30) * DAY)
            self._tell("accepted", [answer], ("accepted", self._sender))
        self._later(0.1, 100 if self._may(0.2) else 45)
        self._tell("replied", [], ("replied", self._sender))

    def _afterwards(self) -> None:
        """A clarification, or the coordinators, or neither."""
        self._later(0.5, 5)
        if self._may(0.3):
            asked = self._deadline("clarification", self._end_of_day(7))
            self._tell("clarification-requested", [asked], ("clarification-asked", self._recipient))
            self._later(0.01, 12)
            self._tell("replied", [], ("clarified", self._sender))
        elif self._may(0.3):
            above = [coordinator(one, self._everybody) for one in (self._sender, self._recipient)]
            self._tell("referred", [], *(("referred", one) for one in dict.fromkeys(above)))
            self._later(0.0001, 6)

    def _may(self, share: float) -> bool:
        return self._chance.random() < share

    def _later(self, least: float, most: float) -> None:
        self._at += timedelta(seconds=round(self._chance.uniform(least, most) * 86_400))

    def _acceptance(self) -> Deadline:
        return self._deadline("acceptance", self._end_of_day(7))

    def _deadline(self, kind: DeadlineKind, due: datetime) -> Deadline:
        above = coordinator(self._recipient, self._everybody).id
        remind = AREAS[self.story.area] if kind == "answer" else (2,)
        return Deadline(kind=kind, authority=self._recipient.id, due=due, coordinators=(above,), remind=remind)

    def _end_of_day(self, days: int) -> datetime:
        there = (self._at + days * DAY).astimezone(ZoneInfo(ZONES[self._recipient.country]))
        return there.replace(hour=23, minute=59, second=59, microsecond=0).astimezone(UTC)

    def _tell(self, state: str, deadlines: Sequence[Deadline], *notices: tuple[NoticeKind, Party]) -> None:
        self.story.told.append(
            Dates(
                case=self.story.id,
                version=len(self.story.told) + 1,
                area=self.story.area,
                state=state,
                at=self._at,
                deadlines=tuple(deadlines),
                notices=tuple(Notice(kind=kind, authority=who.id) for kind, who in notices),
            )
        )


def coordinator(one: Party, everybody: Sequence[Party]) -> Party:
    """Return who coordinates the authorities of a state: the first of it."""
    return next(party for party in everybody if party.country == one.country)
