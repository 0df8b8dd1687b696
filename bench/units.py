"""The authorities of the real lists as the registry keeps them, and what is looked for among them."""

import csv
import gzip
import random
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from contracts.registry import Search, Suggest
from services.registry.directory import entry_of

DATA: Final = Path(__file__).parents[2] / "shared" / "data"
AREAS: Final = ("services", *(f"area-{number}" for number in range(1, 17)))
_STATE_OF: Final = {"GR": "EL"}
"""Eurostat's code of Greece in these lists, and the one of the EU institutions."""
_PLAIN: Final = str.maketrans(
    {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "æ": "ae", "Æ": "Ae", "ø": "o",
     "Ø": "O", "œ": "oe", "Œ": "Oe", "\N{LATIN SMALL LETTER DOTLESS I}": "i", "ħ": "h", "Ħ": "H", "ß": "ss"}
)  # fmt: skip
_BILINGUAL: Final = ("/", " - ", " (")


@dataclass(frozen=True, slots=True)
class Unit:
    """An authority: its name as published, and the official Latin one where it is published too."""

    id: str
    country: str
    name: str
    latin: str
    region: str | None
    areas: Mapping[str, tuple[str, ...]]

    def document(self) -> dict[str, Any]:
        """Return it as the registry stores it, with a history of the usual length."""
        details = {
            "country": self.country, "names": {"en": self.name}, "short_name": None, "region": self.region,
            "city": self.name, "address": ["Main square 1"], "languages": ["en"], "contacts": ["office@unit.example"],
            "areas": {area: {"competences": list(codes), "keywords": []} for area, codes in self.areas.items()},
        }  # fmt: skip
        registered: dict[str, Any] = {
            "key": f"system/{self.id}", "digest": "0" * 64, "link": "0" * 64, "what": "registered", "by": "coordinator",
            "user": {"id": "desk", "role": "data-administrator"}, "details": details, "realm": None, "granted": [],
        }  # fmt: skip
        found = entry_of(
            names=[self.name], short_name=None, city=self.name, region=self.region, country=self.country,
            areas=self.areas, keywords=[], findable=True,
        )  # fmt: skip
        return {"_id": self.id, "rev": 1, "history": [registered], "refused": [], "status": "active", **found}

    def without_accents(self) -> str:
        """Return the name as somebody types it who has no accents."""
        apart = unicodedata.normalize("NFD", self.name.translate(_PLAIN))
        return "".join(letter for letter in apart if not unicodedata.combining(letter))

    def romanised(self) -> str | None:
        """Return the official romanisation of a name in another script; Greece's list has a translation instead."""
        other = any(unicodedata.name(letter, "").startswith(("GREEK", "CYRILLIC")) for letter in self.name)
        return self.latin.rpartition(" of ")[2] if other and self.latin else None

    def part(self) -> str | None:
        """Return the second part of a name that has two."""
        mark = next((mark for mark in _BILINGUAL if mark in self.name), None)
        return self.name.split(mark)[1].rstrip(")") if mark and self.name.count(mark) == 1 else None


VARIANTS: Final[Mapping[str, Callable[[Unit], str | None]]] = {
    "as written": lambda unit: unit.name,
    "without accents": Unit.without_accents,
    "in capitals": lambda unit: unit.name.upper(),
    "romanised": Unit.romanised,
    "one part": Unit.part,
}


def units(most: int, seed: int) -> list[Unit]:
    """Return at most so many: all local units, Norway's, then other public bodies. Each has areas and competences."""
    chance = random.Random(seed)
    codes = [row["code"].lower() for row in _rows("nace_rev2_24lang.csv.gz")]
    return [
        replace(unit, id=f"{unit.country}-{number:08}", areas=_areas(chance, codes))
        for number, unit in zip(range(most), _published(), strict=False)
    ]


def _published() -> Iterator[Unit]:
    norway = (row for row in _rows("authorities_sample_30.csv") if row["country"] == "NO")
    for row in (*_rows("lau_2019_eea29.csv.gz"), *norway):
        state = _STATE_OF.get(row["country"], row["country"])
        region = row["nuts3_2016"] if row["nuts3_2016"].startswith(state) else None
        yield Unit("", state, row["name"], row["name_latin"], region, {})
    for row in _rows("publicbodies_it_de_gr_se_eu.csv.gz"):
        if row["country"] != "EU" and row["name"].strip():
            state = _STATE_OF.get(row["country"], row["country"])
            yield Unit("", state, row["name"].strip()[:200], "", None, {})


