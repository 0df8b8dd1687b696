"""How authorities are looked up: by what they are stored, and in which stages a search goes through them. Pure.

A search tries one stage after the other, best matches first. In each it walks an index in its order, so that a page
begins where the last one ended, and costs what it shows, however many authorities there are.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts.directory import Match, MatchKind
from contracts.registry import Search
from services.registry.names import fold, keys_of, whole_keys, word_keys, word_ways

Entry = Mapping[str, Any]
Query = dict[str, Any]
Place = tuple[str, str]
"""A key and a number: the order in which an index holds authorities."""

LONGEST_CURSOR: Final = 600
LAST: Final = "\U0010ffff"
"""Comes after everything that a key may go on with."""
EVERYBODY: Final = "*"
"""The tag of all."""
STAGES: Final[tuple[MatchKind, ...]] = (
    "exact-name",
    "name-beginning",
    "all-words",
    "competence",
    "some-words",
)
MOST_SEARCHED: Final = 8
"""Words of a text that are looked for; further ones are left aside."""
ENDING: Final = 2
"""Letters of a word that its case changes."""
SHORTEST_BEGINNING: Final = 4
_FIXED: Final = frozenset({"c:", "r:", EVERYBODY})


class BadCursor(ValueError):
    """What was given as a cursor is none."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the stage, and the last key and number that it showed there."""

    stage: int
    key: str
    id: str

    def encode(self) -> str:
        """Return it as its reader gets it: opaque, and safe in any message."""
        text = json.dumps([self.stage, self.key, self.id], ensure_ascii=False)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Return what `encode` made. Raises `BadCursor` for anything else."""
        if len(text) > LONGEST_CURSOR:
            raise BadCursor
        try:
            stage, key, number = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            known = type(stage) is int and 0 <= stage < len(STAGES) and isinstance(key, str) and isinstance(number, str)
            if known and (cursor := cls(stage, key, number)).encode() == text:
                return cursor
        except (ValueError, TypeError, RecursionError) as error:
            raise BadCursor from error
        raise BadCursor


def entry_of(
    *,
    names: Iterable[str],
    short_name: str | None,
    city: str,
    region: str | None,
    country: str,
    areas: Mapping[str, Iterable[str]],
    keywords: Iterable[str],
    findable: bool,
) -> dict[str, Any]:
    """Return the fields by which an authority is found; `areas` are those it has access to, with its competences.

    Whoever is not `findable` has no keys, and so stands in no index.
    """
    called = [*names, *([short_name] if short_name else [])]
    if not findable:
        return {"wholes": [], "words": [], "tags": [], "competences": [], "sort": fold(next(iter(called)))}
    competences = sorted({code for codes in areas.values() for code in codes})
    return {
        "country": country,
        "region": region,
        "wholes": whole_keys(called),
        "words": word_keys([*called, city, *keywords]),
        "tags": sorted(_tags(country, region, city, areas, competences)),
        "competences": competences,
        "sort": fold(next(iter(called))),
    }


def _tags(
    country: str, region: str | None, city: str, areas: Iterable[str], competences: Iterable[str]
) -> Iterator[str]:
    """One for each thing that a search can ask for, and one for the pairs that go together most often."""
    yield EVERYBODY
    yield f"c:{country}"
    yield from (f"r:{region[:length]}" for length in range(2, len(region or "") + 1) if region)
    yield from (f"t:{key}" for key in keys_of(city))
    for area in areas:
        yield f"a:{area}"
        yield f"c:{country}/a:{area}"
    for competence in competences:
        yield f"k:{competence}"
        yield f"c:{country}/k:{competence}"


def tags_asked(search: Search) -> list[str]:
    """Return the tags that an authority must have, the most telling ones first."""
    city = [f"t:{key}" for key in keys_of(search.city or "")[:1]]
    region = [f"r:{search.region}"] if search.region else []
    pairs = [
        f"c:{search.country}/{kind}:{code}" if search.country else f"{kind}:{code}"
        for kind, code in (("k", search.competence), ("a", search.area))
        if code
    ]
    alone = [f"c:{search.country}"] if search.country and (city or region or not pairs) else []
    return [*city, *(pairs[:1] if search.competence else []), *region, *pairs[bool(search.competence) :], *alone] or [
        EVERYBODY
    ]


@dataclass(frozen=True, slots=True)
class Scope:
    """Among whom a text is looked for: `fixed` is read from the indexes themselves, `tags` from the documents."""

    fixed: Query
    tags: tuple[str, ...]

    @classmethod
    def of(cls, search: Search) -> "Scope":
        """Take the filters of a search. A region's code begins with that of its state."""
        country = search.country or (search.region[:2] if search.region else None)
        fixed: Query = {"country": country} if country else {}
        if search.region:
            fixed["region"] = {"$gte": search.region, "$lt": search.region + LAST}
        return cls(fixed, tuple(tag for tag in tags_asked(search) if tag[:2] not in _FIXED or "/" in tag))

    def index(self, field: str) -> list[tuple[str, int]]:
        """Return the index on `field` that suits."""
        return index_of(field, within_state=bool(self.fixed))


