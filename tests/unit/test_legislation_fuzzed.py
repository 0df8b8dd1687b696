"""Files that somebody has spoilt: an area is published whole, or refused with the file, the line and the reason."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.legislation import Area, LegislationError, load
from client.publishing import commands_of
from contracts.inbox import Outcome
from contracts.topology import OPERATOR
from contracts.translation import AreaRules, PutTexts
from contracts.types import Message
from services.chassis.intake import Command
from services.translation.area import AreaTexts, codes_of, inconsistency, items_of
from services.translation.handlers import CatalogueDesk
from services.translation.store import Store

FILES = {
    "area.yaml": """\
        code: fishing
        version: 1
        title: Fishing
        legal_basis: 32005L0036
        deadlines:
          acceptance: {days: 7}
          answer: {working_days: 14}
          remind: [7, 1]
        workflow: {approval: false, refusal: false, own_state_cases: false}
        participants: {competences: [angling]}
        """,
    "questions.yaml": """\
        particulars:
          - {code: boat, text: Name of the boat, type: text, required: true, personal: false}
        sets:
          - code: general
            text: General
            groups:
              - code: licence
                text: Licence
                questions:
                  - code: licensed
                    text: Is there a licence?
                    type: yes-no-unknown
                    required: saving
                    personal: false
                    options: {yes: There is., no: There is none., unknown: We do not know.}
                  - code: waters
                    text: For which waters?
                    type: multiple
                    required: true
                    personal: false
                    options: {sea: The sea, lakes: Lakes}
                    condition: {question: licensed, option: yes}
        """,
    "locale/de.po": """\
        msgid ""
        msgstr ""
        "Language: de\\n"
        "Content-Type: text/plain; charset=UTF-8\\n"
        "Plural-Forms: nplurals=2; plural=(n != 1);\\n"

        #. Title of the legislative area
        msgctxt "title"
        msgid "Fishing"
        msgstr "Fischerei"

        #, fuzzy
        msgctxt "question.licensed"
        msgid "Is there a licence?"
        msgstr "Gibt es eine Genehmigung?"
        """,
}
WHOLE = {name: textwrap.dedent(text) for name, text in FILES.items()}
PUT_IN = (
    "\n", " ", "  ", ":", "-", "[", "]", "{", "}", '"', "'", "\\", "\t", "#", "#~ ", "&a ", "*a", "!!binary ", "? ",
    "|", "---\n", "%", "yes", "null", "1", "-1", "1e999", "0x", "999999999999999999999", "code: boat", "type: date",
    "msgid_plural ", "msgstr[1] ", "msgstr[x] ", "msgctxt ", 'msgctxt "title"\n', "charset=latin-1", "nplurals=9",
    "plural=n/0", "plural=n", "\x00", "\x85", "\ufeff", "\u2028", "é", "2026-01-01T00:00:00Z", "PO-Revision-Date: x\\n",
)  # fmt: skip


class Catalogue:
    """Translation's store, in memory."""

    def __init__(self) -> None:
        self.published: dict[tuple[str, int], AreaRules] = {}
        self.laid_down: dict[tuple[str, int, str], Mapping[str, str]] = {}

    async def texts(self, area: str, version: int, language: str) -> Mapping[str, str] | None:
        return self.laid_down.get((area, version, language))

    async def rules(self, area: str, version: int) -> AreaRules | None:
        return self.published.get((area, version))

    async def put_texts(self, area: str, version: int, language: str, texts: Mapping[str, str]) -> None:
        self.laid_down[area, version, language] = texts

    async def publish(self, area: str, version: int, rules: AreaRules) -> AreaRules:
        return self.published.setdefault((area, version), rules)


async def told(catalogue: Catalogue, body: Message) -> Outcome:
    """What comes of a command of the operator's."""
    command = Command(OPERATOR, body.model_dump_json(), body, "digest", expired=False)
    (answer,) = await CatalogueDesk(cast("Store", catalogue))([command])
    assert answer.outcome
    return cast("Outcome", answer.outcome.message)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Path(tmp_path_factory.mktemp("areas")) / "fishing"
    (made / "locale").mkdir(parents=True)
    return made


def written(folder: Path, files: Mapping[str, bytes]) -> Area | LegislationError:
    """The area of these files, or why there is none."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        return load(folder)
    except LegislationError as error:
        return error


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file, and its content after up to three changes: something cut out, put in, doubled, or a byte that is none."""
    name = draw(st.sampled_from(sorted(WHOLE)))
    content = WHOLE[name].encode()
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(content)))
        end = draw(st.integers(begin, min(begin + 40, len(content))))
        some = st.sampled_from(PUT_IN).map(str.encode) | st.just(content[begin:end] * 2) | st.binary(max_size=2)
        content = content[:begin] + draw(some) + content[end:]
    return name, content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250)
@given(spoilt())
async def test_a_spoilt_file_is_published_whole_or_refused_with_its_line(
    folder: Path, change: tuple[str, bytes]
) -> None:
    """No other error, no half of an area, and nothing published that was refused."""
    name, content = change
    area = written(folder, {one: text.encode() for one, text in WHOLE.items()} | {name: content})
    if isinstance(area, LegislationError):
        assert area.file == folder / name or name != "locale/de.po"  # another title makes its translation a stale one
        assert area.file.is_relative_to(folder)
        assert area.line
        lines = len((folder / area.file).read_text(encoding="utf-8", errors="replace").splitlines())
        assert 1 <= area.line <= lines + 1
        assert area.reason
        return
    catalogue = Catalogue()
    for command in commands_of(area):
        assert (await told(catalogue, command)).status == "done"
    _whole(catalogue)


def _whole(catalogue: Catalogue) -> None:
    """Whatever is published has rules that fit together, and every text in English."""
    for (area, version), rules in catalogue.published.items():
        assert inconsistency(rules) is None
        english = catalogue.laid_down[area, version, "en"]
        assert set(codes_of(rules)) <= set(english)
        assert AreaTexts(items_of(rules), {"en": dict(english)}).items


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_what_is_sent_in_part_or_out_of_order_is_never_published_in_half(
    folder: Path, data: st.DataObject
) -> None:
    """Commands left out, repeated or exchanged, texts left out: a version is there whole, or not at all."""
    area = written(folder, {name: text.encode() for name, text in WHOLE.items()})
    assert isinstance(area, Area)
    commands = commands_of(area)
    catalogue = Catalogue()
    for command in data.draw(st.lists(st.sampled_from(commands), max_size=8)):
        sent = command
        if isinstance(command, PutTexts) and command.texts and data.draw(st.booleans()):
            kept = data.draw(st.sets(st.sampled_from(sorted(command.texts)), min_size=1))
            sent = command.model_copy(update={"texts": {code: command.texts[code] for code in kept}})
        before = dict(catalogue.published), dict(catalogue.laid_down)
        outcome = await told(catalogue, sent)
        if outcome.status == "refused" or before[0]:
            assert (catalogue.published, catalogue.laid_down) == before
        _whole(catalogue)
