"""By what authorities are found, in which order, and where a page goes on."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.directory import MatchKind
from contracts.registry import Search
from services.registry.directory import (
    LAST,
    LONGEST_CURSOR,
    STAGES,
    BadCursor,
    Cursor,
    Scope,
    Words,
    entry_of,
    kind_of,
    match_of,
    overlap_first,
    segments,
    shortest_of,
    tags_asked,
)
from services.registry.names import LONGEST_KEY

KEYS = st.text(st.characters(codec="utf-8"), max_size=LONGEST_KEY)
IDS = st.from_regex(r"[A-Z]{2}-[0-9A-Z]{8}", fullmatch=True)
WORDS = st.text("abcdeé", min_size=1, max_size=5)


def entry(*names: str, **other: Any) -> dict[str, Any]:
    """Return what is stored of an authority in Spain, unless told otherwise."""
    said: dict[str, Any] = {
        "names": names, "short_name": None, "city": "Palma", "region": "ES532", "country": "ES",
        "areas": {"services": ["teaching"]}, "keywords": [], "findable": True,
    }  # fmt: skip
    return entry_of(**{**said, **other})


@given(st.integers(0, len(STAGES) - 1), KEYS, IDS)
def test_a_cursor_comes_back_as_it_was(stage: int, key: str, number: str) -> None:
    """And fits a message as long as its key is in one of the exchange's scripts."""
    cursor = Cursor(stage, key, number)
    text = cursor.encode()
    if len(text) <= LONGEST_CURSOR:
        assert Cursor.decode(text) == cursor
    assert len(text) <= LONGEST_CURSOR or any(ord(letter) > 0x7FF or letter in '"\\' or letter < " " for letter in key)


