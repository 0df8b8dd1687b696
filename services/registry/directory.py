"""Finding an authority by the beginning of any word of its names, whatever the case and the accents. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.registry import Card, Search
from services.registry.authority import Authority

_WORD = re.compile(r"\w+")
_SEARCH_WORDS = 8


def fields_of(authority: Authority) -> dict[str, Any]:
    """Return what an authority is looked up by."""
    return {
        "status": authority.status,
        "kind": authority.kind,
        "country": authority.details.country,
        "areas": list(authority.details.areas),
        "words": words_of(authority.details.names.values()),
    }


def words_of(names: Iterable[str]) -> list[str]:
    """Return the words of all the names: lower case, without accents, each once."""
    return sorted({word for name in names for word in _WORD.findall(plain(name))})


def plain(text: str) -> str:
    """Return the text in lower case, without accents."""
    letters = unicodedata.normalize("NFKD", text.casefold()).casefold()  # signs such as № fall apart into capitals
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def within(cards: Iterable[Card], size: int) -> list[Card]:
    """Return the first cards that fit into `size` bytes of JSON."""
    fitting: list[Card] = []
    for card in cards:
        size -= len(card.model_dump_json())
        if size < 0:
            break
        fitting.append(card)
    return fitting


def query_of(search: Search) -> Mapping[str, Any]:
    """Return the query by which active authorities are found. Each part of it has an index."""
    query: dict[str, Any] = {"status": "active"}
    if search.country:
        query["country"] = search.country
    if search.area:
        query["areas"] = search.area
    beginnings = _WORD.findall(plain(search.name or ""))[:_SEARCH_WORDS]
    if search.name and not beginnings:
        query["words"] = {"$in": []}  # nothing but punctuation begins no word
    if beginnings:  # anchored, so that the index serves
        query["$and"] = [{"words": {"$regex": f"^{re.escape(word)}"}} for word in beginnings]
    return query
