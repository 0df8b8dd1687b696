"""Commands that change nothing: one's own cases, a case, its trail, the scoreboard; and what the operator checks."""

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import StrictBool, TypeAdapter

from contracts.case import BrokenLink, CaseHead, Retention, Verified
from contracts.casework import (
    OPERATOR_ONLY,
    ListCases,
    RecountScores,
    RunRetention,
    ShowCase,
    ShowFile,
    ShowScoreboard,
    ShowTrail,
    TraceCase,
    VerifyCases,
)
from contracts.refusal import Refusal
from contracts.topology import OPERATOR
from contracts.types import CaseId, Moment
from services.casework.case import Case
from services.casework.counting import Scoreboard
from services.casework.history import case_from
from services.casework.knowledge import Access
from services.casework.scores import merged, score_of
from services.casework.settings import Settings
from services.casework.store import Store
from services.casework.sweeping import Sweeper
from services.casework.trail import traced_of, trail_of
from services.casework.views import file_of, head_of, latest, view_of
from services.chassis.chain import broken_at
from services.chassis.desk import Answer, done, refused
from services.chassis.intake import Command

LISTED_AT_ONCE: Final = 10
"""Cases of a list that are held at once: of one list at a time so many, and of each its head is kept."""
_LISTED: Final = {"history.sealed": 0, "refused": 0}
"""What of a case is left out of a list: a head has nothing of it."""
MOST_LINES: Final = 1_000
"""Lines of a scoreboard in one answer: thirty states in thirty areas, and each state's own."""
_PLACE: Final = TypeAdapter(tuple[StrictBool, Moment, CaseId])
"""Where a page ended: whether its last case is open, when that changed, its number."""


class BadCursor(ValueError):
    """What should say where a page begins does not."""


