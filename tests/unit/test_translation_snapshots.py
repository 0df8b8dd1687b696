import pytest

from contracts.languages import LANGUAGES
from tools.snapshots import FOLDER, snapshot


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_case_reads_in_every_language_as_somebody_has_approved(language: str) -> None:
    """Its questions, answers, dates, amounts, states and labels; `python -m tools.snapshots` writes them anew."""
    assert snapshot(language) == (FOLDER / f"{language}.txt").read_text(encoding="utf-8")


def test_there_is_a_snapshot_of_every_language_and_no_other() -> None:
    """A language that joins is approved, too."""
    assert {file.stem for file in FOLDER.iterdir()} == set(LANGUAGES)