def index_of(field: str, *, within_state: bool) -> list[tuple[str, int]]:
    """Return the keys of an index on `wholes` or `words`: of all states together, or within each."""
    keys = ["country", field, "_id", "region"] if within_state else [field, "_id"]
    return [(key, 1) for key in keys]


@dataclass(frozen=True, slots=True)
class Words:
    """What is looked for in a text: the whole of it in all its ways of writing, and each of its words."""

    wholes: tuple[str, ...]
    ways: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, text: str) -> "Words":
        """Take a text apart."""
        ways = dict.fromkeys(tuple(ways) for ways in word_ways(text))
        return cls(tuple(key for key in keys_of(text) if key), tuple(ways)[:MOST_SEARCHED])

    def found_in(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return which of the words (in their first way of writing) begin a word of an authority."""
        return tuple(ways[0] for ways in self.ways if any(one.startswith(ways) for one in words))

    def shortened(self, counts: Sequence[int]) -> "Words":
        """Return the words that somebody has, and the beginnings of those that nobody has.

        Names stand in a case of their own language: `Athina` is in the name of the municipality of the Athenians.
        """
        ways = [ways if count else tuple(map(_beginning, ways)) for ways, count in zip(self.ways, counts, strict=True)]
        return Words((), tuple(ways))


def _beginning(word: str) -> str:
    return word[: max(SHORTEST_BEGINNING, len(word) - ENDING)]


def match_of(kind: MatchKind, entry: Entry, words: Words | None) -> Match:
    """Return why an authority was found."""
    found = words.found_in(entry["words"]) if words and kind in {"all-words", "some-words"} else ()
    return Match(kind=kind, words=found)


def kind_of(entry: Entry, words: Words, competences: frozenset[str]) -> MatchKind | None:
    """Return the best stage in which an authority is found: it is shown there and in no later one."""
    wholes = entry["wholes"]
    if any(whole in words.wholes for whole in wholes):
        return "exact-name"
    if any(whole.startswith(words.wholes) for whole in wholes):
        return "name-beginning"
    found = len(words.found_in(entry["words"]))
    if found and found == len(words.ways):
        return "all-words"
    if competences.intersection(entry["competences"]):
        return "competence"
    return "some-words" if found else None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of an index: the keys that begin with `key`, from `low` on; or of `low` alone the rest, after `id`."""

    key: str
    low: str
    id: str | None = None
    beyond: bool = False
    """Without `low` itself."""

    def query(self, field: str) -> Query:
        """Return the condition."""
        if self.id is not None:
            return {field: self.low, "_id": {"$gt": self.id}}
        return {field: {"$elemMatch": {"$gt" if self.beyond else "$gte": self.low, "$lt": self.key + LAST}}}

    def holds(self, key: str) -> bool:
        """Say whether a key lies in it."""
        if self.id is not None:
            return key == self.low
        return self.low <= key < self.key + LAST and not (self.beyond and key == self.low)

    def place(self, entry: Entry, field: str) -> Place:
        """Return where it holds an authority."""
        return min(key for key in entry[field] if self.holds(key)), str(entry["_id"])


def segments(key: str, after: Place) -> list[Segment]:
    """Return the stretches, in order, that hold the keys beginning with `key` and lie after a place."""
    low, number = after
    if low >= key + LAST:
        return []
    if low < key:
        return [Segment(key, key)]
    return [Segment(key, low, id=number), Segment(key, low, beyond=True)]


def any_beginning_with(field: str, keys: Iterable[str]) -> Query:
    """Return the condition that one of the keys in `field` begins with one of `keys`."""
    return {"$or": [Segment(key, key).query(field) for key in keys]}


def all_tags(tags: Iterable[str]) -> Query:
    """Return the condition that a document has all these tags."""
    return {"tags": {"$all": list(tags)}}


def shortest_of(keys: Iterable[str]) -> list[str]:
    """Return the keys in order, without those that begin with another one: their ranges do not overlap."""
    shortest: list[str] = []
    for key in sorted(keys):
        if not shortest or not key.startswith(shortest[-1]):
            shortest.append(key)
    return shortest


def overlap_first(found: int, entry: Entry) -> str:
    """Return a key by which authorities stand in order: the more words agree, the earlier; then by name."""
    return f"{99 - found:02}{entry['sort']}"


def place_key(country: str, city: str) -> str:
    """Return the key of a place."""
    return f"{country}/{fold(city)}"


def whole_names(names: Iterable[str]) -> list[str]:
    """Return names as they are compared with one another."""
    return sorted({fold(name) for name in names})
