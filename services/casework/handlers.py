"""Commands on cases: decide, store, and say who shall read what."""

import asyncio
from collections.abc import Callable, Iterable, Sequence, Set
from datetime import UTC, datetime
from itertools import compress
from typing import Final

from contracts import own
from contracts.calendar import years_around
from contracts.case import CaseView, Republished
from contracts.casework import CHANGES, RepublishCases, ShowCase, ShowFile, ShowTrail, TraceCase
from contracts.dates import Dates
from contracts.identity import case_id, derived_uuid
from contracts.inbox import CaseUpdate, View
from contracts.refusal import Refusal
from contracts.topology import OPERATOR
from services.casework.case import Case
from services.casework.deadlines import deadlines_of
from services.casework.facts import Facts
from services.casework.history import Fold
from services.casework.knowledge import NotAtHand
from services.casework.lifecycle import decide
from services.casework.questions import Questions
from services.casework.settings import Settings
from services.casework.store import Store
from services.casework.views import concerns, latest, notices_of, readers_of, view_of
from services.chassis.delivery import Later
from services.chassis.desk import OWN_SYSTEM, Answer, Event, done, refused
from services.chassis.histories import Change, Decision, Drop, History, Refuse, Settled
from services.chassis.intake import Command
from services.chassis.public_holidays import PublicHolidays

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
_MOST_READINGS: Final = 1_000
_TOLD_TO_PARENT: Final = frozenset(
    {"replied", "clarified", "decided", "closed", "withdrawn", "refused", "forwarded", "rerouted", "corrected"}
)
_NAMED: Final = ("authority", "recipient", "to")
_OF_ONE_CASE: Final = (ShowCase, ShowFile, ShowTrail, TraceCase)


