"""What an authority was told earlier, as far as that stands in its calendar and may have to be taken away."""

from collections.abc import Iterable

from services.notifier.entries import ENDS
from services.notifier.letters import Due
from services.notifier.notices import Told
from services.notifier.store import Store


async def told_earlier(store: Store, authority: str, told: Iterable[Told]) -> list[Told | Due]:
    """Return what mails said, until when, to the authority about those cases in which a deadline has now ended."""
    cases = {one.case for one in told if one.case and one.kind in ENDS}
    if not cases:
        return []
    keys = await store.emails.said(authority, cases)
    if not keys:
        return []
    due = [one for one in map(Due.at, sorted(keys)) if one]
    return [*due, *await store.waiting.dated(keys)]
