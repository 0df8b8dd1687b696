"""New legislation is published while the exchange runs and is used, and what has begun stays as it was."""

import asyncio
import re
import textwrap
import uuid
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from client import publishing
from client.legislation import Area, load
from client.system import System
from contracts.case import CaseView
from contracts.casework import AcceptRequest, Reply, SendRequest, ShowCase
from contracts.registry import GrantAccess, PutTerms, Scope, Term
from contracts.topology import OPERATOR
from contracts.translation import Labels, ShowForm, ShowLabels
from contracts.types import FreeText, Label
from tests.world import HANDLER, World, today, update

pytestmark = pytest.mark.servers

PAGE = (Path(__file__).parents[2] / "docs" / "legislation.md").read_text()
GERMAN = {"Driving licences": "Führerscheine", "Was the licence issued in your Member State?": "Dort ausgestellt?"}
HUNGARIAN = {
    "Driving licences": "Vezetői engedélyek",
    "Was the licence issued in your Member State?": "Ott állították ki?",
}
YES = {"Yes, it was issued here.": "Ja, er wurde hier ausgestellt."}


def area(folder: Path, version: int, german: dict[str, str]) -> Area:
    """The area of the tutorial, in three languages, with these German words."""
    made = folder / str(version) / "driving-licences"
    (made / "locale").mkdir(parents=True)
    blocks = [textwrap.dedent(found) for found in re.findall(r"```yaml\n(.*?)\n *```", PAGE, re.DOTALL)]
    (made / "area.yaml").write_text(blocks[0].replace("version: 1", f"version: {version}"))
    (made / "questions.yaml").write_text(blocks[1])
    codes = {message.english: message.code for message in load(made).messages}
    for language, words in (("de", german), ("hu", HUNGARIAN)):
        lines = [f'msgctxt "{codes[english]}"\nmsgid "{english}"\nmsgstr "{text}"' for english, text in words.items()]
        head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"'
        (made / "locale" / f"{language}.po").write_text("\n\n".join((head, *lines)) + "\n")
    return load(made)


async def granted(world: World) -> None:
    """Both sides have access to the new area."""
    for nimic, name in (("de-nimic", "de-kammer"), ("hu-nimic", "hu-hivatal")):
        async with world.system(nimic) as coordinator:
            of, authority = world.ids[name], world.ids[nimic]
            await coordinator.do(
                GrantAccess(authority=authority, to=of, area="driving-licences", scope=Scope(), user=HANDLER)
            )


def licence(world: World) -> SendRequest:
    """A request in the new area."""
    return world.request(
        area="driving-licences",
        questions=("issued", "valid-until"),
        particulars={name: FreeText(text="B 072RRE2I55", language="de") for name in ("holder", "number")},
        comment=FreeText(text="Der Führerschein wurde bei einer Kontrolle vorgelegt.", language="hu"),
    )


async def test_an_area_is_published_and_used_under_load_and_its_cases_keep_their_version(
    world: World, tmp_path: Path
) -> None:
    """No process is restarted and no message is lost: sent in German, read in Hungarian, answered, read in German."""
    before = {replica.port for replica in world.exchange.replicas}
    async with world.both() as (asking, answering), world.system(OPERATOR) as operator:
        stop = asyncio.Event()
        load_of = asyncio.create_task(_load(world, asking, stop))
        await publishing.publish(operator, area(tmp_path, 1, GERMAN | YES))
        await granted(world)
        sent = await asking.do(licence(world))
        assert sent.case
        assert sent.case.comment
        assert sent.case.comment.looks_like == Label(code="de", text="Deutsch")
        assert "question.valid-until" in (sent.in_other_language or {})["en"]
        number = sent.case.id
        assert _words(sent.case) == ("Führerscheine", "Dort ausgestellt?")
        assert _words(await update(answering, number, 1)) == ("Vezetői engedélyek", "Ott állították ki?")
        hungary = world.ids["hu-hivatal"]
        await answering.do(AcceptRequest(authority=hungary, case=number, user=HANDLER))
        answers: dict[str, str] = {"issued": "yes", "valid-until": today().isoformat()}
        await answering.do(
            Reply.model_validate({"authority": hungary, "case": number, "answers": answers, "user": HANDLER})
        )
        read = await update(asking, number, 3)
        assert read.questions[0].value_text == "Ja, er wurde hier ausgestellt."

        await _forms(asking)
        await publishing.publish(operator, area(tmp_path, 2, {"Driving licences": "Fahrerlaubnisse"}))
        again = await asking.do(ShowCase(authority=world.ids["de-kammer"], case=number, user=HANDLER))
        assert again.case
        assert (again.case.area, again.case.questions) == (read.area, read.questions)
        fresh = await _in_version(world, asking, 2)
        assert fresh.area.text == "Fahrerlaubnisse"
        stop.set()
        assert await load_of > 0
    assert {replica.port for replica in world.exchange.replicas} == before


