"""The page on legislation does what it says, and a file that is wrong is refused whole, with its line."""

import copy
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.difference import consequence, differences
from client.legislation import Area, LegislationError, load, load_source, missing, template
from client.lint import lint

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "legislation.md").read_text()


def blocks(language: str) -> list[str]:
    """The page's code in this language, in its order."""
    return [textwrap.dedent(found) for found in re.findall(rf"```{language}\n(.*?)\n *```", PAGE, re.DOTALL)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The area of the tutorial, as far as the page has brought it."""
    made = tmp_path / "driving-licences"
    (made / "locale").mkdir(parents=True)
    for name, text in zip(("area.yaml", "questions.yaml"), blocks("yaml"), strict=True):
        (made / name).write_text(text)
    return made


def test_the_areas_of_the_tutorial_can_be_read_and_translated(folder: Path) -> None:
    """Followed to the letter: English is whole, every other language has all to do, and German has begun."""
    area = load_source(folder)
    assert (area.code, area.version) == ("driving-licences", 1)
    assert len(missing(area)) == 25
    assert 'msgctxt "question.issued.yes"' in template(area)
    (po,) = blocks("po")
    (folder / "locale" / "de.po").write_text(po)
    begun = load(folder)
    assert begun.texts["de"] == {
        "title": "Führerscheine",
        "question.issued.yes": "Ja, er wurde hier ausgestellt.",
    }
    assert {finding.kind for finding in lint(begun)} == {"missing"}


parts = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "x", "date", "yes-no-unknown", "issued"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["code", "text", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["area.yaml", "questions.yaml"]), st.randoms(use_true_random=False), parts, st.booleans())
def test_a_file_is_taken_whole_or_refused_with_the_file_and_what_is_wrong(
    folder: Path, name: str, chance: Any, put: Any, drop: bool
) -> None:
    """Whatever somebody has put in the place of any part of it, or has left out."""
    for file, text in zip(("area.yaml", "questions.yaml"), blocks("yaml"), strict=True):
        (folder / file).write_text(text)
    whole = load_source(folder)
    data = _plain((folder / name).read_text())
    _spoil(data, chance, put, drop=drop)
    (folder / name).write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    area = read(folder)
    if isinstance(area, LegislationError):
        assert area.file == folder / name
        assert str(area).startswith(str(folder / name))
        assert area.reason
    else:
        assert area.code == whole.code
        assert all(message.english for message in area.messages)


def read(folder: Path) -> Area | LegislationError:
    """The area, or why there is none."""
    try:
        return load_source(folder)
    except LegislationError as error:
        return error


@pytest.mark.parametrize(
    ("wrong", "right", "line"),
    [
        ("type: date", "type: day", 31),
        ("question: issued", "question: nothing", 34),
        ("code: number", "code: holder", 8),
    ],
)
def test_a_mistake_is_named_by_its_line(folder: Path, wrong: str, right: str, line: int) -> None:
    """So that whoever wrote it finds it."""
    file = folder / "questions.yaml"
    text = file.read_text()
    assert wrong in text
    file.write_text(text.replace(wrong, right))
    with pytest.raises(LegislationError) as raised:
        load_source(folder)
    assert raised.value.file == file
    assert raised.value.line == line


def _plain(text: str) -> Any:
    """The data of a file in which `yes` and `no` are words."""
    return yaml.load(re.sub(r"\b(yes|no):", r"'\1':", text), yaml.SafeLoader)


def _spoil(data: Any, chance: Any, put: Any, *, drop: bool) -> None:
    """Change one part, wherever it is."""
    places = list(_places(data))
    holder, key = chance.choice(places)
    if drop:
        del holder[key]
    else:
        holder[key] = copy.deepcopy(put)


def _places(data: Any) -> Any:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(items):
        yield data, key
        yield from _places(value)


def test_what_is_different_in_a_new_version_is_named(folder: Path, tmp_path: Path) -> None:
    """Rules, items that came, went or changed, and English texts that read otherwise; nothing else."""
    newer = tmp_path / "newer" / "driving-licences"
    newer.mkdir(parents=True)
    (newer / "area.yaml").write_text((folder / "area.yaml").read_text().replace("version: 1", "version: 2"))
    questions = (folder / "questions.yaml").read_text()
    changes = (
        ("code: number", "code: card"),
        ("Name of the holder", "Full name of the holder"),
        ("type: date\n", "type: text\n"),
    )
    for old, new in changes:
        assert old in questions
        questions = questions.replace(old, new)
    (newer / "questions.yaml").write_text(questions)
    (newer / "locale").mkdir()
    (newer / "locale" / "de.po").write_text(blocks("po")[0])
    before, after = load(folder), load(newer)
    found = {(one.code, one.what) for one in differences(before, after)}
    assert found == {
        ("title", "translated"),
        ("question.issued.yes", "translated"),
        ("particular.card", "added"),
        ("particular.number", "gone"),
        ("particular.holder", "reworded"),
        ("question.valid-until", "changed"),
    }
    assert differences(before, before) == []
    assert "keep version 1" in consequence(before, after, differences(before, after))
    assert "cannot follow version 2" in consequence(after, before, differences(after, before))
    assert consequence(before, before, []) == "Nothing is different."
