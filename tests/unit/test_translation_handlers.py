"""The queue of views: what is known of free text goes with it, and what is not known yet holds nobody up."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from contracts.case import CaseView
from contracts.inbox import CaseUpdate
from contracts.sentences import SENTENCES
from services.chassis import faults
from services.chassis.delivery import Delivery, Handled, Later, Result
from services.translation.area import AreaTexts, codes_of, items_of
from services.translation.guard import Guard
from services.translation.handlers import Translator
from services.translation.machine import PATIENCE, Machine
from services.translation.store import Store
from tests.unit.deliveries import delivered
from tests.unit.samples import rules

RULES = rules()
AREA = AreaTexts(items_of(RULES), {"en": {code: f"en:{code}" for code in codes_of(RULES)}, "de": {"title": "de:title"}})
LANGUAGES = {"DE-00000001": ("de",), "HU-00000002": ("hu", "en")}
SAID = {"text": "Der Nachweis wurde von der zuständigen Behörde ausgestellt.", "language": "fr"}
SHOWN = {
    "id": "0000-0000-0001",
    "version": 3,
    "state": {"code": "replied"},
    "area": {"code": "diplomas", "version": 3},
    "sender": {"name": "Amt", "authority": "DE-00000001", "country": {"code": "DE"}},
    "questions": [{"code": "why-not", "value": SAID}, {"code": "genuine", "value": "yes"}],
    "particulars": [{"code": "holder", "value": {"text": "Kovács Eszter", "language": "hu"}}],
    "comment": SAID,
    "remarks": [{"on": "message", "at": "2026-03-20T08:30:00Z", "by": "DE-00000001", "said": SAID}],
    "event": {"code": "replied", "at": "2026-03-20T08:30:00Z", "by": "DE-00000001"},
}


class Readers:
    """Translation's store, in memory."""

    async def languages(self, readers: Iterable[str]) -> dict[str, tuple[str, ...]]:
        return {one: LANGUAGES[one] for one in readers if one in LANGUAGES}

    async def terms(self, codes: Iterable[str]) -> dict[str, dict[str, str]]:
        raise AssertionError("no area here has a code of a list")

    async def area_texts(self, area: str, version: int, languages: Iterable[str]) -> AreaTexts:
        if area != "diplomas":
            raise KeyError(area)
        return AREA


class French:
    """A model that takes everything for German."""

    def rank(self, text: str) -> list[tuple[str, float]]:
        return [("de", 0.9), ("fr", 0.1)]


def translator(machine: Machine | None = None) -> Translator:
    """As the process has it, with a guard."""
    return Translator(cast("Store", Readers()), {"en": dict(SENTENCES)}, Guard(French), machine)


def delivery(reader: str = "DE-00000001", **changes: Any) -> Delivery:
    """What casework tells one reader of the case."""
    message = CaseUpdate(reader=reader, case=CaseView.model_validate(SHOWN)).model_dump(mode="json", exclude_none=True)
    message["case"] |= changes
    view = {"to": "de-kammer", "reader": reader, "message_id": "m-1", "message": message}
    return Delivery("translation.views", delivered(json.dumps({"views": [view]}).encode()))


def body(result: Result) -> dict[str, Any]:
    """The one message that goes to an inbox."""
    assert isinstance(result, Handled)
    (letter,) = result.outgoing
    return cast("dict[str, Any]", json.loads(letter.body))


def counted(language: str, area: str) -> float:
    """How many texts were read in another language."""
    labels = {"area": area, "language": language}
    return REGISTRY.get_sample_value("imi_texts_in_other_language_total", labels) or 0.0


async def test_free_text_that_seems_to_be_in_another_language_is_told_wherever_it_stands() -> None:
    """Beside the text, by code and in the reader's words; short texts are left alone; the message keeps its form."""
    (result,) = await translator()([delivery()])
    message = body(result)
    shown = message["case"]
    german = {"code": "de", "text": "Deutsch"}
    assert shown["questions"][0]["looks_like"] == german
    assert shown["comment"]["looks_like"] == german
    assert shown["remarks"][0]["said"]["looks_like"] == german
    assert "looks_like" not in shown["particulars"][0]
    CaseUpdate.model_validate(message)


