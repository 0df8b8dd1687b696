"""The newcomer's walk of docs/operations.md, executed as it is written there."""

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest

from contracts.casework import SendRequest
from contracts.topology import OPERATOR, inbox_of
from deploy.local.waiting import until
from tests.acceptance.test_command_line import IMI
from tests.broker.administering import administrator
from tests.broker.management import depth, purge, remove
from tests.broker.raw import raw_system
from tests.world import World

pytestmark = pytest.mark.servers

GUIDE = Path(__file__).parent.parent.parent / "docs" / "operations.md"
MARK = "@@@"


def steps() -> list[tuple[str, list[str]]]:
    """The walk's commands, each with the lines that it must print, in which `…` stands for anything."""
    (section,) = re.findall(r"^### A walk\n(.*?)^##", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    found = re.findall(r"^```sh\n(.*?)^```\n\n^```text\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert len(found) == section.count("```sh")
    return [(commands, printed.splitlines()) for commands, printed in found]


def walk(commands: list[str], environment: dict[str, str]) -> list[str]:
    """Have one shell run all commands; return what each step printed."""
    script = f"\necho {MARK}\n".join(commands)
    given = {**os.environ, **environment, "PATH": f"{IMI.parent}:{os.environ['PATH']}", "COLUMNS": "250"}
    done = subprocess.run(["/bin/bash", "-c", script], env=given, capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.stdout.split(MARK)


def state(environment: dict[str, str]) -> int:
    """The exit status of `imi status`; what it says may be five seconds old."""
    given = {**os.environ, **environment}
    return subprocess.run([IMI, "status"], env=given, capture_output=True, check=False).returncode


async def test_a_newcomer_finds_understands_and_replays_what_was_parked(world: World) -> None:
    """Line by line as written; in the end the reader has the case that had no inbox to go to."""
    exchange = world.exchange
    with administrator(exchange) as admin:
        for queue in (one["name"] for one in admin.get("/api/queues/imi?disable_stats=true")):
            if queue.endswith(".parked"):
                purge(exchange, queue)
    account = exchange.addresses.rabbit_admin
    environment = {
        "IMI_URL": world.url(OPERATOR),
        "IMI_MANAGEMENT_URL": exchange.addresses.management_url_for(account.name, account.password),
        "IMI_REPLICAS": ",".join(one.url for one in exchange.replicas if one.service != "provisioner"),
        "IMI_BY": "a newcomer",
    }
    await asyncio.to_thread(until, lambda: state(environment) == 0, "not well before", 30)
    case = await _deleted_just_as_a_request_comes(world, environment)
    await asyncio.to_thread(until, lambda: state(environment) == 1, "something still stands still", 30)
    walked = steps()
    printed = await asyncio.to_thread(walk, [commands for commands, _ in walked], environment)
    for (_, lines), found in zip(walked, printed, strict=True):
        for line in lines:
            assert re.search(re.escape(line).replace("…", ".*"), found), (line, found)
    async with raw_system(world.url("hu-hivatal"), "hu-hivatal") as hungary:
        await hungary.receive(lambda _, body: body["kind"] == "case" and body["case"]["id"] == case)


async def _deleted_just_as_a_request_comes(world: World, environment: dict[str, str]) -> str:
    """Delete an inbox while nobody repairs it, and send what should go there; the case's number."""
    exchange = world.exchange
    await asyncio.to_thread(exchange.stop, *exchange.of("provisioner"))
    await asyncio.to_thread(remove, exchange, inbox_of("hu-hivatal"))
    body = world.request().model_dump(mode="json", exclude_none=True)
    async with raw_system(world.url("de-kammer"), "de-kammer") as germany:
        await germany.command(SendRequest.TYPE, body, "the-walk")
        case = str((await germany.outcome("the-walk"))["case"]["id"])
    await asyncio.to_thread(until, lambda: depth(exchange, "translation.parked") == 1, "nothing parked", 20)
    # Else its old consumer would be counted as the new one's, and missed a moment later.
    await asyncio.to_thread(until, lambda: state(environment) == 2, "nobody sees that it is away", 30)
    await asyncio.to_thread(exchange.start, "provisioner")
    await asyncio.to_thread(exchange.wait_until_ready)
    with administrator(exchange) as admin:
        await asyncio.to_thread(until, lambda: admin.has("hu-hivatal").account and _is_there(world), "not repaired", 30)
    return case


def _is_there(world: World) -> bool:
    try:
        return depth(world.exchange, inbox_of("hu-hivatal")) >= 0
    except StopIteration:
        return False
