"""How much may be told of an authority or a system: nobody fills what others need to suspend or close it. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts.refusal import Refusal

Entry = Mapping[str, Any]

MOST: Final = 3 * 512 * 1024
"""Bytes of a history, as JSON, up to which it takes what a party repeats on its own behalf, and more rights.

So a message has room for what the services are told of an authority, which may say all of it twice.
"""
MOST_BY_COORDINATORS: Final = 4 * 512 * 1024
"""Up to which it takes what else coordinators repeat: whoever reaches the first limit does not stop them."""
_LIMITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("applied", "updated", "change-proposed", "access-granted", "rotated"), MOST),
    **dict.fromkeys(("access-withdrawn", "reinstated", "system-assigned"), MOST_BY_COORDINATORS),
}
"""What does not stand here is always taken: it happens once, or once after each time that one of these did.

A suspension follows an approval or a reinstatement, an approval or a rejection follows an application, a decision on
a change follows an update; to be closed is the end.
"""


def within(history: Sequence[Entry], entry: Entry, field: str) -> Entry | Refusal:
    """Return the entry, or that the history has no room for it; `field` is what in the command names whose it is."""
    limit = _LIMITS.get(entry["what"])
    full = limit is not None and _size([*history, entry]) > limit
    return Refusal("history-full", field) if full else entry


def _size(history: Sequence[Entry]) -> int:
    return len(json.dumps(history, ensure_ascii=False, default=str).encode())
