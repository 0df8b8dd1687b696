"""One case as its reader reads it, in every language: `tests/unit/snapshots/<language>.txt`, to be approved by eye.

`python -m tools.snapshots` writes them anew. What a change of words, of Babel or of the rendering has done is then read
in the difference, before it is committed.
"""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import contracts
from client.legislation import load
from contracts.case import CaseView
from contracts.inbox import CaseUpdate, Outcome, Refused
from contracts.languages import LANGUAGES
from contracts.sentences import SENTENCES
from contracts.translation import AreaRules, ItemRule
from services.chassis.catalogue import read_all
from services.translation.area import AreaTexts, items_of, options_of
from services.translation.reading import Reading, in_order
from services.translation.render import Areas, Json, render

ROOT: Final = Path(__file__).parent.parent
FOLDER: Final = ROOT / "tests" / "unit" / "snapshots"
AREA: Final = ROOT / "legislation" / "posting-of-workers"
"""The area with the most types of answers."""
_OF_A_TYPE: Final = 3
"""Questions of each type that the case asks."""

_VALUES: Final[dict[str, Any]] = {
    "date": "2026-03-01",
    "number": 1234567.5,
    "text": {"text": "Szia", "language": "hu"},
    "country": "EL",
    "amount": {"amount": "1234.5", "currency": "EUR"},
    "period": {"begin": "2026-01-05", "end": "2026-03-31"},
}
_LISTED: Final = {"languages": "mt", "nace": "41.20", "competences": "doctor"}


def snapshot(language: str) -> str:
    """Return the words of the case for a reader of `language`, a line for each code and each value."""
    words, areas, _ = _exchange()
    view: Json = json.loads(view_of())
    refusal: Json = json.loads(
        Outcome(status="refused", refused=Refused(code="not-your-step")).model_dump_json(exclude_none=True)
    )
    for message in (view, refusal):
        render(message, Reading(in_order((language,)), words), areas)
    lines = (line for message in (view, refusal) for line in _lines(message))
    return "\n".join(lines) + "\n"


def view_of(area: str = AREA.name, version: int | None = None) -> bytes:
    """Return what casework says of the case: codes, no words. As if it were of another area, where one is named."""
    _, _, case = _exchange()
    label = case.area.model_copy(update={"code": area, "version": version or case.area.version})
    shown = CaseUpdate(reader="DE-00000001", case=case.model_copy(update={"area": label}))
    return shown.model_dump_json(exclude_none=True).encode()


@cache
def _exchange() -> tuple[dict[str, dict[str, str]], Areas, CaseView]:
    area = load(AREA)
    rules = AreaRules.model_validate(area.rules)
    words = read_all(Path(contracts.__file__).parent / "locale", SENTENCES)
    texts = AreaTexts(items_of(rules), area.texts)
    return words, {(area.code, area.version): texts}, _case(area.code, area.version, rules)


def _case(area: str, version: int, rules: AreaRules) -> CaseView:
    side = {"name": "Amt", "authority": "DE-00000001", "country": {"code": "DE"}}
    asked: Counter[str] = Counter()
    questions = []
    for item in rules.questions:
        asked[item.type] += 1
        if asked[item.type] <= _OF_A_TYPE:
            questions.append({"code": item.code, "value": _value(item)})
    fields = {
        "id": "0000-0000-0001",
        "version": 3,
        "state": {"code": "replied"},
        "area": {"code": area, "version": version},
        "sender": side,
        "recipient": side | {"authority": "IE-00000002", "country": {"code": "IE"}},
        "questions": questions,
        "particulars": [{"code": item.code, "value": _value(item)} for item in rules.particulars],
        "remarks": [{"on": "forwarded", "at": "2026-03-19T08:30:00Z", "by": "IE-00000002"}],
        "event": {"code": "replied", "at": "2026-03-20T08:30:00Z", "by": "IE-00000002"},
    }
    return CaseView.model_validate(fields)


def _value(item: ItemRule) -> Any:
    if item.list:
        return _LISTED[item.list]
    if options := options_of(item):
        return list(options[:2]) if item.type == "multiple" else options[0]
    return _VALUES[item.type]


def _lines(node: Any, path: str = "") -> Iterator[str]:
    """Every text, and every value as it is read, by where it stands."""
    if isinstance(node, list):
        for one in node:
            yield from _lines(one, path)
        return
    if not isinstance(node, dict):
        return
    place = " ".join(one for one in (path, str(node.get("code") or node.get("on") or "")) if one)
    if "text" in node and "language" not in node:
        yield f"{place}: {node['text']}" + (f" = {node['value_text']}" if "value_text" in node else "")
    for name, one in node.items():
        yield from _lines(one, name)


def main() -> None:
    """Write the snapshots."""
    FOLDER.mkdir(exist_ok=True)
    for language in LANGUAGES:
        (FOLDER / f"{language}.txt").write_text(snapshot(language), encoding="utf-8")


if __name__ == "__main__":
    main()
