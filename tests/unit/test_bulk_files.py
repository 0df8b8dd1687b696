import csv
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from client import importing
from client.authorities import NotTheColumns, read
from client.importing import Journal, write_rejected
from client.legislation import load
from client.system import LaneFull, System
from client.vocabulary import BadTerms, commands_of, name_of, options_of
from client.vocabulary import read as read_terms
from contracts.inbox import Outcome, Refused
from contracts.languages import LANGUAGES
from contracts.registry import PutTerms, Register, Scope, Term

COORDINATOR = "ES-00000000"
LINE: dict[str, str] = {
    "reference": "07028",
    "name": "Ayuntamiento de Lloret de Vistalegre",
    "country": "ES",
    "region": "ES532",
    "city": "Lloret de Vistalegre",
    "languages": "es;en",
    "contacts": "office@lloret.example",
    "areas": "services=nace-55.10|nace-56.10;professional-qualifications",
    "keywords": "turismo",
}


def written(folder: Path, *changes: dict[str, str], columns: list[str] | None = None) -> Path:
    path = folder / "list.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, columns or sorted({*LINE, *(key for change in changes for key in change)}))
        lines.writeheader()
        for change in changes:
            merged = {**LINE, **change}
            lines.writerow({key: merged.get(key, "") for key in lines.fieldnames})
    return path


def test_a_line_becomes_the_registration_of_an_authority(tmp_path: Path) -> None:
    """With what it does in each area; the name is in the first of its languages."""
    (row,), faults = read(written(tmp_path, {"name_ca": "x"} if "ca" in LANGUAGES else {}))
    assert faults == []
    command = row.command(COORDINATOR)
    assert command.details.names == {"es": "Ayuntamiento de Lloret de Vistalegre"}
    assert command.details.areas == {
        "services": Scope(competences=("nace-55.10", "nace-56.10"), keywords=("turismo",)),
        "professional-qualifications": Scope(keywords=("turismo",)),
    }
    assert (command.authority, command.system, row.line) == (COORDINATOR, None, 2)


def test_the_same_line_has_the_same_id_whenever_and_wherever_it_is_imported(tmp_path: Path) -> None:
    """So that a second import changes nothing; another reference or another coordinator has another."""
    (row, other), _ = read(written(tmp_path, {}, {"reference": "07029"}))
    (again, _), _ = read(written(tmp_path, {"city": "elsewhere"}, {"reference": "07029"}))
    assert row.message_id(COORDINATOR) == again.message_id(COORDINATOR)
    ids = {row.message_id(COORDINATOR), other.message_id(COORDINATOR), row.message_id("ES-00000001")}
    assert len(ids) == 3


WRONG: list[tuple[str, dict[str, str], str]] = [
    ("no reference", {"reference": " "}, "reference"),
    ("a state that takes no part", {"country": "XX"}, "country"),
    ("another state's region", {"region": "FR10"}, "region"),
    ("no name", {"name": ""}, "names"),
    ("a name too long", {"name": "x" * 201}, "names"),
    ("no address", {"contacts": "nobody"}, "contacts"),
    ("an unknown language", {"languages": "xx"}, "languages"),
    ("a competence that is no code", {"areas": "services=Fischerei!"}, "areas"),
    ("a system that is no name", {"system": "Not A System"}, "system"),
]


