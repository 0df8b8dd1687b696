"""Fill the words into a view. What comes in was made by the exchange itself, so it is taken as plain JSON. Pure."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from contracts.inbox import AuthorityUpdate, CaseUpdate, Milestone, Outcome, SystemUpdate
from services.translation.area import AreaTexts, term_of
from services.translation.freetext import said_in
from services.translation.reading import Reading, language

Json = dict[str, Any]
Areas = Mapping[tuple[str, int], AreaTexts]


def area_of(message: Json) -> tuple[str, int] | None:
    """Return the version of the area whose words a case needs; a list of cases is shown without them."""
    area = message.get("case", {}).get("area")
    return (area["code"], area["version"]) if area else None


def listed_in(message: Json, areas: Areas) -> Iterator[str]:
    """Yield the terms of the vocabulary that are answers in a message's case."""
    with suppress(KeyError, TypeError, AttributeError):  # a view that is none is parked when it is rendered
        case = message.get("case")
        area = areas.get((case["area"]["code"], case["area"]["version"])) if case else None
        if not case or not area or not area.listed:
            return
        for kind, items in (("question", case["questions"]), ("particular", case.get("particulars", ()))):
            for item in items:
                found = area.listed.get(f"{kind}.{item['code']}")
                if found and isinstance(value := item.get("value"), str):
                    yield term_of(found, value)


def render(message: Json, reading: Reading, areas: Areas) -> str:
    """Fill in the texts, in place, and return the type under which the message goes to the inbox."""
    kind, fill = _KINDS[message["kind"]]
    fill(message, reading)
    if case := message.get("case"):
        _case(case, reading, areas[case["area"]["code"], case["area"]["version"]])
        for said in said_in(message):
            _beside(said.holder, reading)
    if reading.lacking:
        message["in_other_language"] = _by_language(reading)
    return kind


def _by_language(reading: Reading) -> Json:
    found: dict[str, list[str]] = {}
    for lack in reading.lacking:
        found.setdefault(lack.language, []).append(lack.code)
    return found


def _nothing_else(_message: Json, _reading: Reading) -> None:
    """A case is filled in wherever it stands; a milestone is a number."""


def _outcome(message: Json, reading: Reading) -> None:
    for head in (*message.get("cases", ()), *([message["proof"]["case"]] if "proof" in message else ())):
        _head(head, reading)
    for step in message.get("proof", {}).get("steps", ()):
        step["text"] = reading.sentence(f"event.{step['what']}")
    if refused := message.get("refused"):
        refused["text"] = reading.sentence(f"refusal.{refused['code']}")
    for score in message.get("scores", ()):
        score["country"]["text"] = reading.country(score["country"]["code"])
    for found in message.get("found", ()):
        found["match"]["text"] = reading.sentence(f"match.{found['match']['kind']}")


def _authority(message: Json, reading: Reading) -> None:
    message["text"] = reading.sentence(f"authority.{message['event']}")


def _system(message: Json, reading: Reading) -> None:
    message["text"] = reading.sentence(f"system.{message['event']}")


def _case(case: Json, reading: Reading, area: AreaTexts) -> None:
    _head(case, reading)
    case["area"]["text"] = reading.text(area, "title")
    for item in (*case["questions"], *case.get("kept_answers", ())):
        _item(item, f"question.{item['code']}", reading, area)
    for item in (*case.get("particulars", ()), *case.get("correction", {}).get("particulars", ())):
        _item(item, f"particular.{item['code']}", reading, area)
    for remark in case.get("remarks", ()):
        remark["text"] = reading.sentence(f"event.{remark['on']}")
    for child in case.get("children", ()):
        child["state"]["text"] = reading.sentence(f"state.{child['state']['code']}")
        _party(child["to"], reading)


def _head(case: Json, reading: Reading) -> None:
    """What lists show, too."""
    case["state"]["text"] = reading.sentence(f"state.{case['state']['code']}")
    case["event"]["text"] = reading.sentence(f"event.{case['event']['code']}")
    for side in ("sender", "recipient"):
        if side in case:
            _party(case[side], reading)


def _party(party: Json, reading: Reading) -> None:
    party["country"]["text"] = reading.country(party["country"]["code"])


def _item(item: Json, code: str, reading: Reading, area: AreaTexts) -> None:
    item["text"] = reading.text(area, code)
    if "value" in item:
        item["value_text"] = reading.value(area, code, item["value"])


def _beside(holder: Json, reading: Reading) -> None:
    """Say in words what stands beside free text."""
    if found := holder.get("looks_like"):
        found["text"] = language(reading.languages[0], found["code"])
    if made := holder.get("machine_translation"):
        made["label"]["text"] = reading.sentence(f"note.{made['label']['code']}")


_KINDS: Mapping[str, tuple[str, Callable[[Json, Reading], None]]] = {
    "outcome": (Outcome.TYPE, _outcome),
    "case": (CaseUpdate.TYPE, _nothing_else),
    "authority": (AuthorityUpdate.TYPE, _authority),
    "system": (SystemUpdate.TYPE, _system),
    "milestone": (Milestone.TYPE, _nothing_else),
}
