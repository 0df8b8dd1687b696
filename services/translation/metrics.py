"""What translation shows besides what every service does. Areas are published by the operator alone."""

from contextlib import suppress
from typing import Final

from prometheus_client import Counter, Gauge

from contracts.languages import LAST_RESORT
from services.translation.store import Store

EVERY: Final = 15.0
"""Seconds after which it is looked for new versions. A published version never changes, and is looked at once."""

MISSING = Gauge(
    "imi_texts_missing",
    "Texts of an area's version in force that have no words in a language; of those that lack none, English is shown.",
    ["area", "language"],
)
TEXTS_MISSING = Counter(
    "imi_texts_in_other_language_total",
    "Texts that were read in another language than the reader's first, by area (or `exchange`) and that language.",
    ["area", "language"],
)
DOUBTS = Counter(
    "imi_language_doubts_total",
    "Free texts that seemed to be in another language, by that of their mark.",
    ["language"],
)
MACHINE_TRANSLATIONS = Counter(
    "imi_machine_translations_total", "Free texts by what came of their machine translation.", ["result"]
)


class Figures:
    """Counts what is missing."""

    def __init__(self, store: Store) -> None:
        """Look into `store`."""
        self._store = store
        self._seen = set[tuple[str, int]]()

    async def turn(self) -> None:
        """Look once. Raises what the database raises."""
        for area, version in await self._store.areas():
            if (area, version) in self._seen:
                continue
            for language, texts in (await self._store.missing(area, version)).items():
                _show(area, language, texts)
            self._seen.add((area, version))


def _show(area: str, language: str, texts: int) -> None:
    """Two hundred areas in all languages would be five thousand series, nearly all of them at nothing."""
    if texts or language == LAST_RESORT:
        MISSING.labels(area, language).set(texts)
    else:
        with suppress(KeyError):
            MISSING.remove(area, language)