@pytest.mark.parametrize(("change", "field"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_line_that_is_wrong_is_told_with_its_number_and_field(tmp_path: Path, change: Any, field: str) -> None:
    """And the others are read all the same."""
    rows, (fault,) = read(written(tmp_path, {"reference": "1"}, {"reference": "2", **change}))
    assert [row.reference for row in rows] == ["1"]
    assert fault.line == 3
    assert field in fault.reason


def test_a_reference_stands_once(tmp_path: Path) -> None:
    """The second line of the same reference would be taken for a repetition of the first."""
    rows, (fault,) = read(written(tmp_path, {}, {"city": "other"}))
    assert (len(rows), fault.line) == (1, 3)
    assert "line 2" in fault.reason


@pytest.mark.parametrize("columns", [["reference", "country"], [*LINE, "nmae"], [*LINE, "name"]])
def test_a_file_with_other_columns_is_not_read(tmp_path: Path, columns: list[str]) -> None:
    """A column written wrongly would be left out silently."""
    with pytest.raises(NotTheColumns):
        read(written(tmp_path, {}, columns=columns))


def test_rejected_lines_can_be_corrected_and_imported(tmp_path: Path) -> None:
    """The file of rejected lines has the columns of a list, and its number and reason besides."""
    _, faults = read(written(tmp_path, {"country": "XX"}))
    path = tmp_path / "rejected.csv"
    write_rejected(path, faults)
    path.write_text(path.read_text().replace("XX", "ES"))
    (row,), faults = read(path)
    assert (row.reference, faults) == ("07028", [])


def test_a_journal_knows_the_very_lines_that_were_registered(tmp_path: Path) -> None:
    """A line that was changed since is sent again."""
    (row,), _ = read(written(tmp_path, {}))
    (changed,), _ = read(written(tmp_path, {"city": "Palma"}))
    with Journal(tmp_path / "journal") as journal:
        assert not journal.has(row)
        journal.note(row)
    known = Journal(tmp_path / "journal")
    assert (known.has(row), known.has(changed)) == (True, False)


def test_terms_have_a_code_and_labels(tmp_path: Path) -> None:
    """In any of the languages; what is no code is told with its line."""
    path = tmp_path / "nace.csv"
    path.write_text("code,de,hu\nnace-86.23,Zahnarztpraxen,Fogorvosi járóbeteg-ellátás\n")
    (term,) = read_terms(path)
    assert (term.code, term.labels["hu"]) == ("nace-86.23", "Fogorvosi járóbeteg-ellátás")
    path.write_text("code,de\nBad Code,x\n")
    with pytest.raises(BadTerms, match="line 2: code"):
        read_terms(path)
    path.write_text("code,tlh\na,x\n")
    with pytest.raises(BadTerms):
        read_terms(path)


def test_the_professions_of_the_legislation_are_terms_in_every_language() -> None:
    """They are written with the legislation, and nowhere else."""
    area = load(Path(__file__).parents[2] / "legislation" / "professional-qualifications")
    terms = {term.code: term.labels for term in options_of(area, "profession")}
    assert set(terms["dentist"]) == set(LANGUAGES)
    assert "Zahn" in terms["dentist"]["de"]
    with pytest.raises(BadTerms):
        options_of(area, "holder-name")


@pytest.mark.parametrize("attempt", ["0", "-1", "two", "1000", "²"])
def test_an_attempt_is_a_number(tmp_path: Path, attempt: str) -> None:
    """From one on."""
    _, (fault,) = read(written(tmp_path, {"attempt": attempt}))
    assert "attempt" in fault.reason


def test_another_attempt_is_another_command(tmp_path: Path) -> None:
    """The first has the id that it has without the column."""
    (row,), _ = read(written(tmp_path, {}))
    (first,), _ = read(written(tmp_path, {"attempt": "1"}))
    (second,), _ = read(written(tmp_path, {"attempt": "2"}))
    assert row.message_id(COORDINATOR) == first.message_id(COORDINATOR) != second.message_id(COORDINATOR)


class Exchange:
    """Stands in for a connected system: answers each command as it is told."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers = iter(answers)
        self.sent: list[str] = []

    async def outcome(self, command: Register, message_id: str, within: float) -> Outcome:
        self.sent.append(message_id)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        refused = Refused(code=answer, text="Meaning.") if answer != "done" else None
        status: Literal["done", "refused"] = "refused" if refused else "done"
        return Outcome(command=message_id, command_type=command.TYPE, status=status, refused=refused)


async def imported(folder: Path, exchange: Exchange, *changes: dict[str, str]) -> importing.Result:
    rows, _ = read(written(folder, *changes))
    with Journal(folder / "journal") as journal:
        return await importing.register(cast("System", exchange), COORDINATOR, rows, journal)


async def test_a_refused_line_is_another_attempt_the_next_time(tmp_path: Path) -> None:
    """Its refusal is remembered, and would be given again; a line that was registered must not be a second time."""
    exchange = Exchange("unknown-competence", "message-id-reused", "done")
    result = await imported(tmp_path, exchange, *({"reference": one} for one in "abc"))
    assert [(one.source["reference"], one.source.get("attempt")) for one in result.rejected] == [
        ("a", "2"),
        ("b", None),
    ]
    assert result.rejected[0].reason == "Meaning. (unknown-competence)"
    assert result.registered == 1


async def test_what_was_registered_is_not_sent_again(tmp_path: Path) -> None:
    """The journal knows it; what was refused is asked again."""
    await imported(tmp_path, Exchange("unknown-competence", "done"), {"reference": "a"}, {"reference": "b"})
    again = Exchange("unknown-competence")
    result = await imported(tmp_path, again, {"reference": "a"}, {"reference": "b"})
    assert (result.known, result.registered, len(result.rejected), len(again.sent)) == (1, 0, 1, 1)


async def test_a_full_lane_and_a_lost_connection_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command is sent again under the same id; but not for ever."""
    monkeypatch.setattr(importing, "WAIT_WHEN_FULL", 0)
    exchange = Exchange(LaneFull("x"), ConnectionError("lost"), "done")
    result = await imported(tmp_path, exchange, {})
    assert (result.registered, len(exchange.sent), len(set(exchange.sent))) == (1, 3, 1)
    monkeypatch.setattr(importing, "TRIES", 2)
    with pytest.RaisesGroup(LaneFull):
        await imported(tmp_path, Exchange(LaneFull("x"), LaneFull("x"), "done"), {"reference": "other"})


def test_all_wrong_terms_of_a_file_are_told(tmp_path: Path) -> None:
    """With their lines; a code stands once."""
    path = tmp_path / "terms.csv"
    path.write_text("code,de\nA,x\nb,\nc,y\nc,z\n")
    with pytest.raises(BadTerms) as raised:
        read_terms(path)
    assert [f"line {number}" in str(raised.value) for number in (2, 3, 4, 5)] == [True, True, False, True]
    path.write_bytes(b"code,de\na,\xff\n")
    with pytest.raises(BadTerms):
        read_terms(path)


def test_no_command_is_larger_than_the_exchange_takes() -> None:
    """However long the labels are: in 26 languages, in letters of three bytes."""
    labels = dict.fromkeys(LANGUAGES, "\u1f00" * 200)
    terms = [Term(code=f"t-{number}", labels=labels) for number in range(60)]
    commands = commands_of("long-labels", terms)
    assert [term for command in commands for term in command.terms] == terms
    assert all(len(command.model_dump_json().encode()) <= 256 * 1024 for command in commands)
    assert [len(command.terms) for command in commands_of("short", [_short(number) for number in range(250)])] == [
        100,
        100,
        50,
    ]


def _short(number: int) -> Term:
    return Term(code=f"t-{number}", labels={"de": "x"})


@pytest.mark.parametrize("name", ["NACE Rev. 2.csv", "Ü.csv", f"{'x' * 100}.csv"])
def test_a_vocabulary_is_called_by_a_code(name: str) -> None:
    """Made of the name of its file, whatever that is."""
    (command,) = commands_of(name_of(Path(name)), [_short(1)])
    assert PutTerms.model_validate_json(command.model_dump_json()) == command
