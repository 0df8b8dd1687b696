"""Cases on the real service: every cell of the table, time that passes, parties that go, what is forgotten."""

import asyncio
import itertools
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from client.system import System
from contracts.case import CaseHead, CaseView, Recount
from contracts.casework import (
    ListCases,
    RecountScores,
    RunRetention,
    ShowCase,
    ShowScoreboard,
    ShowTrail,
    UnblockCase,
    VerifyCases,
)
from contracts.catalogue import COMMANDS
from contracts.inbox import CaseUpdate, Outcome
from contracts.registry import Suspend
from contracts.topology import OPERATOR
from contracts.translation import AreaRules, Period, PublishArea, PutTexts, Retention
from contracts.types import FreeText, Message, User
from deploy.local.exchange import Exchange, exchange
from services.translation.area import codes_of
from tests.unit import samples
from tests.unit.samples import ACTIONS, PATHS
from tests.unit.test_case_lifecycle import ALLOWED, WHO, expected_refusal
from tests.world import AREA, World, connect, populate, today

HANDLER = User(id="handler", role="request-handler")
DAY_S = 0.02
"""A day of a period lasts so long here: two months are 1.2 seconds."""
_VERSIONS = itertools.count(1000)


@dataclass
class Cast:
    """A world whose systems are all connected, and who plays which part in the unit tests' commands."""

    world: World
    systems: dict[str, System]
    parts: dict[str, str] = field(default_factory=dict)

    def real(self, body: Message, case: str | None = None) -> Message:
        """A command of the unit tests, with the numbers and dates of this world."""
        text = body.model_dump_json(exclude_none=True)
        for made_up, name in self.parts.items():
            text = text.replace(made_up, self.world.ids[name])
        soon = (today() + timedelta(days=20)).isoformat()
        for old, new in (("2026-04-01", soon), ("2026-04-02", soon), ("diplomas", AREA)):
            text = text.replace(old, new)
        return COMMANDS[body.TYPE].model_validate(json.loads(text) | ({"case": case} if case else {}))

    async def say(self, body: Message, by: str, case: str | None = None) -> Outcome:
        """Send a command of the unit tests by the system of whoever says it; return its outcome."""
        return await self.systems[self.parts[by]].outcome(self.real(body, case))

    async def case_in(self, state: str) -> str:
        """Bring a new case into this state; return its number."""
        number: str | None = None
        for action, by in PATHS[state]:
            body = samples.request() if action == "send" else ACTIONS[action](by)
            outcome = await self.say(body, by, number if action != "send" else None)
            assert outcome.case, (state, action, outcome.refused)
            number = outcome.case.id
        assert number
        return number

    async def show(self, case: str, by: str) -> CaseView:
        """The case as this party may see it now."""
        asked = ShowCase(authority=self.world.ids[self.parts[by]], case=case, user=HANDLER)
        shown = (await self.systems[self.parts[by]].do(asked)).case
        assert shown
        return shown


