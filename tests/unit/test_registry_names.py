# ruff: noqa: RUF001 (letters that look alike are the subject)
"""From a name to its keys: whoever writes it in any usual way finds it."""

import csv
import gzip
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.names import (
    LONGEST,
    LONGEST_KEY,
    MOST_WORDS,
    fold,
    keys_of,
    parts_of,
    whole_keys,
    word_keys,
    word_ways,
)

DATA = Path(__file__).parents[3] / "shared" / "data"
UNITS = DATA / "lau_2019_eea29.csv.gz"
STATES = DATA / "eea_countries_op_26lang.csv"

SCRIPTS = [
    st.characters(categories=("Ll", "Lu"), min_codepoint=0x41, max_codepoint=0x17F) | st.sampled_from("ȘșȚț"),
    st.characters(categories=("Ll", "Lu"), min_codepoint=0x386, max_codepoint=0x3CE),
    st.characters(categories=("Ll", "Lu"), min_codepoint=0x410, max_codepoint=0x44F),
]
"""The letters of the exchange's languages: Latin, Greek, Bulgarian."""
BETWEEN = st.sampled_from(" -'/(),.1")
NAMES = st.text(st.one_of(*SCRIPTS) | BETWEEN, max_size=60)
NAMES_IN_ONE_SCRIPT = st.one_of([st.text(letters | BETWEEN, max_size=60) for letters in SCRIPTS])

FOLDED = [
    ("Oktatási Hivatal", "oktatasi hivatal"),
    ("STRASSE", "strasse"),
    ("Straße", "strasse"),
    ("STRAẞE", "strasse"),
    ("İzmir", "izmir"),
    ("Iğdır", "igdir"),
    ("Łódź", "lodz"),
    ("Þingeyjarsveit", "thingeyjarsveit"),
    ("Seyðisfjörður", "seydisfjordur"),
    ("Sør-Trøndelag", "sor trondelag"),
    ("Ærø", "aero"),
    ("Œuilly", "oeuilly"),
    ("Đurđevac", "durdevac"),
    ("Ħal Għargħur", "hal gharghur"),
    ("Târgu Mureş", "targu mures"),
    ("Târgu Mureș", "targu mures"),
    ("Constanţa", "constanta"),
    ("Constanța", "constanta"),
    ("l'Ametlla del Vallès", "l ametlla del valles"),
    ("l’Ametlla del Vallès", "l ametlla del valles"),
    ("Sant Marçal de Cel·la", "sant marcal de cella"),
    ("ΟΔΟΝΤΙΑΤΡΙΚΌΣ ΣΎΛΛΟΓΟΣ", "οδοντιατρικοσ συλλογοσ"),
    ("Οδοντιατρικός Σύλλογος", "οδοντιατρικοσ συλλογοσ"),
    ("ΑΪΔΗΣ", "αιδησ"),
    ("ЙОРДАН Йордан", "иордан иордан"),
    ("ﬁnance", "finance"),
    ("Y", "y"),
    ("---", ""),
    ("", ""),
]


@pytest.mark.parametrize(("name", "expected"), FOLDED, ids=[name or "nothing" for name, _ in FOLDED])
def test_names_are_compared_without_case_accents_and_punctuation(name: str, expected: str) -> None:
    """In the orthographies of all the exchange's languages."""
    assert fold(name) == expected


ROMANISED = [
    ("София", "Sofia"),
    ("Търговище", "Targovishte"),
    ("Велико Търново", "Veliko Tarnovo"),
    ("Стара Загора", "Stara Zagora"),
    ("Щъркелово", "Shtarkelovo"),
    ("Гоце Делчев", "Gotse Delchev"),
    ("Пазарджик", "Pazardzhik"),
    ("Айтос", "Aytos"),
    ("България", "Bulgaria"),
    ("Αθήνα", "Athina"),
    ("Θεσσαλονίκη", "Thessaloniki"),
    ("Ηράκλειο", "Irakleio"),
    ("Ευαγγελισμός", "Evangelismos"),
    ("Ναύπλιο", "Nafplio"),
    ("Αυγή", "Avgi"),
    ("Μπάμπαλι", "Bampali"),
    ("Χανιά", "Chania"),
    ("Χανιά", "Hania"),
    ("Λουτράκι", "Loutraki"),
    ("Σφίγξ", "Sfinx"),
    ("Μαΐου", "Maiou"),
    ("Ψαρά", "Psara"),
    ("Ντράφι", "Drafi"),
]


@pytest.mark.parametrize(("name", "latin"), ROMANISED, ids=[latin for _, latin in ROMANISED])
def test_a_name_is_found_by_its_official_romanisation(name: str, latin: str) -> None:
    """The Bulgarian Transliteration Act, and ELOT 743 with its digraphs."""
    assert fold(latin) in whole_keys([name])
    assert fold(latin) in whole_keys([name.upper()])


WRITTEN_OUT = [
    ("München", "Muenchen"),
    ("Mörbisch am See", "Moerbisch am See"),
    ("Ålesund", "Aalesund"),
    ("Tromsø", "Tromsoe"),
    ("Tromsø", "Tromso"),
    ("Győr", "Gyoer"),
    ("Đurđevac", "Djurdjevac"),
]