class CaseDesk:
    """The handler of casework's lanes, and of its own queue."""

    def __init__(self, store: Store, settings: Settings, holidays: PublicHolidays, questions: Questions) -> None:
        """Decide by what `store` and `holidays` know; `questions` answers what changes nothing."""
        self._store = store
        self._settings = settings
        self._holidays = holidays
        self._questions = questions

    async def __call__(self, commands: Sequence[Command]) -> Sequence[Answer | Later]:
        """Decide on a group of commands with one write for each case, and return what is to be told."""
        changes = [isinstance(c.body, (*CHANGES, *own.OWN)) for c in commands]
        await self._store.cases.weigh([c.body.case for c in commands if isinstance(c.body, _OF_ONE_CASE)])
        changing = list(compress(commands, changes))
        changed = iter(await self._change(changing) if changing else ())
        # What changes nothing is answered side by side, as far as all that is read for it may be held at once.
        asking = [self._answer_to(c) for c, is_change in zip(commands, changes, strict=True) if not is_change]
        answered = iter(await asyncio.gather(*asking))
        return [next(changed if is_change else answered) for is_change in changes]

    async def _answer_to(self, command: Command) -> Answer:
        if isinstance(command.body, RepublishCases) and command.system == OPERATOR and not command.expired:
            return await self._republish(command, command.body)
        return await self._questions(command)

    async def _republish(self, command: Command, asked: RepublishCases) -> Answer:
        """Tell the last change of cases again, to whoever did it too: under the same ids as ever in this epoch."""
        page, more = await self._store.changed_since(asked.since, asked.after or "", asked.limit)
        facts = Facts.at(self._store, self._holidays, _now(), self._settings.day)
        cases = [(case, Settled(history)) for number, history in page if (case := self._store.fold(number, history))]
        for case, _ in cases:
            await self._store.rules(case.area, case.area_version)
        await facts.read_authorities({number for case, _ in cases for number in case.parties})
        told = [(case, settled, self._told(settled, case, facts)) for case, settled in cases]
        await facts.read_authorities({reader for *_, readers in told for reader in readers})
        updates = tuple(
            self._update(reader, case, settled, facts)
            for case, settled, readers in told
            for reader in readers
            if facts.knows(reader)
        )
        events = tuple(self._dates(case, settled, command.traceparent) for case, settled in cases)
        following = {"next": page[-1][0]} if more else {}
        republished = Republished(cases=len(cases), messages=len(updates))
        return Answer(done(command, republished=republished, **following), updates, events)

    async def _change(self, commands: Sequence[Command]) -> Sequence[Answer | Later]:
        facts = Facts.at(self._store, self._holidays, _now(), self._settings.day)
        await facts.read_authorities(_named(commands))
        await facts.read_areas({c.body.area for c in commands if hasattr(c.body, "area")})
        self._look_up_holidays(commands, facts)
        cut_off = await self._store.cut_off(c.system for c in commands if c.system != OWN_SYSTEM)
        settled = await self._settle(commands, facts, _decider(facts, cut_off, self._store.fold))
        return await self._answers(commands, settled, facts)

    def _look_up_holidays(self, commands: Sequence[Command], facts: Facts) -> None:
        """Those that requests will need, before anybody asks: the answering side's day may differ from UTC's."""
        named = (getattr(c.body, "recipient", None) for c in commands)
        sides = [found.side for one in named if one and (found := facts.authorities.get(one))]
        periods = [area.rules.deadlines.acceptance for area in facts.areas.values() if area]
        facts.look_up({(side.country, side.region) for side in sides}, years_around(facts.now.at, periods))

    async def _settle(
        self, commands: Sequence[Command], facts: Facts, decided: Callable[[History, Command], Decision]
    ) -> Sequence[Settled | Later]:
        for _ in range(_MOST_READINGS):
            try:
                return await self._store.cases.settle(commands, place_of, own_place_of, decided)
            except NotAtHand as missing:
                await facts.read(missing)
        raise RuntimeError("a group of decisions asks without end")

    async def _answers(
        self, commands: Sequence[Command], settled: Sequence[Settled | Later], facts: Facts
    ) -> Sequence[Answer | Later]:
        fold = self._store.fold
        cases = [
            None if isinstance(s, Later) else fold(place_of(c), s.history)
            for c, s in zip(commands, settled, strict=True)
        ]
        changed = [
            (s, case) if case and isinstance(s, Settled) and not s.refusal else None
            for s, case in zip(settled, cases, strict=True)
        ]
        # Those who are told are known before those who observe one of them: a command names some of the sides at most.
        await facts.read_authorities(
            {one for s, case in filter(None, changed) for one in readers_of(case, s.history[-1])}
        )
        told = [self._told(*one, facts) if one else {} for one in changed]
        await facts.read_authorities({reader for readers in told for reader in readers})
        return [
            s if isinstance(s, Later) else self._answer(c, s, case, readers, facts)
            for c, s, case, readers in zip(commands, settled, cases, told, strict=True)
        ]

    def _told(self, settled: Settled, case: Case, facts: Facts) -> dict[str, None]:
        """Who is told of a change: the parties, and whoever observes one of them; each once, in this order."""
        entry = settled.history[-1]
        readers = dict.fromkeys(readers_of(case, entry))
        if case.sent_at:
            for side in (case.sender, case.recipient):
                known = facts.authorities.get(side.authority) if side else None
                access = known.access.get(case.area) if known else None
                linked = access.linked if access else ()
                readers |= dict.fromkeys(one for one in linked if concerns(case, entry, one))
        return readers

    def _answer(
        self, command: Command, settled: Settled, case: Case | None, readers: dict[str, None], facts: Facts
    ) -> Answer:
        acting: str | None = None if command.system == OWN_SYSTEM else getattr(command.body, "authority", None)
        if settled.refusal:
            return _refused(command, settled, case, acting, self._settings.epoch)
        assert case
        updates = tuple(
            self._update(reader, case, settled, facts) for reader in readers if reader != acting and facts.knows(reader)
        )
        events = (self._dates(case, settled, command.traceparent), *_to_itself(case, settled, self._settings.epoch))
        if acting is None:
            return Answer(None, updates, events)
        shown = view_of(case, acting, settled.history[-1], self._settings.epoch, acting=True)
        return Answer(done(command, reader=acting, case=shown), updates, events)

    def _update(self, reader: str, case: Case, settled: Settled, facts: Facts) -> View:
        known = facts.authorities[reader]
        assert known
        return View(
            to=known.system,
            reader=reader,
            message_id=derived_uuid("case", str(self._settings.epoch), case.id, str(case.version), reader),
            message=CaseUpdate(reader=reader, case=self._view(case, reader, settled)),
        )

    def _view(self, case: Case, reader: str, settled: Settled) -> CaseView:
        return view_of(case, reader, settled.history[-1], self._settings.epoch)

    def _dates(self, case: Case, settled: Settled, traceparent: str | None) -> Event:
        rules, epoch = self._store.rules_at_hand(case.area, case.area_version), str(self._settings.epoch)
        entry = settled.history[-1]
        dates = Dates(
            case=case.id,
            epoch=self._settings.epoch,
            version=case.version,
            area=case.area,
            state=case.state,
            at=entry["at"],
            deadlines=deadlines_of(case, rules.deadlines.remind if rules else (1,)),
            notices=notices_of(case, entry),
            traceparent=traceparent,
        )
        return Event("dates", dates, derived_uuid("dates", epoch, case.id, str(case.version)))


