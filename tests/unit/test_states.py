import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.languages import LANGUAGES, LAST_RESORT, OFFICIAL, REGIONS, STATES, ZONES
from contracts.states import BadStates, read_states

IRELAND: dict[str, Any] = {"code": "IE", "nuts": "IE", "zone": "Europe/Dublin", "languages": ["ga", "en"]}
MALTA: dict[str, Any] = {"code": "MT", "nuts": "MT", "zone": "Europe/Malta", "languages": ["mt", "en"]}


def written(folder: Path, content: object) -> Path:
    path = folder / "states.json"
    path.write_text(json.dumps(content))
    return path


def with_states(path: Path, program: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "IMI_STATES": str(path)}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_eea_takes_part_unless_a_deployment_says_otherwise() -> None:
    """30 states with 26 languages; Greece and its regions are EL, as EU institutions write it."""
    assert len(STATES) == len(set(STATES)) == 30
    assert (len(LANGUAGES), LAST_RESORT in LANGUAGES) == (26, True)
    assert {"IS", "LI", "NO", "EL"} <= set(STATES)
    assert "GR" not in STATES
    assert set(ZONES) == set(OFFICIAL) == set(REGIONS) == set(STATES)
    assert REGIONS["EL"] == "EL"


def test_every_language_is_official_somewhere() -> None:
    """And the official ones keep the order that their state gives them."""
    assert {language for languages in OFFICIAL.values() for language in languages} == set(LANGUAGES)
    assert (OFFICIAL["BE"], OFFICIAL["IE"], OFFICIAL["FI"]) == (("nl", "fr", "de"), ("ga", "en"), ("fi", "sv"))


def test_a_deployment_has_the_states_of_its_own_file(tmp_path: Path) -> None:
    """Nobody else takes part; English is read as the last resort even where it is nobody's language."""
    program = (
        "from contracts.languages import LANGUAGES, STATES, ZONES\n"
        "from contracts.registry import Search\n"
        "from pydantic import ValidationError\n"
        "print(STATES, LANGUAGES, ZONES['NO'])\n"
        "Search(country='NO')\n"
        "try: Search(country='DE')\n"
        "except ValidationError: print('refused')"
    )
    norway = {"code": "NO", "nuts": "NO", "zone": "Europe/Oslo", "languages": ["nb"]}
    made = with_states(written(tmp_path, [norway]), program)
    assert (made.stdout, made.stderr) == ("('NO',) ('en', 'nb') Europe/Oslo\nrefused\n", "")


WRONG: list[tuple[str, object, str]] = [
    ("no list", {}, "Input should be a valid array"),
    ("no state", [], "no state at all"),
    ("no code", [{**IRELAND, "code": "ie"}], "0.code"),
    ("no prefix of regions", [{**IRELAND, "nuts": "IE0"}], "0.nuts"),
    ("a zone that is none", [IRELAND, {**MALTA, "zone": "Europe/Valletta"}], "1.zone: Value error, not a time zone"),
    ("a folder of zones", [{**IRELAND, "zone": "Europe"}], "0.zone"),
    ("a path out of the zones", [{**IRELAND, "zone": "../Europe/Dublin"}], "0.zone"),
    ("no languages", [{**IRELAND, "languages": []}], "0.languages"),
    ("no language's code", [{**IRELAND, "languages": ["English"]}], "0.languages.0"),
    ("a language twice", [{**IRELAND, "languages": ["en", "en"]}], "0.languages: Value error, stands twice: en"),
    ("a field written wrongly", [{**IRELAND, "capital": "Dublin"}], "0.capital"),
    ("a state twice", [IRELAND, {**IRELAND, "nuts": "IR"}], "code stands twice: IE"),
    ("regions that begin alike", [IRELAND, {**MALTA, "nuts": "IE"}], "nuts stands twice: IE"),
]


@pytest.mark.parametrize(("content", "said"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_file_is_told_with_its_name_and_place(tmp_path: Path, content: object, said: str) -> None:
    """Nothing begins with states that cannot be relied upon."""
    path = written(tmp_path, content)
    with pytest.raises(BadStates) as raised:
        read_states(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)


def test_a_file_that_is_missing_too_large_or_no_json_is_told(tmp_path: Path) -> None:
    """By the same error, which names it."""
    path = tmp_path / "states.json"
    with pytest.raises(BadStates, match="No such file"):
        read_states(path)
    with pytest.raises(BadStates, match="directory"):
        read_states(tmp_path)
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(BadStates, match="Invalid JSON"):
        read_states(path)
    path.write_bytes(b" " * (256 * 1024 + 1))
    with pytest.raises(BadStates, match="too large"):
        read_states(path)


def test_no_process_starts_with_a_wrong_file(tmp_path: Path) -> None:
    """What is said last is what is wrong."""
    path = written(tmp_path, [{**IRELAND, "zone": "Nowhere"}])
    made = with_states(path, "import services.registry.app")
    assert made.returncode != 0
    assert made.stderr.splitlines()[-1] == (
        f"contracts.states.BadStates: {path}: 0.zone: Value error, not a time zone of the IANA database"
    )