@pytest.mark.parametrize(("name", "written"), WRITTEN_OUT, ids=[written for _, written in WRITTEN_OUT])
def test_a_name_is_found_by_how_a_foreign_keyboard_writes_it(name: str, written: str) -> None:
    """And the other way round: the written-out name is found by the letter itself."""
    assert fold(written) in whole_keys([name])
    assert set(keys_of(name)) & set(whole_keys([written]))


MIXED = [
    ("Aвcтpия", "Австрия"),
    ("Poccия", "Россия"),
    ("Pyмъния", "Румъния"),
    ("ΑΘHNA", "Αθήνα"),
    ("Άγιος Tρικώμου", "Άγιος Τρικώμου"),
    ("Vοthylakas", "Vothylakas"),
    ("Lоndon", "London"),
    ("Bаr", "Bar"),
]


@pytest.mark.parametrize(("mixed", "meant"), MIXED, ids=[fold(meant) for _, meant in MIXED])
def test_letters_of_another_script_become_what_they_look_like(mixed: str, meant: str) -> None:
    """As the word's own letters have it: the foreign ones were typed by mistake."""
    assert mixed != meant
    assert keys_of(mixed) == keys_of(meant)


PARTS = [
    ("Aldino/Aldein", {"aldino", "aldein", "aldino aldein"}),
    ("Bolzano - Bozen", {"bolzano", "bozen"}),
    ("Bolzano – Bozen", {"bolzano", "bozen"}),
    ("Halle (Saale), Stadt", {"halle", "halle saale", "halle saale stadt"}),
    ("Fresno, El", {"fresno", "el fresno", "fresno el"}),
    ("Ametlla de Mar, L'", {"ametlla de mar", "l ametlla de mar"}),
]


@pytest.mark.parametrize(("name", "keys"), PARTS, ids=[name for name, _ in PARTS])
def test_each_part_of_a_bilingual_name_is_a_name(name: str, keys: set[str]) -> None:
    """And so is what stands before an addition."""
    assert keys <= set(whole_keys([name]))


@pytest.mark.parametrize("name", ["Fresno, El", "Sankt Veit (a)", "Halle, Stadt"])
def test_an_article_or_an_addition_is_no_name(name: str) -> None:
    """A thousand towns add that they are one."""
    assert not {"el", "a", "stadt"} & set(whole_keys([name]))


@given(NAMES)
def test_a_folded_name_stays_as_it_is(name: str) -> None:
    """So that what is stored and what is searched for meet."""
    assert fold(fold(name)) == fold(name)


@given(NAMES_IN_ONE_SCRIPT)
def test_the_keys_of_a_key_begin_with_itself(name: str) -> None:
    """So that a name may be searched for by any of its keys."""
    assert all(keys_of(key)[0] == key for key in keys_of(name) if key)


@given(NAMES)
def test_capitals_change_no_key(name: str) -> None:
    """Neither in the whole nor word by word."""
    assert fold(name.upper()) == fold(name) == fold(name.lower())
    assert set(keys_of(name.lower())) == set(keys_of(name.lower().upper().lower()))


@given(NAMES, st.data())
def test_accents_never_change_the_folded_name(name: str, data: st.DataObject) -> None:
    """However they are encoded, and whichever are left out."""
    apart = unicodedata.normalize("NFD", name)
    kept = "".join(c for c in apart if not unicodedata.combining(c) or data.draw(st.booleans()))
    assert fold(apart) == fold(kept) == fold(name)


@given(NAMES)
def test_every_name_is_found_by_itself(name: str) -> None:
    """Its own keys are among those that are stored, whole and word by word."""
    assert set(keys_of(name)) - {""} <= set(whole_keys([name]))
    assert {way for ways in word_ways(name) for way in ways} <= set(word_keys([name]))
    assert fold(name) == next(iter(keys_of(name)), "")


@given(st.text(max_size=3 * LONGEST))
def test_keys_of_anything_are_few_and_short(text: str) -> None:
    """What a sender writes does not decide how much is stored and looked for."""
    assert all(len(key) <= LONGEST_KEY for key in whole_keys([text]))
    assert len(word_ways(text)) <= MOST_WORDS
    assert fold(fold(text)) == fold(text)
    assert text in parts_of(text)


def test_nearly_all_official_bulgarian_romanisations_are_keys() -> None:
    """Of Eurostat's 265 municipalities; in one the list itself writes two words as one (`Bobovdol`)."""
    if not UNITS.exists():
        pytest.skip(f"no {UNITS}")
    with gzip.open(UNITS, "rt", encoding="utf-8") as file:
        units = [unit for unit in csv.DictReader(file) if unit["country"] == "BG"]
    missed = [unit["name_latin"] for unit in units if fold(unit["name_latin"]) not in whole_keys([unit["name"]])]
    assert len(units) == 265
    assert missed == ["Bobovdol"]


def test_the_look_alikes_in_the_published_names_of_the_states_are_seen_through() -> None:
    """Nineteen of thirty Bulgarian names hold Latin letters: none of their keys holds both scripts."""
    if not STATES.exists():
        pytest.skip(f"no {STATES}")
    with STATES.open(encoding="utf-8") as file:
        names = [row["bg"] for row in csv.DictReader(file)]
    words = [key.replace(" ", "") for name in names for key in keys_of(name)]
    assert all(word.isascii() or not any(letter.isascii() for letter in word) for word in words)
