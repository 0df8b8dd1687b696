import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.registry import Search
from services.registry.directory import STAGES, BadCursor, Cursor, Words, entry_of, kind_of, match_of, tags_asked

CURSORS = st.builds(Cursor, stage=st.integers(0, len(STAGES) - 1), key=st.text(max_size=50), id=st.text(max_size=20))


def entry(*names: str, **changes: object) -> dict[str, object]:
    """A chamber in Aachen that everybody can find."""
    fields: dict[str, object] = {
        "names": names or ("Zahnärztekammer Nordrhein",),
        "short_name": None,
        "city": "Aachen",
        "region": "DEA2D",
        "country": "DE",
        "areas": {"services": ["nace-86.23"]},
        "keywords": ["Kieferorthopädie"],
        "findable": True,
    }
    return entry_of(**fields | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("zahnarztekammer nordrhein", "exact-name"),
        ("Zahnärztek", "name-beginning"),
        ("Nordrhein Zahn", "all-words"),
        ("aachen kammer nordrhein", "some-words"),
        ("Kieferortho", "all-words"),
        ("Aachen", "all-words"),
        ("Sachsen", None),
    ],
)
def test_an_authority_is_found_in_the_best_stage_that_fits(text: str, kind: str | None) -> None:
    """Exact name before beginning, before all words, before some; words of names, places and keywords."""
    assert kind_of(entry(), Words.of(text), frozenset()) == kind


def test_a_competence_finds_what_no_word_does() -> None:
    """And what only some words do: it comes before those."""
    found = frozenset({"nace-86.23"})
    assert kind_of(entry(), Words.of("fogorvos"), found) == "competence"
    assert kind_of(entry(), Words.of("fogorvos aachen"), found) == "competence"


def test_a_match_says_which_words_were_found() -> None:
    """In the form in which they were compared."""
    words = Words.of("Nordrhein Westfalen")
    match = match_of("some-words", entry(), words)
    assert (match.kind, match.words) == ("some-words", ("nordrhein",))


def test_whoever_is_not_active_has_no_keys() -> None:
    """And so stands in no index."""
    hidden = entry(findable=False)
    assert [hidden[field] for field in ("wholes", "words", "tags", "competences")] == [[], [], [], []]


@pytest.mark.parametrize(
    ("search", "tags"),
    [
        ({}, ["*"]),
        ({"country": "DE"}, ["c:DE"]),
        ({"country": "DE", "area": "services"}, ["c:DE/a:services"]),
        ({"area": "services", "competence": "nace-86.23"}, ["k:nace-86.23", "a:services"]),
        ({"region": "DEA", "city": "AACHEN"}, ["t:aachen", "r:DEA"]),
    ],
)
def test_what_is_asked_for_is_among_the_tags_of_who_has_it(search: dict[str, str], tags: list[str]) -> None:
    """Each filter, alone and together."""
    assert tags_asked(Search.model_validate(search)) == tags
    assert set(tags) <= set(entry()["tags"])  # type: ignore[call-overload]


@given(CURSORS)
def test_a_cursor_comes_back_as_it_went(cursor: Cursor) -> None:
    """And is safe in any message."""
    text = cursor.encode()
    assert set(text) <= set(string.ascii_letters + string.digits + "-_")
    assert Cursor.decode(text) == cursor


@given(st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=100))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """Whatever it holds: never another error."""
    try:
        cursor = Cursor.decode(text)
    except BadCursor:
        return
    assert 0 <= cursor.stage < len(STAGES)
