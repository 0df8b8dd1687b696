"""What we publish about our messages is what the code says."""

import ast
import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from contracts.catalogue import COMMANDS, INBOX
from contracts.identity import authority_id, case_id
from contracts.sentences import REFUSALS
from tools import asyncapi, connecting, nodejs
from tools.examples import FOLDER, compact, of_type, read, walk
from tools.internal_document import MODELS
from tools.walk import PASSWORD

REPOSITORY = Path(__file__).parents[2]
SERVICES = REPOSITORY / "services"
PUBLISHED = {**COMMANDS, **INBOX}
EXAMPLES = [read(path) for path in sorted(FOLDER.glob("*/*.json"))]


def schema_of(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((asyncapi.FOLDER / "schemas" / f"{kind}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return schema


def is_valid(schema: dict[str, Any], body: object) -> bool:
    return Draft202012Validator(schema, format_checker=FormatChecker()).is_valid(body)


def test_generated_files_are_current() -> None:
    """Documents, schemas and tables are what `python -m tools.asyncapi` would write; nothing else lies beside them."""
    assert asyncapi.stale(asyncapi.generated()) == []


def test_a_stale_or_foreign_file_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The check names a file that differs and one that nobody makes; writing puts both right."""
    monkeypatch.setattr(asyncapi, "FOLDER", tmp_path)
    kept, foreign = tmp_path / "kept", tmp_path / "foreign"
    kept.write_text("old")
    foreign.write_text("")
    assert asyncapi.stale({kept: "new"}) == [foreign, kept]
    asyncapi.write({kept: "new"})
    assert (kept.read_text(), foreign.exists()) == ("new", False)


@pytest.mark.parametrize("kind", sorted({**PUBLISHED, **MODELS}))
def test_every_message_has_an_example(kind: str) -> None:
    """A message type without an example is not documented."""
    assert list(of_type(kind))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_is_what_the_code_takes(example: Any) -> None:
    """Each example is accepted by the model of its type, in the form of its file."""
    model = {**PUBLISHED, **MODELS}[example.type]
    model.model_validate_json(json.dumps(example.body))
    assert example.path.read_text() == example.text()


@pytest.mark.parametrize("kind", sorted(PUBLISHED))
def test_a_schema_says_yes_to_its_examples_and_no_to_less(kind: str) -> None:
    """Each example in a published schema is valid by it, and nothing is that lacks a required field."""
    schema = schema_of(kind)
    assert schema["examples"]
    for example in schema["examples"]:
        assert is_valid(schema, example)
        for name in schema.get("required", ()):
            assert not is_valid(schema, {key: value for key, value in example.items() if key != name})


def test_commands_are_closed_and_the_inbox_is_open() -> None:
    """A field that the exchange does not know is refused; a reader passes over one that it does not know."""
    for kind in PUBLISHED:
        schema = schema_of(kind)
        assert is_valid(schema, {**schema["examples"][0], "new-field": 1}) == (kind in INBOX), kind


def test_the_public_document_holds_no_internal_message() -> None:
    """What services say to each other stands in the internal document alone."""
    text = (asyncapi.FOLDER / "exchange.yaml").read_text()
    document = yaml.safe_load(text)
    assert set(document["components"]["messages"]) == set(PUBLISHED)
    assert not [kind for kind in MODELS if kind in text]


def test_every_command_says_who_may_and_what_comes_back() -> None:
    """The table of commands has a row of facts for each command, and none for any other."""
    assert set(connecting.RIGHTS) == set(COMMANDS)


def test_the_numbers_in_the_walk_follow_from_its_messages() -> None:
    """Authorities and the case have the numbers that the exchange would give them."""
    given = {example.path.stem: example for example in walk()}
    apply, send = given["19-ie-apply"], given["33-send-request"]
    assert send.body["authority"] == authority_id("IE", apply.system, apply.properties["message_id"])
    assert given["36-accept-request"].body["case"] == case_id(send.system, send.properties["message_id"])


def test_the_five_lines_make_the_hash_of_their_password(tmp_path: Path) -> None:
    """The code in `connecting.md` prints a password and its salted hash; the walk's hash is of the walk's password."""
    page = (asyncapi.DOCS / "connecting.md").read_text()
    found = re.search(r"```python\n(   import base64.*?)```", page, re.DOTALL)
    assert found
    script = tmp_path / "hash.py"
    script.write_text(re.sub(r"(?m)^   ", "", found[1]))
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout.split()
    account = next(of_type("registry.connect_system.v1")).body["account"]
    for password, hashed in (printed, (PASSWORD, account["password_hash"])):
        salted = base64.b64decode(hashed)
        assert salted[4:] == hashlib.sha256(salted[:4] + password.encode()).digest()


def test_compact_json_is_the_same_json() -> None:
    """The form in which examples are written loses nothing, and folds only what is long."""
    value = {"long": ["word " * 20, {"é": None}], "empty": {}, "list": []}
    assert json.loads(compact(value)) == value
    assert "\n" not in compact({"short": [1, 2]})


def test_an_unknown_part_of_the_page_is_a_mistake() -> None:
    """A marker that nobody fills stops the generator."""
    with pytest.raises(KeyError):
        connecting.filled("<!-- made: nonsense -->\n<!-- end -->")


def test_every_refusal_has_a_sentence_and_every_sentence_a_use() -> None:
    """A code that a service refuses with is in `contracts.sentences`, and no code there is without a service."""
    trees = [ast.parse(path.read_text()) for path in sorted(SERVICES.rglob("*.py"))]
    refused = {code for tree in trees for code in refusals_in(tree)}
    assert refused - REFUSALS.keys() == set()
    said = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert REFUSALS.keys() - said == set()


def refusals_in(tree: ast.Module) -> Iterator[str]:
    """The codes that stand in `Refusal(...)`, and those that the intake returns with a field."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal":
            yield from (str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name in ("_envelope_fault", "_unknown", "_shape_fault"):
            pairs = [node for node in ast.walk(function) if isinstance(node, ast.Tuple)]
            yield from (str(pair.elts[0].value) for pair in pairs if isinstance(pair.elts[0], ast.Constant))


def test_the_official_parser_accepts_the_documents(capfd: pytest.CaptureFixture[str]) -> None:
    """`@asyncapi/parser` finds neither an error nor a warning."""
    try:
        nodejs.find()
    except nodejs.NoNode as missing:
        pytest.skip(f"needs {missing}")
    assert nodejs.main() == 0, capfd.readouterr().err
