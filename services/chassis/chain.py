"""A history as a hash chain: each entry's `link` covers the entry and the link before it. Pure.

Whoever changes, drops, swaps or inserts an entry breaks every link from there on. The first link covers the document's
own id, so that a history cannot be passed off as another document's.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

LINK: Final = "link"


def link_of(before: str, entry: Mapping[str, Any]) -> str:
    """Return the link of an entry that follows the link `before` (of a first entry: the document's id)."""
    text = json.dumps({key: value for key, value in entry.items() if key != LINK}, sort_keys=True, default=_plain)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def broken_at(document_id: str, history: Iterable[Mapping[str, Any]]) -> int | None:
    """Return the place (from 0) of the first entry whose link does not fit, or nothing when the chain is whole."""
    before = document_id
    for place, entry in enumerate(history):
        if entry.get(LINK) != link_of(before, entry):
            return place
        before = entry[LINK]
    return None


def last_link(document_id: str, history: Iterable[Mapping[str, Any]]) -> str:
    """Return the link after which the next entry comes."""
    last = document_id
    for entry in history:
        last = entry.get(LINK, last)
    return last


def _plain(value: Any) -> str:
    """What JSON has no form for, as the database gives it back: moments in whole milliseconds, bytes as they are."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000).isoformat()
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(type(value).__name__)