async def test_texts_in_another_language_are_counted_by_area_and_language() -> None:
    """Those of the area, and the exchange's own."""
    before = counted("de", "diplomas"), counted("de", "exchange")
    (result,) = await translator()([delivery()])
    named = body(result)["in_other_language"]["en"]
    of_area = [code for code in named if not code.startswith(("state.", "event.", "note."))]
    assert {"question.genuine", "question.genuine.yes", "particular.holder"} <= set(of_area)
    assert counted("de", "diplomas") - before[0] == len(of_area)
    assert counted("de", "exchange") - before[1] == len(named) - len(of_area)


async def test_a_message_waits_a_little_for_its_translation_and_the_others_do_not() -> None:
    """What needs none goes out at once; what does comes with it, marked as not binding."""
    may = asyncio.Event()

    async def ask(text: str, source: str, target: str) -> str:
        await may.wait()
        return f"{target}: {text}"

    machine = Machine(ask)
    handle = translator(machine)
    german = {**SAID, "language": "de"}
    waiting = delivery("HU-00000002")
    plain = delivery(questions=[{"code": "why-not", "value": german}], particulars=[], comment=german, remarks=[])
    first, second = await handle([waiting, plain])
    assert isinstance(first, Later)
    assert "machine_translation" not in body(second)["case"]["comment"]
    may.set()
    async with asyncio.timeout(10):
        while isinstance(result := (await handle([waiting]))[0], Later):  # noqa: ASYNC110 - as the worker does
            await asyncio.sleep(0)
    message = body(result)
    made = message["case"]["comment"]["machine_translation"]
    assert (made["language"], made["text"]) == ("hu", f"hu: {SAID['text']}")
    assert made["label"] == {"code": "machine-translation", "text": "Machine translation, not binding"}
    assert message["case"]["questions"][0]["machine_translation"] == made
    assert "machine_translation" not in message["case"]["particulars"][0]
    CaseUpdate.model_validate(message)
    await machine.end()


async def test_after_two_seconds_a_message_goes_out_without() -> None:
    """The original is there; nothing was lost but comfort."""

    async def never(text: str, source: str, target: str) -> str:
        await asyncio.Event().wait()
        return ""

    machine = Machine(never)
    old = delivery("HU-00000002")
    old.taken_at -= PATIENCE
    (result,) = await translator(machine)([old])
    shown = body(result)["case"]
    assert shown["comment"]["text"] == SAID["text"]
    assert "machine_translation" not in shown["comment"]
    await machine.end()


@pytest.mark.parametrize(
    "changes", [{"questions": None}, {"comment": "x"}, {"area": {"code": "none", "version": 1}}, {"remarks": [1]}]
)
async def test_a_view_that_cannot_be_rendered_is_parked_alone(changes: dict[str, Any]) -> None:
    """Whatever is wrong with it, and whoever looks at its texts first."""
    broken, whole = await translator()([delivery(**changes), delivery()])
    assert isinstance(broken, Handled)
    assert [one.routing_key for one in broken.outgoing] == ["parked"]
    assert body(whole)["case"]["area"]["text"] == "de:title"


async def test_while_a_restored_database_catches_up_a_view_waits_for_its_area_and_the_others_do_not() -> None:
    """It is shown again until the area is there; afterwards what is not there never will be."""
    catching_up = [True]

    async def asked() -> bool:
        return catching_up[0]

    handle = Translator(cast("Store", Readers()), {"en": dict(SENTENCES)}, catching_up=asked)
    lacking = delivery(area={"code": "not-yet", "version": 1})
    waits, whole = await handle([lacking, delivery()])
    assert isinstance(waits, Later)
    assert body(whole)["case"]["area"]["text"] == "de:title"
    lacking.taken_at -= faults.PATIENCE + 1
    with pytest.raises(faults.Impatient):  # held long enough: it goes back to the queue
        await handle([lacking])
    catching_up[0] = False
    (parked,) = await handle([lacking])
    assert isinstance(parked, Handled)
    assert [one.routing_key for one in parked.outgoing] == ["parked"]
