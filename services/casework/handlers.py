"""Commands on cases: decide, store, and say who shall read what."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Final

from contracts.casework import AcceptRequest, CaseView, CloseCase, Reply, SendRequest
from contracts.dates import Dates
from contracts.identity import case_id, derived_uuid
from contracts.inbox import CaseUpdate, View
from contracts.refusal import Refusal
from services.casework.calendar import Calendar, years_of
from services.casework.case import Case, case_from
from services.casework.deadlines import deadlines_of
from services.casework.lifecycle import Area, Authority, Now, proceed, send
from services.casework.public_holidays import PublicHolidays
from services.casework.settings import Settings
from services.casework.store import Store
from services.casework.views import view_of
from services.chassis.delivery import Later
from services.chassis.desk import Answer, Event, done, refused
from services.chassis.histories import Change, Decision, History, Refuse, Settled
from services.chassis.intake import Command

RESTS_ON_COPIES: Final = {
    "no-access",
    "unknown-authority",
    "not-your-authority",
    "authority-not-active",
    "recipient-not-found",
    "unknown-area",
}
"""Refusals that the registry's or translation's next event may overtake: not given in the first two seconds."""
_SETTLING_S, _LOOK_AGAIN_S = 2.0, 0.25


class CaseDesk:
    """The handler of casework's lanes."""

    def __init__(self, store: Store, settings: Settings, holidays: PublicHolidays) -> None:
        """Decide by what `store` and `holidays` know."""
        self._store = store
        self._settings = settings
        self._holidays = holidays

    async def __call__(self, commands: Sequence[Command]) -> Sequence[Answer | Later]:
        """Decide on a group of commands with one write for each case, and return what is to be told."""
        known = await self._store.authorities(_named(commands))
        areas = await self._store.areas(c.body.area for c in commands if isinstance(c.body, SendRequest))
        at = _now()
        now = Now(
            at, self._settings.day, calendar_for(self._holidays, _recipients(commands, known), areas.values(), at)
        )
        cut_off = await self._store.cut_off(c.system for c in commands)
        settled = await self._settle(commands, _decider(known, areas, self._store, now, cut_off))
        return await self._answers(commands, settled)

    async def _settle(
        self, commands: Sequence[Command], decide: Callable[[History, Command], Decision]
    ) -> Sequence[Settled | Later]:
        while True:
            try:
                return await self._store.cases.settle(commands, place_of, own_place_of, decide)
            except RulesNotRead as missing:
                await self._store.rules(missing.area, missing.version)

    async def _answers(
        self, commands: Sequence[Command], settled: Sequence[Settled | Later]
    ) -> Sequence[Answer | Later]:
        cases = [None if isinstance(s, Later) else _case(c, s) for c, s in zip(commands, settled, strict=True)]
        parties = {side.authority for case in cases if case for side in (case.sender, case.recipient)}
        known = await self._store.authorities(parties)
        return [
            s if isinstance(s, Later) else self._answer(c, s, case, known)
            for c, s, case in zip(commands, settled, cases, strict=True)
        ]

    def _answer(self, command: Command, settled: Settled, case: Case | None, known: Mapping[str, Authority]) -> Answer:
        reader: str = _acting(command)
        if settled.refusal:
            shown = {"case": self._view(case, reader, settled)} if case and case.is_party(reader) else {}
            return Answer(refused(command, settled.refusal, reader=reader, **shown))
        assert case
        other = case.other(reader).authority
        update = View(
            to=known[other].system,
            reader=other,
            message_id=derived_uuid("case", str(self._settings.epoch), case.id, str(case.version), other),
            message=CaseUpdate(reader=other, case=self._view(case, other, settled)),
        )
        dates = _dates(case, settled.history[-1]["at"], self._settings.epoch)
        return Answer(done(command, reader=reader, case=self._view(case, reader, settled)), (update,), (dates,))

    def _view(self, case: Case, reader: str, settled: Settled) -> CaseView:
        return view_of(case, reader, settled.history[-1], self._settings.epoch)


class RulesNotRead(Exception):
    """A decision needs the rules of an area version that is not in memory yet."""

    def __init__(self, area: str, version: int) -> None:
        """Name the version."""
        super().__init__(area, version)
        self.area = area
        self.version = version


