"""What codes are called in one language, for whoever builds a form: states, languages, terms of a vocabulary. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from contracts.languages import LANGUAGES, LAST_RESORT, STATES
from contracts.translation import Labels, ShowLabels
from services.translation.reading import Terms, country, language

PAGE: Final = 1_000
"""Labels in one answer."""
STANDING: Final = ("states", "languages")
"""What is no vocabulary: the exchange itself has their names, by CLDR."""


def standing(asked: ShowLabels) -> Terms:
    """Return the names of the states, or of the languages."""
    codes, name = (STATES, country) if asked.of == "states" else (LANGUAGES, language)
    return {code: {asked.language: name(asked.language, code)} for code in codes if code > (asked.after or "")}


def labels_of(asked: ShowLabels, terms: Terms) -> Labels:
    """Return a page, or no more than its tag when whoever asks has it. `terms` are those of the page and one more."""
    page = dict(list(terms.items())[:PAGE])
    labels = {code: text for code, by_language in page.items() if (text := _text(by_language, asked.language))}
    tag = _tag(asked, labels)
    if tag == asked.tag:
        return Labels(of=asked.of, language=asked.language, tag=tag)
    return Labels(
        of=asked.of,
        language=asked.language,
        tag=tag,
        labels=labels,
        in_english=tuple(code for code in labels if asked.language not in page[code]) or None,
        next=list(page)[-1] if len(terms) > PAGE else None,
    )


def _text(by_language: Mapping[str, str], language: str) -> str | None:
    return by_language.get(language) or by_language.get(LAST_RESORT)


def _tag(asked: ShowLabels, labels: dict[str, str]) -> str:
    words = json.dumps([asked.of, asked.language, asked.after, labels], ensure_ascii=False)
    return hashlib.blake2b(words.encode(), digest_size=16).hexdigest()