def place_of(command: Command) -> str:
    """Return the number of the case that the command changes."""
    return getattr(command.body, "case", None) or own_place_of(command)


def own_place_of(command: Command) -> str:
    """Return the number of the case that the command would open."""
    if command.system == OWN_SYSTEM:
        return str(getattr(command.body, "case", ""))
    return case_id(command.system, command.message_id)


def _decider(facts: Facts, cut_off: Set[str], fold: Fold) -> Callable[[History, Command], Decision]:
    def decided(history: History, command: Command) -> Decision:
        if command.system == OWN_SYSTEM:
            return _own(fold(place_of(command), history), command, facts)
        if command.system in cut_off:  # what it had sent before it was
            return Refuse(Refusal("system-suspended"))
        if wrong := _not_entitled(facts, command):
            return _refuse(Refusal(wrong, "authority"), command)
        if getattr(command.body, "case", None):
            return _on_case(fold(place_of(command), history), command, facts)
        if history:  # another command's case has this number: as likely as guessing a password
            return Refuse(Refusal("message-id-reused", "message_id"))
        entry = decide(None, command.body, facts, facts.now)
        return _refuse(entry, command) if isinstance(entry, Refusal) else Change(entry)

    return decided


def _own(case: Case | None, command: Command, facts: Facts) -> Decision:
    entry = decide(case, command.body, facts, facts.now)
    return Drop(entry) if isinstance(entry, Refusal) else Change(entry)


def _not_entitled(facts: Facts, command: Command) -> str | None:
    actor = facts.authority(getattr(command.body, "authority", ""))
    if actor is None:
        return "unknown-authority"
    if actor.system != command.system:
        return "not-your-authority"
    return None if actor.active else "authority-not-active"


def _on_case(case: Case | None, command: Command, facts: Facts) -> Decision:
    if case is None or not case.is_party(getattr(command.body, "authority", "")):
        # The same words for a case of others as for none: nobody learns which numbers exist.
        return Refuse(Refusal("unknown-case", "case"))
    entry = decide(case, command.body, facts, facts.now)
    if not isinstance(entry, Refusal):
        return Change(entry)
    if entry.code in RESTS_ON_COPIES and command.age < _SETTLING_S:
        return Later(_LOOK_AGAIN_S)
    return Refuse(entry, in_document=True)


def _refuse(refusal: Refusal, command: Command) -> Decision:
    if refusal.code in RESTS_ON_COPIES and command.age < _SETTLING_S:
        return Later(_LOOK_AGAIN_S)
    return Refuse(refusal)


def _refused(command: Command, settled: Settled, case: Case | None, acting: str | None, epoch: int) -> Answer:
    assert settled.refusal
    if acting is None:
        return Answer(None)
    if case is None or not case.is_party(acting):
        return Answer(refused(command, settled.refusal, reader=acting))
    shown = view_of(case, acting, latest(case, settled.history, acting), epoch)
    return Answer(refused(command, settled.refusal, reader=acting, case=shown))


def _to_itself(case: Case, settled: Settled, epoch: int) -> Iterable[Event]:
    """What casework has to do next because of this entry. Told again, it is the same command: done once."""
    entry = settled.history[-1]
    if entry["what"] == "split":
        child = own.OpenChild(case=entry["child"], parent=case.id)
        yield Event(own.routing_key(child), child, derived_uuid("own", "child", str(epoch), child.case))
    if case.parent and entry["what"] in _TOLD_TO_PARENT:
        moved = own.ChildMoved(case=case.parent, child=case.id, child_version=case.version)
        yield Event(own.routing_key(moved), moved, derived_uuid("own", "moved", str(epoch), case.id, str(case.version)))


def _now() -> datetime:
    # As MongoDB keeps it: what is published again must not differ from what was published first.
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _named(commands: Sequence[Command]) -> set[str]:
    named = (getattr(c.body, name, None) for c in commands for name in _NAMED)
    return {authority for authority in named if authority}
