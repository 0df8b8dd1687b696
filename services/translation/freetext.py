"""Where in a message free text stands, and what may stand beside it. Pure."""

from collections.abc import Iterator
from typing import Any, NamedTuple

Json = dict[str, Any]


class Said(NamedTuple):
    """Free text with its language, and where to put what is to be read beside it."""

    text: str
    language: str
    holder: Json


def said_in(message: Json) -> Iterator[Said]:
    """Yield all free text of the case in a message."""
    case = message.get("case")
    if not case:
        return
    remarks = (remark.get("said") for remark in case.get("remarks", ()))
    for found in (case.get("comment"), case.get("reply_comment"), *remarks):
        if found:
            yield Said(found["text"], found["language"], found)
    for item in _items(case):
        value = item.get("value")
        if isinstance(value, dict) and "language" in value:
            yield Said(value["text"], value["language"], item)


def _items(case: Json) -> Iterator[Json]:
    yield from case["questions"]
    yield from case.get("particulars", ())
    yield from case.get("kept_answers", ())
    yield from case.get("correction", {}).get("particulars", ())
