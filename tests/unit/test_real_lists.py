import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest

from client import authorities, vocabulary
from contracts.languages import LANGUAGES, OFFICIAL
from tools import real_lists


def packed(path: Path, text: str) -> Path:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def test_a_local_unit_reads_its_states_languages_and_lies_in_its_region(tmp_path: Path) -> None:
    """Greece is EL, as the institutions write it; a name in two languages stays whole, a long one is cut at a word."""
    source = packed(
        tmp_path / "lau.gz",
        "country,lau_code,name,name_latin,nuts3_2016,population\n"
        "GR,01,Δήμος Κομοτηνής,,EL513,1\nIT,21001,Aldino/Aldein,,ITH10,1\n"
        f"BE,2,{'Gent ' * 60},,,1\nFR,3,Y,,XX999,1\n",
    )
    greek, italian, belgian, french = real_lists.local_units(source)
    assert (greek["country"], greek["region"], greek["languages"]) == ("EL", "EL513", "el")
    assert (italian["name"], italian["reference"]) == ("Aldino/Aldein", "lau-IT-21001")
    assert (belgian["languages"], belgian["name"]) == ("nl;fr;de", ("Gent " * 40).strip())
    assert (french["name"], french["region"]) == ("Y", "")


def test_bodies_of_one_id_have_references_of_their_own(tmp_path: Path) -> None:
    """The same ones whenever the list is read: by their order in it."""
    rows = "IT,A,,,it/1\nIT,B,,,it/1\nSE,C,,,se/1\nEU,D,,,eu/1\n"
    source = packed(tmp_path / "bodies.gz", f"country,name,classification,url,id\n{rows}")
    references = [one["reference"] for one in real_lists.public_bodies(source)]
    assert references == ["body-it/1", "body-it/1#2", "body-se/1", "body-eu/1"]


def test_a_file_is_written_for_each_state_that_takes_part(tmp_path: Path) -> None:
    """What lies in no such state is left out."""
    source = packed(tmp_path / "bodies.gz", "country,name,classification,url,id\nIT,A,,,1\nEU,D,,,2\nSE,B,,,3\n")
    files = real_lists.write_by_state(real_lists.public_bodies(source), tmp_path / "out")
    assert sorted(files) == ["IT", "SE"]
    (row,), faults = authorities.read(files["IT"])
    assert (row.reference, row.details.country, faults) == ("body-1", "IT", [])


def test_activities_are_terms_with_norwegian_as_the_exchange_calls_it(tmp_path: Path) -> None:
    """Codes are in lower case; languages without a label have none."""
    source = packed(tmp_path / "nace.gz", "code,level,de,no\nA,1,Landwirtschaft,Jordbruk\n")
    path = tmp_path / "nace.csv"
    real_lists.write(real_lists.activities(source), path, ("code", *LANGUAGES))
    (term,) = vocabulary.read(path)
    assert (term.code, term.labels) == ("nace-a", {"de": "Landwirtschaft", "nb": "Jordbruk"})


@pytest.mark.skipif(not real_lists.DATA.is_dir(), reason=f"{real_lists.DATA} is missing")
def test_every_line_of_the_real_lists_can_be_sent(tmp_path: Path) -> None:
    """95,404 local units and all public bodies but the Union's own 129, which lie in no state; 996 activities."""
    counts = Counter[str]()
    for name, lines in (("lau", real_lists.local_units()), ("bodies", real_lists.public_bodies())):
        for state, path in real_lists.write_by_state(lines, tmp_path / name).items():
            rows, faults = authorities.read(path)
            assert (faults, {row.details.country for row in rows}) == ([], {state})
            assert {row.details.languages for row in rows} == {OFFICIAL[state]}
            counts[name] += len(rows)
    assert counts == {"lau": 95_404, "bodies": 6_613 - 129}
    real_lists.write(real_lists.activities(), tmp_path / "nace.csv", ("code", *LANGUAGES))
    with (tmp_path / "nace.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(vocabulary.read(tmp_path / "nace.csv")) == 996
