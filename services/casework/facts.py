"""What casework has read for a group of decisions. What is missing is read when a decision asks for it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from contracts.calendar import Calendar
from contracts.translation import AreaRules
from services.casework.case import Case
from services.casework.history import case_from
from services.casework.knowledge import Area, Authority, NotAtHand, Now
from services.casework.store import Store
from services.chassis.histories import bounded
from services.chassis.public_holidays import PublicHolidays


@dataclass
class Facts:
    """Knowledge for the decisions of one group, all made at one moment."""

    store: Store
    holidays: PublicHolidays
    now: Now
    authorities: dict[str, Authority | None] = field(default_factory=dict)
    areas: dict[str, Area | None] = field(default_factory=dict)
    cases: dict[str, Case | None] = field(default_factory=dict)
    places: set[tuple[str, str | None]] = field(default_factory=set)
    years: set[int] = field(default_factory=set)

    @classmethod
    def at(cls, store: Store, holidays: PublicHolidays, at: datetime, day: timedelta) -> "Facts":
        """Return what is known at a moment: nothing yet, not even a holiday."""
        return cls(store, holidays, Now(at, day, Calendar()))

    def authority(self, number: str) -> Authority | None:
        """Return an authority; nothing when there is none. Raises `NotAtHand`."""
        if number not in self.authorities:
            raise NotAtHand("authority", number)
        return self.authorities[number]

    def area(self, code: str) -> Area | None:
        """Return an area in the version in force; nothing when there is none. Raises `NotAtHand`."""
        if code not in self.areas:
            raise NotAtHand("area", code)
        return self.areas[code]

    def rules(self, area: str, version: int) -> AreaRules:
        """Return the rules of one version. Raises `NotAtHand`."""
        found = self.store.rules_at_hand(area, version)
        if found is None:
            raise NotAtHand("rules", area, version)
        return found

    def case(self, number: str) -> Case | None:
        """Return another case as it is; nothing when there is none. Raises `NotAtHand`."""
        if number not in self.cases:
            raise NotAtHand("case", number)
        return self.cases[number]

    def knows(self, number: str) -> bool:
        """Say whether there is such an authority, as far as has been read."""
        return self.authorities.get(number) is not None

    def look_up(self, places: Iterable[tuple[str, str | None]], years: Iterable[int]) -> None:
        """Have the lists of holidays of these places and years, besides those that are there."""
        self.places |= set(places)
        self.years |= set(years)
        self.now = replace(self.now, calendar=self.holidays.calendar(self.places, sorted(self.years)))

    async def read_authorities(self, numbers: Iterable[str]) -> None:
        """Read those that are not known yet, at once."""
        missing = [number for number in numbers if number not in self.authorities]
        if missing:
            found = await self.store.authorities(missing)
            self.authorities |= {number: found.get(number) for number in missing}

    async def read_areas(self, codes: Iterable[str]) -> None:
        """Read those that are not known yet, at once."""
        missing = [code for code in codes if code not in self.areas]
        if missing:
            found = await self.store.areas(missing)
            self.areas |= {code: found.get(code) for code in missing}

    async def read(self, missing: NotAtHand) -> None:
        """Read what a decision asked for. Raises `TooMuch` when that of the whole group cannot be held at once."""
        match missing.kind:
            case "authority":
                await self.read_authorities([str(missing.key[0])])
            case "area":
                await self.read_areas([str(missing.key[0])])
            case "rules":
                await self.store.rules(str(missing.key[0]), int(missing.key[1]))
            case "case":
                number = str(missing.key[0])
                self.cases[number] = case_from(number, await self.store.history(number))
                if len(self.cases) > 1:  # those that several commands ask for
                    bounded(sum(one.size for one in self.cases.values() if one))
            case "holidays":
                state, region, first, last = missing.key
                self.look_up([(str(state), str(region) or None)], range(int(first), int(last)))
