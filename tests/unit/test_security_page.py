"""docs/security.md names the test of every promise."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = [row for row in PAGE.splitlines() if row.startswith("|") and not re.match(r"\| threat|\|-", row)]


def test_every_threat_has_what_stops_it_and_a_test() -> None:
    """Three cells, none of them empty, and in the last one files of tests."""
    assert len(ROWS) > 20
    for row in ROWS:
        threat, stopped, shown = (cell.strip() for cell in row.strip("|").split("|"))
        assert threat
        assert stopped
        assert re.fullmatch(r"`tests/[\w/]+\.py`(, `tests/[\w/]+\.py`)*", shown), row


def test_every_test_that_is_named_is_there() -> None:
    """And is one that pytest runs."""
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert not [name for name in named if not (ROOT / name).is_file()]
    assert all(Path(name).name.startswith("test_") for name in named)