PARTS = {
    samples.SENDER: "de-kammer",
    samples.RECIPIENT: "hu-hivatal",
    samples.COLLEAGUE: "hu-kamara",
    samples.STRANGER: "de-other",
    samples.DE: "de-nimic",
    samples.HU: "hu-nimic",
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange of its own, in which days are short and what is due is looked for often."""
    settings = {
        "casework": {
            "IMI_DAY": f"PT{DAY_S}S",
            "IMI_SWEEP_EVERY": "0.2",
            "IMI_COUNT_EVERY": "0.2",
            "IMI_COMPARE_EVERY": "2",
        }
    }
    with exchange(tmp_path_factory.mktemp("cases"), settings) as started:
        yield started


@pytest.fixture(scope="module")
def peopled(alone: Exchange) -> World:
    """Its authorities, a third one in Hungary among them."""
    world = populate(alone)
    asyncio.run(connect(world, "HU", "hu", "hu-kamara", "Magyar Orvosi Kamara"))
    return world


async def publish(world: World, **changes: Any) -> None:
    """Put the unit tests' area, with these changes of its rules, into force as a new version."""
    made: AreaRules = samples.rules(**changes)
    version = next(_VERSIONS)
    texts = {code: f"Text of {code}" for code in codes_of(made)}
    async with world.system(OPERATOR) as operator:
        await operator.do(PutTexts(area=AREA, version=version, language="en", texts=texts))
        await operator.do(PublishArea(area=AREA, version=version, rules=made))
        for _ in range(100):  # until casework has heard of it
            asked = world.request(questions=("genuine",), particulars=samples.PARTICULARS)
            async with world.system("de-kammer") as sender:
                outcome = await sender.outcome(asked)
            if outcome.case and outcome.case.area.version == version:
                return
            await asyncio.sleep(0.1)
    raise TimeoutError(f"version {version} is not in force")


async def cast(world: World, stack: AsyncExitStack) -> Cast:
    """Connect everybody."""
    systems = {name: await stack.enter_async_context(world.system(name)) for name in {*PARTS.values(), OPERATOR}}
    return Cast(world, systems, PARTS)


LONG = {"deadlines": {"acceptance": {"days": 3000}, "answer": {"days": 3000}, "idle": {"days": 3600}}}
"""Dates that do not come while a test runs, in days as short as here."""


@pytest.mark.parametrize("state", PATHS)
async def test_every_cell_of_the_table_is_what_it_says_on_the_real_service(peopled: World, state: str) -> None:
    """What may not be done is refused and changes nothing; what may be done leads where the table says."""
    await publish(peopled, **LONG, workflow={"refusal": True, "approval": state in ("draft", "awaiting-approval")})
    async with AsyncExitStack() as stack:
        players = await cast(peopled, stack)
        number = await players.case_in(state)
        cells = [(action, who) for action in ACTIONS for who in WHO]
        denied = [cell for cell in cells if (state, *cell) not in ALLOWED]
        outcomes = await asyncio.gather(*(players.say(ACTIONS[a](WHO[who]), WHO[who], number) for a, who in denied))
        for (action, who), outcome in zip(denied, outcomes, strict=True):
            assert outcome.refused, (action, who)
            assert outcome.refused.code == _code(state, action, who), (action, who)
        assert (await players.show(number, samples.SENDER)).state.code == state
        for action, who in [cell for cell in cells if cell not in denied]:
            fresh = await players.case_in(state)
            outcome = await players.say(ACTIONS[action](WHO[who]), WHO[who], fresh)
            assert outcome.case, (action, who, outcome.refused)
            assert outcome.case.state.code == ALLOWED[state, action, who], (action, who)


def _code(state: str, action: str, who: str) -> str:
    """Whoever is no party of the case is told that there is none."""
    parties = {"draft": ("sender",), "awaiting-approval": ("sender", "sender's coordinator")}
    if who in parties.get(state, ("sender", "recipient")) or (state == "referred" and "coordinator" in who):
        return expected_refusal(state, action, who)
    return "unknown-case"


async def test_what_is_not_done_in_time_is_told_to_all_sides_and_stillness_calls_in_the_coordinators(
    peopled: World,
) -> None:
    """Once each, by whichever replica; the coordinators of both sides then see a summary."""
    alone = peopled.exchange
    more = [alone.start("casework") for _ in range(2)]
    alone.wait_until_ready()
    try:
        await publish(peopled)
        async with AsyncExitStack() as stack:
            players = await cast(peopled, stack)
            number = await players.case_in("awaiting-acceptance")
            seen = await _until(players.systems["hu-nimic"], number, "idle")
            assert seen.summary
            history = await _codes(players, number)
            assert history[:3] == ["sent", "overdue", "idle"]
    finally:
        alone.stop(*more)


async def _until(system: System, case: str, event: str, within: float = 30) -> CaseView:
    """Return the case as it comes to an inbox when this has happened."""
    async with system.expecting(within) as inbox:
        async for message in inbox:
            if isinstance(message, CaseUpdate) and message.case.id == case and message.case.event.code == event:
                return message.case
    raise AssertionError(event)


async def _codes(players: Cast, case: str) -> list[str]:
    """What has happened to a case, from its trail."""
    asked = ShowTrail(authority=players.world.ids["de-kammer"], case=case, user=HANDLER)
    proof = (await players.systems["de-kammer"].do(asked)).proof
    assert proof
    assert proof.whole
    return [step.what for step in proof.steps]


async def test_after_its_periods_a_case_is_blocked_and_then_nothing_personal_is_left_of_it(peopled: World) -> None:
    """Neither in a dump, nor in MongoDB's files, nor in a queue; and its chain still verifies."""
    retention = Retention(blocked=Period(days=50), deleted=Period(days=250))
    await publish(peopled, **{**LONG, "retention": retention.model_dump(exclude_none=True)})
    planted = "Xq7planted-secret-Zk9"
    async with AsyncExitStack() as stack:
        players = await cast(peopled, stack)
        particulars = {"holder": FreeText(text=planted, language="de"), "born": "1980-01-01"}
        request = samples.request(particulars=particulars, comment=FreeText(text=planted, language="de"))
        number = (await players.say(request, samples.SENDER)).case.id  # type: ignore[union-attr]
        for action, by in PATHS["closed"][1:]:
            assert (await players.say(ACTIONS[action](by), by, number)).status == "done"
        assert planted in (await players.show(number, samples.RECIPIENT)).model_dump_json()
        blocked = await _until(players.systems["de-kammer"], number, "blocked")
        assert (blocked.personal_data, blocked.particulars) == ("blocked", None)
        unblock = UnblockCase(authority=peopled.ids["hu-hivatal"], case=number, ground="proof", user=HANDLER)
        opened = await players.systems["hu-hivatal"].do(unblock)
        assert planted in opened.model_dump_json()
        assert planted not in (await players.show(number, samples.RECIPIENT)).model_dump_json()
        deleted = await _until(players.systems["de-kammer"], number, "deleted")
        assert deleted.personal_data == "erased"
        verified = (await players.systems[OPERATOR].do(VerifyCases(case=number))).verified
        assert verified
        assert (verified.checked, verified.broken) == (1, ())
        await _drain(players)
    assert _where(peopled.exchange, planted) == []


async def _drain(players: Cast) -> None:
    """Read every inbox to its end: what has been read is no longer kept anywhere."""
    for system in players.systems.values():
        try:
            async with system.expecting(1) as inbox:
                async for _ in inbox:
                    pass
        except TimeoutError:
            continue


def _where(running: Exchange, planted: str) -> list[str]:
    """Where the planted words still are: in documents of any service, or in the bytes of MongoDB's files."""
    admin = running.addresses.mongo_admin
    found = list[str]()
    with MongoClient[dict[str, Any]](running.addresses.mongo_url(admin.name, admin.password)) as client:
        client.admin.command("fsync")
        for name in ("casework", "translation", "registry", "notifier"):
            found += [f"{name}.{held}" for held, text in _texts(client[name]) if planted in text]
    files = (path for path in (running.folder / "servers").rglob("*") if path.is_file() and "mongo" in str(path))
    return found + [str(path) for path in files if planted.encode() in path.read_bytes()]


def _texts(database: Database[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    return ((name, str(list(database[name].find({})))) for name in database.list_collection_names())


async def test_a_case_of_a_suspended_authority_goes_to_its_coordinator_and_all_sides_are_told(peopled: World) -> None:
    """Hungary's coordinator has to accept it; the sender reads so, and so does whoever had it."""
    await publish(peopled, **LONG)
    async with AsyncExitStack() as stack:
        players = await cast(peopled, stack)
        body = samples.request(recipient=samples.COLLEAGUE)
        number = (await players.say(body, samples.SENDER)).case.id  # type: ignore[union-attr]
        reason = FreeText(text="no longer competent", language="hu")
        suspend = Suspend(authority=peopled.ids["hu-nimic"], of=peopled.ids["hu-kamara"], reason=reason, user=HANDLER)
        await players.systems["hu-nimic"].do(suspend)
        moved = await _until(players.systems["de-kammer"], number, "rerouted")
        assert moved.recipient
        assert (moved.recipient.authority, moved.turn) == (peopled.ids["hu-nimic"],) * 2
        accepted = samples.accept(samples.HU)
        assert (await players.say(accepted, samples.HU, number)).status == "done"


async def test_ones_own_cases_are_listed_in_pages_with_what_one_asks_for(peopled: World) -> None:
    """Open ones first, the last changed first; each once over all pages, and nobody else's."""
    await publish(peopled, **LONG)
    async with AsyncExitStack() as stack:
        players = await cast(peopled, stack)
        made = [await players.case_in(state) for state in ("awaiting-acceptance", "accepted", "closed")]
        sender = players.systems["de-kammer"]
        asked = ListCases(authority=peopled.ids["de-kammer"], limit=2, user=HANDLER)
        heads, after = list[CaseHead](), None
        while True:
            outcome = await sender.do(asked.model_copy(update={"after": after}))
            heads += outcome.cases or ()
            if not (after := outcome.next):
                break
        ids = [head.id for head in heads]
        assert len(ids) == len(set(ids))
        assert set(made) <= set(ids)
        is_open = [head.state.code not in ("closed", "withdrawn", "refused", "discarded") for head in heads]
        assert is_open == sorted(is_open, reverse=True)
        mine = await sender.do(asked.model_copy(update={"states": ("closed",), "limit": 100}))
        assert {head.state.code for head in mine.cases or ()} == {"closed"}
        nobody = ListCases(authority=peopled.ids["de-other"], user=HANDLER)
        assert (await players.systems["de-other"].do(nobody)).cases == ()
        before_all = urlsafe_b64encode(b'[true,"0001-01-01T00:00:00+14:00","0000-0000-0001"]').decode().rstrip("=")
        for cursor in ("nonsense", before_all):
            wrong = await sender.outcome(asked.model_copy(update={"after": cursor}))
            assert wrong.refused
            assert wrong.refused.code == "bad-cursor"


async def test_the_scoreboard_equals_a_recount_and_the_operators_questions_are_the_operators(peopled: World) -> None:
    """Whatever has happened to cases in this module is counted once; nobody else may have it recounted."""
    month = datetime.now(UTC).strftime("%Y-%m")
    async with AsyncExitStack() as stack:
        players = await cast(peopled, stack)
        operator = players.systems[OPERATOR]
        recount = await _recounted(operator, month)
        assert recount.differing == 0
        assert recount.cases > 0
        scores = (await operator.do(ShowScoreboard(first=month, last=month))).scores or ()
        hungary = next(one for one in scores if one.country.code == "HU" and one.area is None)
        assert hungary.requests == recount.cases
        for body in (RecountScores(month=month), VerifyCases(), RunRetention()):
            outcome = await players.systems["de-kammer"].outcome(body)
            assert outcome.refused
            assert outcome.refused.code == "operator-only"
        everything = (await operator.do(VerifyCases(limit=1000))).verified
        assert everything
        assert everything.broken == ()
        assert everything.checked > 0


async def _recounted(operator: System, month: str) -> Recount:
    """Return a recount once all that has moved is counted."""
    for _ in range(100):
        recount = (await operator.do(RecountScores(month=month))).recount
        assert recount
        if recount.uncounted == 0:
            return recount
        await asyncio.sleep(0.2)
    raise TimeoutError(recount)
