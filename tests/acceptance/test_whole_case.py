"""Whole cases, by the SDK, as any connected system would."""

import pytest

from client.legislation import load
from contracts.topology import OPERATOR
from tests.world import AREA, HOLDER, LEGISLATION, World, update

pytestmark = pytest.mark.servers


async def test_a_case_is_read_by_each_side_in_its_own_language(world: World) -> None:
    """Question and answers are picked by code; Germany reads German, Hungary Hungarian, from sending to closing."""
    async with world.both() as (germany, hungary):
        sent = (await germany.do(world.request())).case
        assert sent
        assert sent.questions[0].text == "Ist das im Ersuchen genannte Diplom echt?"
        received = await update(hungary, sent.id, 1)
        assert received.area.text == load(LEGISLATION / AREA).texts["hu"]["title"]
        assert received.sender.country.text == "Németország"
        await hungary.do(world.accept(sent.id))
        await hungary.do(world.reply(sent.id))
        replied = await update(germany, sent.id, 3)
        assert [item.value_text for item in replied.questions] == ["Ja, das Diplom ist echt.", "Ungarn"]
        closed = (await germany.do(world.close(sent.id))).case
        assert closed
        assert (closed.state.code, closed.version, closed.turn) == ("closed", 4, None)


async def test_before_acceptance_the_recipient_sees_no_personal_data(world: World) -> None:
    """Neither particulars nor comment reach the recipient's inbox before it has accepted; afterwards they do."""
    async with world.both() as (germany, hungary):
        comment = {"text": f"about {HOLDER}", "language": "de"}
        sent = (await germany.do(world.request(comment=comment))).case
        assert sent
        received = await update(hungary, sent.id, 1)
        assert HOLDER not in received.model_dump_json()
        accepted = (await hungary.do(world.accept(sent.id))).case
        assert accepted
        assert accepted.model_dump_json().count(HOLDER) == 3


@pytest.mark.parametrize("stranger", ["de-other", "de-nimic", OPERATOR])
async def test_nobody_but_the_parties_touches_a_case(world: World, stranger: str) -> None:
    """A third system gets the same words for a case of others as for one that does not exist."""
    async with world.both() as (germany, _), world.system(stranger) as other:
        sent = (await germany.do(world.request())).case
        assert sent
        own = world.ids.get(stranger, world.ids["de-other"])
        codes = []
        for case in (sent.id, "0000-0000-0000"):
            outcome = await other.outcome(world.accept(case, authority=own))
            assert outcome.refused
            codes.append((outcome.refused.code, outcome.refused.text, outcome.case))
        assert codes[0] == codes[1]
        impostor = await other.outcome(world.accept(sent.id))
        assert impostor.refused
        assert (impostor.refused.code, impostor.case) == ("not-your-authority", None)


async def test_a_command_that_saw_an_older_version_is_refused_and_told_the_present_state(world: World) -> None:
    """Two handlers who act at once: one wins, the other reads what the case is now."""
    async with world.both() as (germany, hungary):
        sent = (await germany.do(world.request())).case
        assert sent
        await hungary.do(world.accept(sent.id, version=1))
        late = await hungary.outcome(world.accept(sent.id, version=1))
        assert late.refused
        assert late.case
        assert (late.refused.code, late.case.state.code, late.case.version) == ("version-passed", "accepted", 2)
