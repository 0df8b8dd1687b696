"""Authorities and competences loaded in bulk, by the command line, into a real exchange."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.registry import Search
from contracts.topology import OPERATOR
from deploy.local.waiting import until
from tests.world import LEGISLATION, World

pytestmark = [pytest.mark.servers, pytest.mark.slow]
COLUMNS = ["reference", "name", "country", "region", "city", "languages", "contacts", "areas"]


def imi(world: World, system: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `imi` as a system."""
    environment = {**os.environ, "IMI_URL": world.url(system)}
    command = [sys.executable, "-c", "from client.cli import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def killed_on_the_way(world: World, arguments: list[str], begun: Callable[[], bool]) -> None:
    """Run `imi` as Germany's coordinator, and kill it once it has begun."""
    command = [sys.executable, "-c", "from client.cli import main; main()", *arguments]
    environment = {**os.environ, "IMI_URL": world.url("de-nimic")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(begun, "nothing was registered")
        process.kill()


def line(number: int, **changes: str) -> dict[str, str]:
    """A town hall."""
    return {
        "reference": f"hall-{number}",
        "name": f"Stadtverwaltung Musterort {number}",
        "country": "DE",
        "region": "DE21",
        "city": f"Musterort {number}",
        "languages": "de",
        "contacts": f"rathaus-{number}@musterort.example",
        "areas": "services=dentist" if number % 2 else "services",
    } | changes


def write(path: Path, *lines: dict[str, str]) -> None:
    with path.open("w", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS)
        rows.writeheader()
        rows.writerows(lines)


async def test_a_list_is_imported_whole_once_and_what_is_rejected_is_told(world: World, tmp_path: Path) -> None:
    """Nothing is sent of a list with a fault; then the rest is; repeated, nothing is registered twice."""
    assert imi(world, OPERATOR, "vocabulary", "options", str(LEGISLATION / AREA_FOLDER), "profession").returncode == 0
    path, coordinator = tmp_path / "halls.csv", world.ids["de-nimic"]
    lines = [line(number) for number in range(40)]
    write(path, *lines, line(40, country="XX"), line(41, areas="services=wizard"))
    arguments = ("authorities", "import", str(path), "--coordinator", coordinator, "--json")

    whole = imi(world, "de-nimic", *arguments)
    assert whole.returncode == 2
    assert "line 42" in whole.stderr

    some = imi(world, "de-nimic", *arguments, "--skip-invalid")
    assert (some.returncode, json.loads(some.stdout)) == (1, {"registered": 40, "known": 0, "rejected": 2})
    with (tmp_path / "halls.csv.rejected.csv").open() as file:
        rejected = list(csv.DictReader(file))
    assert [(one["line"], one["reference"]) for one in rejected] == [("42", "hall-40"), ("43", "hall-41")]
    assert "unknown-competence" in rejected[1]["reason"]

    again = imi(world, "de-nimic", *arguments, "--skip-invalid")
    assert json.loads(again.stdout) == {"registered": 0, "known": 40, "rejected": 2}
    (tmp_path / "halls.csv.progress").unlink()
    without_journal = imi(world, "de-nimic", *arguments, "--skip-invalid")
    assert json.loads(without_journal.stdout) == {"registered": 40, "known": 0, "rejected": 2}

    async with world.system("hu-hivatal") as system:
        outcome = await system.do(Search(text="Musterort", country="DE", limit=100))
        assert len(outcome.found or ()) == 40
        # In Hungarian, for what a German coordinator registered by its code.
        outcome = await system.do(Search(text="fogorvos", country="DE", limit=100))
        assert {one.match.kind for one in outcome.found or ()} == {"competence"}
        assert len(outcome.found or ()) == 20


AREA_FOLDER = "professional-qualifications"


async def test_a_list_of_anothers_state_is_rejected_line_by_line(world: World, tmp_path: Path) -> None:
    """A coordinator registers authorities of its own state alone."""
    path = tmp_path / "halls.csv"
    write(path, line(1, country="HU", region=""))
    made = imi(world, "de-nimic", "authorities", "import", str(path), "--coordinator", world.ids["de-nimic"], "--json")
    assert (made.returncode, json.loads(made.stdout)) == (1, {"registered": 0, "known": 0, "rejected": 1})


async def test_an_interrupted_import_goes_on_and_registers_nothing_twice(world: World, tmp_path: Path) -> None:
    """Killed at any moment, what was registered stays, and the next run registers the rest."""
    path, journal = tmp_path / "halls.csv", tmp_path / "halls.csv.progress"
    count = 600
    lines = [line(number, name=f"Amt Abbruch {number}", city="Abbruch", areas="services") for number in range(count)]
    write(path, *(one | {"reference": f"interrupted-{number}"} for number, one in enumerate(lines)))
    arguments = ["authorities", "import", str(path), "--coordinator", world.ids["de-nimic"], "--json"]
    killed_on_the_way(world, arguments, lambda: journal.exists() and len(journal.read_text().split()) > 50)
    noted = len(journal.read_text().splitlines())
    assert 50 < noted < count

    rest = imi(world, "de-nimic", *arguments)
    assert rest.returncode == 0, rest.stderr
    made = json.loads(rest.stdout)
    assert made == {"registered": count - made["known"], "known": made["known"], "rejected": 0}
    assert noted - 1 <= made["known"] <= noted  # the last line may have been written in part
    async with world.system("hu-hivatal") as system:
        found, after = [], None
        while True:
            outcome = await system.do(Search(text="Abbruch", country="DE", limit=100, after=after))
            found += [one.card.id for one in outcome.found or ()]
            if (after := outcome.next) is None:
                break
    assert len(found) == len(set(found)) == count


async def test_rejected_lines_are_imported_once_corrected_and_changed_ones_are_not(
    world: World, tmp_path: Path
) -> None:
    """The exchange remembers a refusal with its command; the file of rejected lines is ready for another."""
    path, rejected = tmp_path / "offices.csv", tmp_path / "offices.csv.rejected.csv"
    arguments = ("--coordinator", world.ids["de-nimic"], "--json")
    write(path, line(1, reference="office-1", areas="services"), line(2, reference="office-2", areas="services=wizard"))
    made = imi(world, "de-nimic", "authorities", "import", str(path), *arguments)
    assert (made.returncode, json.loads(made.stdout)["rejected"]) == (1, 1)

    rejected.write_text(rejected.read_text().replace("=wizard", ""))
    corrected = imi(world, "de-nimic", "authorities", "import", str(rejected), *arguments)
    assert (corrected.returncode, json.loads(corrected.stdout)["registered"]) == (0, 1), corrected.stderr

    write(path, line(1, reference="office-1", areas="services", city="Anderswo"))
    changed = imi(world, "de-nimic", "authorities", "import", str(path), *arguments)
    assert (changed.returncode, json.loads(changed.stdout)["registered"]) == (1, 0)
    with rejected.open() as file:
        (fault,) = csv.DictReader(file)
    assert "message-id-reused" in fault["reason"]
    assert fault["attempt"] == ""


def test_nothing_is_sent_of_a_vocabulary_with_a_fault(world: World, tmp_path: Path) -> None:
    """And all faults are told."""
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("code,de\nnever-loaded,x\n")
    bad.write_text("code,de\nBad Code,x\nb,\n")
    made = imi(world, OPERATOR, "vocabulary", "import", str(good), str(bad))
    assert made.returncode == 2
    assert "line 2" in made.stderr
    assert "line 3" in made.stderr
    bad.write_text("code,de\nloaded,Geladenes\n")
    assert imi(world, "de-nimic", "vocabulary", "import", str(bad)).returncode == 1
    assert imi(world, OPERATOR, "vocabulary", "import", str(bad)).returncode == 0