def place_of(command: Command) -> str:
    """Return the number of the case that the command changes."""
    return getattr(command.body, "case", None) or own_place_of(command)


def own_place_of(command: Command) -> str:
    """Return the number of the case that the command would open."""
    return case_id(command.system, command.message_id)


def _decider(
    known: Mapping[str, Authority], areas: Mapping[str, Area], store: Store, now: Now, cut_off: Set[str]
) -> Callable[[History, Command], Decision]:
    def decide(history: History, command: Command) -> Decision:
        if command.system in cut_off:  # what it had sent before it was
            return Refuse(Refusal("system-suspended"))
        actor = known.get(_acting(command))
        if wrong := _not_entitled(actor, command):
            return _refuse(Refusal(wrong, "authority"), command)
        body = command.body
        if isinstance(body, SendRequest) and actor:
            if history:  # another command's case has this number: as likely as guessing a password
                return Refuse(Refusal("message-id-reused", "message_id"))
            entry = send(body, actor, known.get(body.recipient), areas.get(body.area), now)
            return _refuse(entry, command) if isinstance(entry, Refusal) else Change(entry)
        assert isinstance(body, AcceptRequest | Reply | CloseCase)
        return _on_case(history, body, store, now)

    return decide


def _not_entitled(actor: Authority | None, command: Command) -> str | None:
    if actor is None:
        return "unknown-authority"
    if actor.system != command.system:
        return "not-your-authority"
    return None if actor.active else "authority-not-active"


def _on_case(history: History, body: AcceptRequest | Reply | CloseCase, store: Store, now: Now) -> Decision:
    case = case_from(body.case, history)
    if case is None or not case.is_party(body.authority):
        # The same words for a case of others as for none: nobody learns which numbers exist.
        return Refuse(Refusal("unknown-case", "case"))
    rules = store.rules_at_hand(case.area, case.area_version)
    if rules is None:
        raise RulesNotRead(case.area, case.area_version)
    entry = proceed(case, body, rules, now)
    return Refuse(entry, in_document=True) if isinstance(entry, Refusal) else Change(entry)


def _refuse(refusal: Refusal, command: Command) -> Decision:
    if refusal.code in RESTS_ON_COPIES and command.age < _SETTLING_S:
        return Later(_LOOK_AGAIN_S)
    return Refuse(refusal)


def _acting(command: Command) -> str:
    assert isinstance(command.body, SendRequest | AcceptRequest | Reply | CloseCase)
    return command.body.authority


def _now() -> datetime:
    # As MongoDB keeps it: what is published again must not differ from what was published first.
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def calendar_for(
    holidays: PublicHolidays, recipients: Iterable[Authority], areas: Iterable[Area], at: datetime
) -> Calendar:
    """Return all the lists of holidays that requests to these recipients in these areas may need."""
    # The recipients' day may be another than that of UTC: the years overlap at both ends.
    days = (at.date() - timedelta(days=1), at.date() + timedelta(days=1))
    years = {year for area in areas for day in days for year in years_of(day, area.rules.deadlines.acceptance)}
    return holidays.calendar(((one.side.country, one.side.region) for one in recipients), sorted(years))


def _recipients(commands: Sequence[Command], known: Mapping[str, Authority]) -> Iterable[Authority]:
    named = (c.body.recipient for c in commands if isinstance(c.body, SendRequest))
    return [known[recipient] for recipient in named if recipient in known]


def _named(commands: Sequence[Command]) -> set[str]:
    named = (getattr(c.body, name, None) for c in commands for name in ("authority", "recipient"))
    return {authority for authority in named if authority}


def _case(command: Command, settled: Settled) -> Case | None:
    return case_from(place_of(command), settled.history)


def _dates(case: Case, at: datetime, epoch: int) -> Event:
    deadlines = deadlines_of(case)
    dates = Dates(case=case.id, epoch=epoch, version=case.version, area=case.area, at=at, deadlines=deadlines)
    return Event("dates", dates, derived_uuid("dates", str(epoch), case.id, str(case.version)))