def packed(content: Any) -> str:
    """Return anything packed as a cursor is."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


HOSTILE = [
    "", "A", "AAAA", "é", "=" * 9, "A" * 5000, packed([]), packed([0, "a"]), packed([0, "a", "b", "c"]), packed({}),
    packed([-1, "a", "b"]), packed([len(STAGES), "a", "b"]), packed([True, "a", "b"]), packed([0.0, "a", "b"]),
    packed([0, {"$gt": ""}, "b"]), packed([0, "a", {"$gt": ""}]), packed([0, None, "b"]), packed([0, "\ud800", "b"]),
    packed("[" * 400), base64.urlsafe_b64encode(b"[" * 400).decode(), packed([0, "a", "b"]) + "\n",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """No operator of the database gets in, no stage that there is not, no text that cannot be stored."""
    with pytest.raises(ValueError, match=r"\A\Z"):
        Cursor.decode(text)


@given(st.one_of(st.text(max_size=700), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(packed)))
def test_no_text_at_all_breaks_the_reading_of_a_cursor(text: str) -> None:
    """It is one, or it is refused."""
    with contextlib.suppress(BadCursor):
        assert Cursor.decode(text).encode() == text


def test_whoever_is_not_active_stands_in_no_index() -> None:
    """So nothing has to be left out later, on any way of searching."""
    hidden = entry("Ajuntament de Lloret", findable=False)
    assert hidden["wholes"] == hidden["words"] == hidden["tags"] == hidden["competences"] == []


def test_an_authority_is_found_by_its_access_and_not_by_areas_of_others() -> None:
    """`areas` are those that it has access to."""
    tags = entry("Ajuntament de Lloret")["tags"]
    assert {"*", "c:ES", "r:ES", "r:ES5", "r:ES532", "t:palma", "a:services", "c:ES/a:services", "k:teaching"} <= set(
        tags
    )
    assert not [tag for tag in tags if "posting" in tag]


def test_an_authority_is_found_by_its_names_city_and_keywords() -> None:
    """Word by word; as a whole by its names alone."""
    stored = entry("Ajuntament de Lloret", "Ayuntamiento", short_name="LLO", keywords=["escoles"])
    assert {"ajuntament", "lloret", "ayuntamiento", "llo", "palma", "escoles"} <= set(stored["words"])
    assert stored["wholes"] == ["ajuntament de lloret", "ayuntamiento", "llo"]


ASKED: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["*"]),
    ({"country": "ES"}, ["c:ES"]),
    ({"area": "services"}, ["a:services"]),
    ({"country": "ES", "area": "services"}, ["c:ES/a:services"]),
    ({"country": "ES", "area": "services", "competence": "teaching"}, ["c:ES/k:teaching", "c:ES/a:services"]),
    ({"region": "ES53", "area": "services"}, ["r:ES53", "a:services"]),
    ({"country": "ES", "city": "PALMA"}, ["t:palma", "c:ES"]),
    ({"country": "ES", "region": "FR1"}, ["r:FR1", "c:ES"]),
]


@pytest.mark.parametrize(("search", "tags"), ASKED, ids=["+".join(search) or "nothing" for search, _ in ASKED])
def test_every_filter_that_was_asked_for_counts(search: dict[str, Any], tags: list[str]) -> None:
    """The most telling first: it is the one that is looked up."""
    assert tags_asked(Search(**search)) == tags


def test_the_state_and_the_region_of_a_text_are_read_from_the_index() -> None:
    """Everything else is compared in the documents."""
    scope = Scope.of(Search(text="palma", region="ES53", area="services"))
    assert scope.fixed == {"country": "ES", "region": {"$gte": "ES53", "$lt": "ES53" + LAST}}
    assert scope.tags == ("a:services",)
    assert Scope.of(Search(text="palma")) == Scope({}, ())


KINDS: list[tuple[str, MatchKind | None, tuple[str, ...]]] = [
    ("Ajuntament de Lloret", "exact-name", ()),
    ("AJUNTAMENT DE LLORÉT", "exact-name", ()),
    ("ajuntament de llo", "name-beginning", ()),
    ("lloret ajuntament", "all-words", ("lloret", "ajuntament")),
    ("lloret palma", "all-words", ("lloret", "palma")),
    ("lloret girona", "some-words", ("lloret",)),
    ("loret", None, ()),
]


@pytest.mark.parametrize(("text", "kind", "found"), KINDS, ids=[text for text, _, _ in KINDS])
def test_the_best_match_is_told(text: str, kind: MatchKind | None, found: tuple[str, ...]) -> None:
    """Exact name, beginning of a name, all words, some; with the words that were found."""
    stored, words = entry("Ajuntament de Lloret"), Words.of(text)
    assert kind_of(stored, words, frozenset()) == kind
    if kind:
        assert match_of(kind, stored, words).words == found


def test_a_competence_is_found_whatever_the_name() -> None:
    """A word of another language names it."""
    assert kind_of(entry("Oktatási Hivatal"), Words.of("Lehrer"), frozenset({"teaching"})) == "competence"


def test_the_more_words_agree_the_earlier() -> None:
    """Then by name."""
    places = [overlap_first(3, entry("B")), overlap_first(3, entry("C")), overlap_first(2, entry("A"))]
    assert places == sorted(places)


def test_words_that_nobody_has_are_looked_for_by_their_beginnings() -> None:
    """`Athina` stands in another case in the name of its municipality."""
    words = Words.of("Nea Athina").shortened([3, 0])
    assert words.ways == (("nea",), ("athi",))
    assert kind_of(entry("Δήμος Αθηναίων"), words, frozenset()) == "some-words"


@given(st.lists(WORDS, min_size=1), st.lists(WORDS, min_size=1, max_size=3), st.sampled_from(["", "a", "bc", "e"]))
def test_stretches_of_an_index_hold_every_key_after_a_place_once(
    stored: list[str], keys: list[str], after: str
) -> None:
    """Whatever the keys, and wherever the page before ended."""
    place = (after, "ES-00000001")
    stretches = [stretch for key in shortest_of(keys) for stretch in segments(key, place)]
    for key in stored:
        holding = [stretch for stretch in stretches if stretch.holds(key)]
        assert len(holding) == (key.startswith(tuple(keys)) and key >= after)
        if holding:
            assert holding[0].place({"words": [key], "_id": "x"}, "words") == (key, "x")


def test_a_text_has_a_limited_number_of_words() -> None:
    """What a sender writes does not decide how much the database has to do."""
    assert len(Words.of(" ".join(f"w{number}" for number in range(30))).ways) == 8
    assert len(Words.of("a " * 50).ways) == 1