async def _forms(asking: System) -> None:
    """What a form needs comes in the language asked for, says what is still in English, and is not sent twice."""
    asked = ShowForm(area="driving-licences", language="de", set="genuineness")
    form = (await asking.do(asked)).form
    assert form
    assert form.texts
    assert form.questions
    assert [item.code for item in form.questions] == ["issued", "valid-until"]
    assert form.texts["question.issued"] == "Dort ausgestellt?"
    assert form.in_english
    assert "question.issued.no" in form.in_english
    assert form.texts["question.issued.no"] == "No, it was not issued here."
    again = (await asking.do(asked.model_copy(update={"tag": form.tag}))).form
    assert again
    assert (again.tag, again.texts, again.questions) == (form.tag, None, None)
    other = (await asking.do(asked.model_copy(update={"tag": form.tag, "language": "hu"}))).form
    assert other
    assert other.texts
    for wrong in ({"area": "no-such-area"}, {"set": "no-such-set"}, {"version": 99}):
        assert (await asking.outcome(asked.model_copy(update=wrong))).refused


async def test_codes_are_read_in_words_as_soon_as_the_operator_has_loaded_them(world: World) -> None:
    """States and languages at once, a vocabulary once loaded; what translation has lost of it comes back by itself."""
    vocabulary = f"trades-{uuid.uuid4().hex[:8]}"
    term = Term(code=f"{vocabulary}-1", labels={"de": "Bau von Gebäuden", "en": "Construction"})
    asked = ShowLabels(of=vocabulary, language="de")
    exchange = world.exchange
    url = exchange.addresses.mongo_url("translation", exchange.passwords["translation"], "translation")
    async with world.both() as (asking, _), world.system(OPERATOR) as operator:
        states = (await asking.do(ShowLabels(of="states", language="hu"))).labels
        assert states
        assert states.labels
        assert states.labels["DE"] == "Németország"
        assert (await asking.outcome(asked)).refused
        await operator.do(PutTerms(vocabulary=vocabulary, terms=(term,), user=HANDLER))
        found = await _labels(asking, asked)
        assert found.labels == {term.code: "Bau von Gebäuden"}
        with MongoClient[dict[str, Any]](url) as client:
            client["translation"]["terms"].delete_many({})
        assert await _labels(asking, asked) == found
        again = (await asking.do(asked.model_copy(update={"tag": found.tag}))).labels
        assert again
        assert again.labels is None


async def _labels(asking: System, asked: ShowLabels) -> Labels:
    """Return labels as soon as they are there."""
    for _ in range(150):
        if found := (await asking.outcome(asked)).labels:
            return found
        await asyncio.sleep(0.1)
    raise TimeoutError


def _words(case: CaseView) -> tuple[str | None, str | None]:
    return case.area.text, case.questions[0].text


async def _in_version(world: World, asking: System, version: int) -> CaseView:
    """Return a new case as soon as one begins with this version."""
    for _ in range(100):
        case = (await asking.do(licence(world))).case
        assert case
        if case.area.version == version:
            return case
        await asyncio.sleep(0.1)
    raise TimeoutError


async def _load(world: World, asking: System, stop: asyncio.Event) -> int:
    """Send requests in another area all the while; each has its outcome, and it is that it was done."""
    done = 0
    while not stop.is_set():
        outcomes = await asyncio.gather(*(asking.outcome(world.request()) for _ in range(10)))
        assert [outcome.status for outcome in outcomes] == ["done"] * 10
        done += len(outcomes)
    return done
