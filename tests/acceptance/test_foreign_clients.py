"""Whoever reads `docs/connecting.md` and nothing else can take part, in any language."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from contracts.topology import OPERATOR
from deploy.local.exchange import Exchange
from tools import nodejs, walk
from tools.examples import Example

pytestmark = pytest.mark.servers

PAGE = Path(__file__).parents[2] / "docs" / "connecting.md"
SYSTEM = "ie-dental-council"
FOUND = "FR-JPE858PW"
NOTHING_THERE = 2
"""Exit status of `amqp-get` when the queue is empty."""


@pytest.fixture(scope="module")
def walked(running: Exchange) -> list[tuple[Example, Example]]:
    """The walk of the documentation, as it really happened: each message of the files, and what was read."""
    return asyncio.run(walk.happen(running.amqp_url, running.passwords[OPERATOR]))


@pytest.fixture(scope="module")
def url(running: Exchange, walked: list[tuple[Example, Example]]) -> str:
    """The account of the Irish authority's system."""
    return running.amqp_url(SYSTEM, walk.PASSWORD)


def test_the_documented_case_happens_word_for_word(walked: list[tuple[Example, Example]]) -> None:
    """Onboarding, search, request, acceptance, reply, closing, a refusal: each message read is the one documented."""
    assert len(walked) > 20
    for documented, read in walked:
        assert read.body == documented.body, documented.name


def test_the_python_client_runs_as_it_stands(url: str, tmp_path: Path) -> None:
    """Copied out of the page it sends a search with aio-pika and prints its outcome."""
    script = tmp_path / "client.py"
    script.write_text(block("python", "import aio_pika"))
    assert FOUND in output([sys.executable, str(script)], url)


def test_the_node_client_runs_as_it_stands(url: str, tmp_path: Path) -> None:
    """Copied out of the page it sends a search with amqplib and prints its outcome."""
    try:
        node = nodejs.find()
    except nodejs.NoNode as missing:
        pytest.skip(f"needs {missing}")
    (tmp_path / "node_modules").symlink_to(nodejs.packages(node))
    script = tmp_path / "client.mjs"
    script.write_text(block("javascript", 'from "amqplib"'))
    assert FOUND in output([node.program, str(script)], url)


def test_amqp_tools_are_told_what_they_lack(url: str) -> None:
    """Debian's `amqp-publish` can set no message_id: `amqp-get` then reads a refusal that names it."""
    if not shutil.which("amqp-publish"):
        pytest.skip("needs Debian's amqp-tools")
    publish = ["amqp-publish", "-e", f"in.{SYSTEM}", "-r", "registry.search.v1", "-p", "-C", "application/json"]
    output([*publish, "-b", "{}", "-u", url], url)
    outcome = next_in_inbox(url)
    assert (outcome["status"], outcome["refused"]["code"]) == ("refused", "missing-property")
    assert outcome["refused"]["field"] == "message_id"
    assert outcome["refused"]["text"].startswith("A required message property is missing")


def block(language: str, marker: str) -> str:
    """The code block of the page that holds the marker."""
    blocks = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE.read_text())
    (found,) = [code for code in blocks if marker in code]
    return str(found)


def output(command: list[str], url: str) -> str:
    """What a program prints that ends well within a minute."""
    environment = {"AMQP_URL": url, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def next_in_inbox(url: str) -> dict[str, Any]:
    """The next message that `amqp-get` takes out of the inbox."""
    command = ["amqp-get", "-u", url, "-q", f"inbox.{SYSTEM}"]
    for _ in range(100):
        got = subprocess.run(command, capture_output=True, timeout=10, check=False)
        if got.returncode != NOTHING_THERE:
            found: dict[str, Any] = json.loads(got.stdout)
            return found
        time.sleep(0.1)
    raise AssertionError("nothing came")
