"""Published lists as files that `imi` imports: `python -m tools.real_lists lau|bodies|nace OUT`.

The folder where they lie is named by IMI_LISTS (docs/bulk.md says which they are, and whose).

`lau` and `bodies` write a CSV for each state that takes part (docs/bulk.md), `nace` the vocabulary of activities. The
lists say nothing of languages, cities and contacts: an authority reads the official ones of its state, sits in what
bears its name, and is reached at an address that cannot exist.
"""

import argparse
import csv
import gzip
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from contracts.languages import LANGUAGES, OFFICIAL, REGIONS

DATA: Final = Path(os.environ.get("IMI_LISTS") or Path(__file__).parents[2] / "shared" / "data")
"""Where the lists lie."""
UNITS: Final = DATA / "lau_2019_eea29.csv.gz"
BODIES: Final = DATA / "publicbodies_it_de_gr_se_eu.csv.gz"
ACTIVITIES: Final = DATA / "nace_rev2_24lang.csv.gz"
STATE_OF: Final = {"GR": "EL"}
"""Eurostat's code of Greece in these lists, and the one of the EU institutions."""
LANGUAGE_OF: Final = {"no": "nb"}
LONGEST: Final = 200
"""Characters of a name, and of a label."""
COLUMNS: Final = ("reference", "name", "country", "region", "city", "languages", "contacts", "areas")
AREA: Final = "services"

Line = dict[str, str]


def local_units(source: Path = UNITS) -> Iterator[Line]:
    """Yield the local units as lines to import, with the region that each lies in."""
    for one in _read(source):
        state = STATE_OF.get(one["country"], one["country"])
        yield _line(f"lau-{one['country']}-{one['lau_code']}", one["name"], state, one["nuts3_2016"])


def public_bodies(source: Path = BODIES) -> Iterator[Line]:
    """Yield the public bodies as lines to import; the EU's own (country EU) are of no state."""
    seen = Counter[str]()
    for one in _read(source):
        seen[one["id"]] += 1
        # Some stand in the list several times under one id.
        reference = one["id"] if seen[one["id"]] == 1 else f"{one['id']}#{seen[one['id']]}"
        yield _line(f"body-{reference}", one["name"], STATE_OF.get(one["country"], one["country"]), "")


def activities(source: Path = ACTIVITIES) -> Iterator[Line]:
    """Yield the activities of NACE as terms, with their labels by language."""
    for one in _read(source):
        labels = {LANGUAGE_OF.get(key, key): _cut(text) for key, text in one.items() if key not in {"code", "level"}}
        yield {"code": f"nace-{one['code'].lower()}", **{key: labels.get(key, "") for key in LANGUAGES}}


def write_by_state(lines: Iterable[Line], folder: Path, states: Iterable[str] = OFFICIAL) -> dict[str, Path]:
    """Write a file for each of the states that has lines; return them. What is of no such state is left out."""
    wanted, files = set(states), dict[str, Path]()
    folder.mkdir(parents=True, exist_ok=True)
    for state, some in groupby(sorted(lines, key=_state), _state):
        if state in wanted:
            files[state] = folder / f"{state}.csv"
            write(some, files[state], COLUMNS)
    return files


def write(lines: Iterable[Line], path: Path, columns: Iterable[str]) -> None:
    """Write lines as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, list(columns))
        rows.writeheader()
        rows.writerows(lines)


def _line(reference: str, name: str, state: str, region: str) -> Line:
    prefix = REGIONS.get(state, "")
    return {
        "reference": reference,
        "name": _cut(name),
        "country": state,
        "region": region if prefix and region.startswith(prefix) else "",
        "city": _cut(name),
        "languages": ";".join(OFFICIAL.get(state, ())[:6]),
        "contacts": f"office@{state.lower()}.example",
        "areas": AREA,
    }


def _read(source: Path) -> Iterator[Mapping[str, str]]:
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _cut(text: str) -> str:
    """A text that is too long ends with the last word that fits."""
    whole = " ".join(text.split())
    return whole if len(whole) <= LONGEST else whole[: LONGEST + 1].rpartition(" ")[0] or whole[:LONGEST]


def _state(line: Line) -> str:
    return line["country"]


LISTS: Final[Mapping[str, Callable[[], Iterator[Line]]]] = {"lau": local_units, "bodies": public_bodies}


def main() -> int:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*LISTS, "nace"])
    parser.add_argument("out", type=Path, help="a folder for a file of each state; for nace the file itself")
    parser.add_argument("--country", choices=list(OFFICIAL), help="only this state")
    chosen = parser.parse_args()
    if not DATA.is_dir():
        print(f"{DATA} is missing: IMI_LISTS names the folder where the lists lie", file=sys.stderr)
        return 1
    if chosen.what == "nace":
        write(activities(), chosen.out, ("code", *LANGUAGES))
        return 0
    lines = list(LISTS[chosen.what]())
    files = write_by_state(lines, chosen.out, [chosen.country] if chosen.country else OFFICIAL)
    counts = Counter(map(_state, lines))
    for state, path in files.items():
        print(f"{path}: {counts[state]}")
    for state in sorted(counts.keys() - OFFICIAL.keys()):
        print(f"left out: {counts[state]} of {state}, which takes no part", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
