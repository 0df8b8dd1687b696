"""Authorities and competences loaded in bulk, by the command line, into a real exchange."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.registry import Search
from contracts.topology import OPERATOR
from tests.world import LEGISLATION, World

pytestmark = [pytest.mark.servers, pytest.mark.slow]
COLUMNS = ["reference", "name", "country", "region", "city", "languages", "contacts", "areas"]


def imi(world: World, system: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `imi` as a system."""
    environment = {**os.environ, "IMI_URL": world.url(system)}
    command = [sys.executable, "-c", "from client.cli import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


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