class Questions:
    """Answers from what is there."""

    def __init__(self, store: Store, settings: Settings, sweeper: Sweeper, scoreboard: Scoreboard) -> None:
        """Look things up in all of these."""
        self._store = store
        self._settings = settings
        self._sweeper = sweeper
        self._scoreboard = scoreboard
        self._listing = asyncio.Lock()

    async def __call__(self, command: Command) -> Answer:
        """Answer one; nothing is remembered of it."""
        if command.expired:
            return Answer(refused(command, Refusal("expired", "expiration")))
        if isinstance(command.body, ShowScoreboard):
            return await self._scores(command, command.body)
        if isinstance(command.body, OPERATOR_ONLY):
            return await self._for_operator(command)
        if wrong := await self._barred(command):
            return Answer(refused(command, wrong))
        return await self._of_authority(command)

    async def _of_authority(self, command: Command) -> Answer:
        match command.body:
            case ListCases() as listed:
                return await self._list(command, listed)
            case ShowCase() as shown:
                return await self._show(command, shown)
            case ShowFile() as wanted:
                return await self._file(command, wanted)
            case ShowTrail() as traced:
                return await self._trail(command, traced)
        raise TypeError(command.body.TYPE)

    async def _barred(self, command: Command) -> Refusal | None:
        if command.system in await self._store.cut_off([command.system]):
            return Refusal("system-suspended")
        number = str(getattr(command.body, "authority", ""))
        known = (await self._store.authorities([number])).get(number)
        if known is None:
            return Refusal("unknown-authority", "authority")
        if known.system != command.system:
            return Refusal("not-your-authority", "authority")
        return None if known.active else Refusal("authority-not-active", "authority")

    async def _list(self, command: Command, asked: ListCases) -> Answer:
        try:
            conditions = _conditions(asked)
        except BadCursor:
            return Answer(refused(command, Refusal("bad-cursor", "after")))
        order = [("open", -1), ("changed_at", -1), ("_id", -1)]
        found = self._store.collection.find(conditions, _LISTED, batch_size=LISTED_AT_ONCE).sort(order)
        heads, rest, last = list[CaseHead](), dict[str, str](), None
        async with self._listing, found.limit(asked.limit + 1) as documents:
            async for document in documents:
                if last and len(heads) == asked.limit:
                    rest = {"next": last}
                    break
                heads.append(_head(document, asked.authority, self._settings.epoch))
                last = _cursor(document)
        return Answer(done(command, reader=asked.authority, cases=tuple(heads), **rest))

    async def _show(self, command: Command, asked: ShowCase) -> Answer:
        history = await self._store.history(asked.case)
        case = case_from(asked.case, history)
        if case is None or not await self._may_see(case, asked.authority):
            return Answer(refused(command, Refusal("unknown-case", "case"), reader=asked.authority))
        shown = view_of(case, asked.authority, latest(case, history, asked.authority), self._settings.epoch)
        return Answer(done(command, reader=asked.authority, case=shown))

    async def _file(self, command: Command, asked: ShowFile) -> Answer:
        case = case_from(asked.case, await self._store.history(asked.case))
        if case is None or not case.is_party(asked.authority):
            return Answer(refused(command, Refusal("unknown-case", "case"), reader=asked.authority))
        file = file_of(case, asked.authority, asked.file)
        if file is None:
            return Answer(refused(command, Refusal("unknown-file", "file"), reader=asked.authority))
        return Answer(done(command, reader=asked.authority, file=file))

    async def _may_see(self, case: Case, authority: str) -> bool:
        if case.is_party(authority):
            return True
        sides = [side.authority for side in (case.sender, case.recipient) if side and case.sent_at]
        known = await self._store.authorities(sides)
        return any(authority in one.access.get(case.area, Access()).linked for one in known.values())

    async def _trail(self, command: Command, asked: ShowTrail) -> Answer:
        found = await self._store.collection.find_one({"_id": asked.case})
        history = self._store.cases.opened(found) if found else ()
        case = case_from(asked.case, history)
        if found is None or case is None or not case.is_party(asked.authority):
            return Answer(refused(command, Refusal("unknown-case", "case"), reader=asked.authority))
        whole = broken_at(asked.case, found["history"]) is None
        proof = trail_of(case, history, asked.authority, self._settings.epoch, whole=whole)
        return Answer(done(command, reader=asked.authority, proof=proof))

    async def _scores(self, command: Command, asked: ShowScoreboard) -> Answer:
        groups = await self._scoreboard.groups(asked.first, asked.last, asked.country, asked.area)
        sums = sorted(merged(groups).items(), key=lambda one: (one[0][0], one[0][1] or ""))
        lines = tuple(score_of(country, area, figures) for (country, area), figures in sums if figures["requests"])
        return Answer(done(command, scores=lines[:MOST_LINES]))

    async def _for_operator(self, command: Command) -> Answer:
        if command.system != OPERATOR:
            return Answer(refused(command, Refusal("operator-only")))
        match command.body:
            case VerifyCases() as asked:
                return await self._verify(command, asked)
            case RunRetention() as asked:
                return await self._retention(command, asked)
            case RecountScores() as asked:
                return Answer(done(command, recount=await self._scoreboard.recount(asked.month)))
            case TraceCase() as asked:
                return await self._trace(command, asked.case)
        raise TypeError(command.body.TYPE)

    async def _verify(self, command: Command, asked: VerifyCases) -> Answer:
        one = {"_id": asked.case} if asked.case else {"_id": {"$gt": asked.after or ""}, "rev": {"$gte": 1}}
        found = self._store.collection.find(one, {"history": 1}).sort("_id", 1).limit(asked.limit)
        checked, last, broken = 0, None, list[BrokenLink]()
        async for document in found:
            last = str(document["_id"])
            history = document.get("history", ())
            checked += bool(history)
            place = broken_at(last, history)
            if place is not None:
                broken.append(BrokenLink(case=last, entry=place + 1))
        if asked.case and not checked:
            return Answer(refused(command, Refusal("unknown-case", "case")))
        verified = Verified(checked=checked, broken=tuple(broken))
        rest = {"next": last} if last and not asked.case else {}
        return Answer(done(command, verified=verified, **rest))

    async def _trace(self, command: Command, number: str) -> Answer:
        history = await self._store.history(number)
        case = case_from(number, history)
        if case is None:
            return Answer(refused(command, Refusal("unknown-case", "case")))
        known = await self._store.authorities(case.parties)
        readers = {one: known[one].system for one in case.parties if one in known}
        return Answer(done(command, traced=traced_of(case, history, readers, self._settings.epoch)))

    async def _retention(self, command: Command, asked: RunRetention) -> Answer:
        at = datetime.now(UTC)
        if asked.dry_run and asked.at:
            at = max(at, asked.at)
        blocked, deleted, keys = await self._sweeper.retention_due(at)
        if not asked.dry_run:
            await self._sweeper.turn()
        found = Retention(to_block=blocked, to_delete=deleted, keys=tuple(keys), dry_run=asked.dry_run)
        return Answer(done(command, retention=found))


def _head(document: Mapping[str, Any], reader: str, epoch: int) -> CaseHead:
    case = case_from(str(document["_id"]), document["history"])
    assert case
    return head_of(case, latest(case, document["history"], reader), epoch)


def _conditions(asked: ListCases) -> dict[str, Any]:
    wanted: dict[str, Any] = {"parties": asked.authority}
    if asked.open is not None:
        wanted["open"] = asked.open
    if asked.states:
        wanted["state"] = {"$in": list(asked.states)}
    if asked.my_turn:
        wanted["turn"] = asked.authority
    if asked.area:
        wanted["area"] = asked.area
    if asked.counterpart_country:
        wanted["countries"] = asked.counterpart_country
    if moments := {"$gte": asked.changed_from, "$lt": asked.changed_before}:
        given = {operator: moment for operator, moment in moments.items() if moment}
        wanted |= {"changed_at": given} if given else {}
    both = [{"parties": asked.counterpart}] if asked.counterpart else []
    after = [_after(asked.after)] if asked.after else []
    return {**wanted, "$and": [*both, *after]} if both or after else wanted


def _after(cursor: str) -> dict[str, Any]:
    """Whatever comes after a place in the order: open ones first, then the last changed."""
    try:
        is_open, at, number = _PLACE.validate_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise BadCursor from error
    same: list[Mapping[str, Any]] = [
        {"open": is_open, "changed_at": {"$lt": at}},
        {"open": is_open, "changed_at": at, "_id": {"$lt": number}},
    ]
    return {"$or": [*same, {"open": False}] if is_open else same}


def _cursor(document: Mapping[str, Any]) -> str:
    place = [document["open"], document["changed_at"].isoformat(), str(document["_id"])]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
