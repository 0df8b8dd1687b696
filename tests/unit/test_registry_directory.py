"""Finding an authority by the beginning of any word of its name, however it is written."""

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.registry import Search
from services.registry.directory import plain, query_of, words_of

PLAIN = [
    ("Oktatási Hivatal", "oktatasi hivatal"),
    ("Zahnärztekammer", "zahnarztekammer"),
    ("STRASSE", "strasse"),
    ("Straße", "strasse"),
    ("İzmir", "izmir"),
    ("ΟΔΟΝΤΙΑΤΡΙΚΌΣ ΣΎΛΛΟΓΟΣ", "οδοντιατρικοσ συλλογοσ"),
    ("Οδοντιατρικός Σύλλογος", "οδοντιατρικοσ συλλογοσ"),
    ("ΑΪΔΗΣ", "αιδησ"),
    ("Министерство на Здравеопазването", "министерство на здравеопазването"),
    ("ЙОРДАН Йордан", "иордан иордан"),
    ("Lloret de Vistalegre", "lloret de vistalegre"),
    ("Čeština Žižkov Dvořák", "cestina zizkov dvorak"),
    ("Ħal Qormi", "ħal qormi"),
    ("An tÚdarás Áitiúil", "an tudaras aitiuil"),
    ("ﬁnance", "finance"),
    ("", ""),
]


@pytest.mark.parametrize(("name", "expected"), PLAIN, ids=[name or "nothing" for name, _ in PLAIN])
def test_names_are_compared_without_case_and_accents(name: str, expected: str) -> None:
    """Latin, Greek and Cyrillic alike, in the orthographies of the exchange's languages."""
    assert plain(name) == expected


letters = st.one_of(
    st.characters(categories=("Ll", "Lu"), max_codepoint=0x17F),
    st.characters(categories=("Ll", "Lu"), min_codepoint=0x386, max_codepoint=0x3CE),
    st.characters(categories=("Ll", "Lu"), min_codepoint=0x410, max_codepoint=0x44F),
)
"""Those of the exchange's languages: Latin, Greek, Bulgarian."""


@given(st.text(letters | st.sampled_from(" -'"), max_size=40))
def test_it_does_not_matter_how_an_accent_was_encoded(name: str) -> None:
    """One character, or a letter and a mark: computers differ."""
    composed, decomposed = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    assert plain(composed) == plain(decomposed)


@given(st.text(letters | st.sampled_from(" -'"), max_size=40))
def test_a_name_made_plain_stays_as_it_is(name: str) -> None:
    """So that what is stored and what is searched for meet."""
    assert plain(plain(name)) == plain(name)


WORDS: list[tuple[str, list[str], list[str]]] = [
    ("several names", ["Hivatal", "Office"], ["hivatal", "office"]),
    ("one word twice", ["Amt Amt", "AMT"], ["amt"]),
    ("punctuation", ["St. Pölten-Land (Amt/2)"], ["2", "amt", "land", "polten", "st"]),
    ("an apostrophe", ["Chambre d'agriculture"], ["agriculture", "chambre", "d"]),
    ("no words", ["---", ""], []),
]


@pytest.mark.parametrize(("names", "words"), [w[1:] for w in WORDS], ids=[w[0] for w in WORDS])
def test_the_words_of_all_names_are_kept_each_once(names: list[str], words: list[str]) -> None:
    """An authority has a name in each of its languages, and is found by all of them."""
    assert words_of(names) == words


def found(name: str, search: str) -> bool:
    """Whether the query for `search` matches the words of `name`, as the database would."""
    query = query_of(Search(name=search))
    words = words_of([name])
    return all(any(re.search(part["words"]["$regex"], word) for word in words) for part in query.get("$and", ()))


FINDS = [
    ("the beginning of the first word", "Oktatási Hivatal", "okt", True),
    ("the beginning of another word", "Oktatási Hivatal", "hiv", True),
    ("both in another order", "Oktatási Hivatal", "hiv okt", True),
    ("with other accents", "Oktatási Hivatal", "Oktátasi", True),
    ("in capitals", "Straße", "STRASS", True),
    ("the middle of a word", "Oktatási Hivatal", "vatal", False),
    ("one word that fits and one that does not", "Oktatási Hivatal", "okt amt", False),
    ("characters that mean something to a database", "Amt", ".*", True),
    ("a pattern", "Amt", "a.t", False),
]


@pytest.mark.parametrize(("name", "search", "expected"), [f[1:] for f in FINDS], ids=[f[0] for f in FINDS])
def test_a_search_finds_by_the_beginnings_of_words(name: str, search: str, *, expected: bool) -> None:
    """Every word of the search must begin some word; a search without any word does not narrow anything."""
    assert found(name, search) is expected


@given(st.lists(st.text(letters, min_size=2, max_size=12), min_size=1, max_size=8), st.data())
def test_whatever_its_name_an_authority_is_found_by_the_beginning_of_each_of_its_words(
    words: list[str], data: st.DataObject
) -> None:
    """In any script of the exchange."""
    word = data.draw(st.sampled_from(words))
    assert found(" ".join(words), word[: data.draw(st.integers(2, len(word)))])


QUERIES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("anything", {}, {"status": "active"}),
    ("a state", {"country": "EL"}, {"status": "active", "country": "EL"}),
    ("an area", {"area": "services"}, {"status": "active", "areas": "services"}),
    ("a name", {"name": "Amt"}, {"status": "active", "$and": [{"words": {"$regex": "^amt"}}]}),
    (
        "everything",
        {"country": "AT", "area": "services", "name": "Amt Graz"},
        {
            "status": "active",
            "country": "AT",
            "areas": "services",
            "$and": [{"words": {"$regex": "^amt"}}, {"words": {"$regex": "^graz"}}],
        },
    ),
]


@pytest.mark.parametrize(("search", "query"), [q[1:] for q in QUERIES], ids=[q[0] for q in QUERIES])
def test_only_active_authorities_are_found_and_every_pattern_is_anchored(
    search: dict[str, Any], query: dict[str, Any]
) -> None:
    """An anchored pattern is answered from the index."""
    assert query_of(Search(**search)) == query


def test_a_search_has_a_limited_number_of_words() -> None:
    """What a sender writes does not decide how much the database has to do."""
    query = query_of(Search(name="a " * 50))
    assert len(query["$and"]) == 8