def _rows(name: str) -> list[dict[str, str]]:
    opened = gzip.open if name.endswith(".gz") else open
    with opened(DATA / name, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _areas(chance: random.Random, codes: list[str]) -> dict[str, tuple[str, ...]]:
    """Most have access to the first area; a fifth say what they are competent for."""
    chosen = {AREAS[0]} if chance.random() < 0.8 else set()
    chosen |= set(chance.sample(AREAS[1:], chance.choice((0, 1, 1, 2)) or (not chosen)))
    return {
        area: tuple(sorted(chance.sample(codes, chance.randint(1, 3)))) if chance.random() < 0.2 else ()
        for area in sorted(chosen)
    }


@dataclass(frozen=True, slots=True)
class Asked:
    """A search or suggestion, with the competences that its text names."""

    question: Search | Suggest
    competences: frozenset[str] = frozenset()


class Questions:
    """What users look for, drawn from units that are in both directories."""

    def __init__(self, units: list[Unit], seed: int) -> None:
        """Take the units of the small directory."""
        self._units = units
        self._chance = random.Random(seed)

    def of_each_kind(self, count: int) -> dict[str, list[Asked]]:
        """Return so many of each kind."""
        kinds: dict[str, Callable[[], Asked]] = {
            "exact": lambda: self._text(self._one.name, country=self._one.country),
            "exact, anywhere": lambda: self._text(self._one.name),
            "prefix": lambda: self._text(self._one.name[: self._chance.randint(3, 7)]),
            "prefix, state": lambda: self._text(self._one.name[: self._chance.randint(3, 7)], country=self._state),
            "words": self._words,
            "without accents": lambda: self._text(self._one.without_accents()),
            "romanised": self._romanised,
            "city": lambda: Asked(Search(country=self._state, city=self._one.name[:100])),
            "region": lambda: Asked(Search(region=self._region)),
            "area, state": lambda: Asked(Search(country=self._state, area=self._chance.choice(AREAS))),
            "area, state, word": lambda: self._text(self._word, country=self._state, area=self._chance.choice(AREAS)),
            "region, common word": lambda: self._text(self._common, region=self._region),
            "competence": lambda: Asked(Search(competence=self._competence)),
            "competence by word": lambda: self._text("Zahnarzt", {self._competence, self._competence}),
            "suggestion": self._suggestion,
            "common word": lambda: self._text(self._common),
            "common words": lambda: self._text(f"{self._common} {self._common} {self._word}"),
            "common word elsewhere": lambda: self._text(self._common, country=self._state),
            "nothing found": lambda: self._text(f"{self._word[::-1]}q {self._word[::-1]}x", country=self._state),
            "nothing asked": lambda: Asked(Search()),
        }
        return {kind: [draw() for _ in range(count)] for kind, draw in kinds.items()}

    def _draw(self) -> Unit:
        return self._chance.choice(self._units)

    @property
    def _one(self) -> Unit:
        return self._draw()

    @property
    def _state(self) -> str:
        return self._draw().country

    @property
    def _region(self) -> str:
        return self._chance.choice(self._regions)[: self._chance.randint(3, 5)]

    @property
    def _competence(self) -> str:
        return self._chance.choice(self._competences)

    @property
    def _word(self) -> str:
        return max(self._draw().name.replace("/", " ").split(), key=len)

    @property
    def _common(self) -> str:
        return self._chance.choice(_COMMON)

    @cached_property
    def _regions(self) -> list[str]:
        return [unit.region for unit in self._units if unit.region]

    @cached_property
    def _competences(self) -> list[str]:
        return [code for unit in self._units for codes in unit.areas.values() for code in codes]

    @cached_property
    def _foreign(self) -> list[str]:
        return [latin for unit in self._units if (latin := unit.romanised())]

    @cached_property
    def _long(self) -> list[list[str]]:
        return [words for unit in self._units if len(words := unit.name.split()) > 2]

    def _romanised(self) -> Asked:
        return self._text(self._chance.choice(self._foreign))

    def _words(self) -> Asked:
        return self._text(" ".join(self._chance.sample(self._chance.choice(self._long), 2)))

    def _suggestion(self) -> Asked:
        typed = self._one.name[: self._chance.randint(1, 6)].strip() or "a"
        return Asked(Suggest(text=typed, country=self._chance.choice((None, self._state)), area=None))

    def _text(self, text: str, competences: set[str] | None = None, **filters: Any) -> Asked:
        return Asked(Search(text=text[:100], **filters), frozenset(competences or ()))


_COMMON: Final = (
    "gemeinde", "stadt", "saint", "comune", "de", "la", "sankt", "markt", "topiki koinotita", "municipal", "m", "sa",
    "san", "santa", "les", "und", "union das freguesias", "vila", "am", "st",
)  # fmt: skip
