"""Ten thousand random commands by ten systems on five hundred cases, casework killed all the while.

`python -m tests.proof.cases`. Casework runs in three replicas, of which one is killed every few seconds and another
started. In the end every command must have exactly one outcome, each case's history must replay to what is stored
of it, and every chain must hold. The last line is JSON; the exit status is 1 when anything is otherwise.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json
from pymongo import MongoClient

from bench.frames import Delivered
from bench.plan import AREA, Player
from bench.players import onboard
from bench.simulated import Simulated
from client.system import System
from contracts.casework import CHANGES
from contracts.identity import coordinator_id
from contracts.inbox import Outcome
from contracts.topology import OPERATOR
from contracts.translation import PublishArea, PutTexts
from contracts.types import Message
from deploy.local.exchange import Exchange, exchange
from services.casework.history import case_from
from services.chassis.chain import broken_at
from services.translation.area import codes_of
from tests.unit import samples
from tests.unit.samples import ACTIONS
from tests.unit.test_case_lifecycle import ALLOWED, WHO

REPLICAS: Final = 3
KILL_EVERY: Final = 4.0
A_SECOND: Final = 150
"""Commands."""
FITTING: Final = 0.7
"""The share of commands that would be right in the state that a case had when it was last heard of."""
PATIENCE: Final = 120.0
"""Seconds for the last outcomes."""
VERSION: Final = 1_000
_KINDS: Final = {kind.TYPE: kind for kind in CHANGES}
_LONG: Final = {"deadlines": {"acceptance": {"days": 3000}, "answer": {"days": 3000}, "idle": {"days": 3600}}}


@dataclass
class Ledger:
    """What was sent, and what came of it."""

    sent: set[str] = field(default_factory=set)
    outcomes: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids of the outcomes of each command: a repetition has the same."""
    words: Counter[str] = field(default_factory=Counter)
    cases: dict[str, tuple[Player, Player]] = field(default_factory=dict)
    opening: dict[str, tuple[Player, Player]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    turned_away: int = 0

    def read(self, _: str, message: Delivered) -> None:
        """Note an outcome; pass over what else comes."""
        command = message.properties.correlation_id or ""
        if message.properties.message_type != Outcome.TYPE or command not in self.sent:
            return
        if command not in self.outcomes:
            said = from_json(message.body)
            self.words[said["refused"]["code"] if said["status"] == "refused" else "done"] += 1
            if case := said.get("case"):
                self.states[case["id"]] = case["state"]["code"]
                if command in self.opening:
                    self.cases[case["id"]] = self.opening[command]
        self.outcomes[command].add(message.properties.message_id or "")

    def fail(self, _: BaseException) -> None:
        """Note that the broker did not take a command: nothing is owed for it."""
        self.turned_away += 1


def main() -> int:
    """Run; the last line of standard output is the result in JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=10_000)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    Path(".local").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="cases-", dir=".local") as folder,
        exchange(Path(folder), replicas={"casework": REPLICAS}) as running,
    ):
        asking, answering = onboard(running)
        result = asyncio.run(_played(running, asking, answering, options))
        result |= _looked_at(running) | {"parked": _parked(running)}
    wrong = [name for name in ("lost", "doubled", "broken_chains", "differing", "parked") if result[name]]
    print(json.dumps(result))
    return 1 if wrong else 0


async def _played(
    running: Exchange, asking: list[Player], answering: list[Player], options: argparse.Namespace
) -> dict[str, Any]:
    await _publish(running)
    ledger, chance = Ledger(), random.Random(options.seed)
    stop, kills = asyncio.Event(), Counter[str]()
    killing = asyncio.create_task(asyncio.to_thread(_kill, running, stop, kills))
    async with AsyncExitStack() as stack:
        systems = {one.system: await Simulated.connect(one.url, ledger.read, ledger.fail) for one in asking + answering}
        for system in systems.values():
            stack.push_async_callback(system.close)
        for _ in range(options.cases):
            sender, recipient = chance.choice(asking), chance.choice(answering)
            body = _real(samples.request(), sender, recipient, recipient, None)
            ledger.opening[_say(systems[sender.system], body, ledger)] = (sender, recipient)
            await asyncio.sleep(1 / A_SECOND)
        await _until(lambda: len(ledger.cases) >= options.cases * 0.9)
        for _ in range(options.commands - options.cases):
            _anything(systems, ledger, chance, answering)
            await asyncio.sleep(1 / A_SECOND)
        stop.set()
        await killing
        running.wait_until_ready()
        await _until(lambda: len(ledger.outcomes) + ledger.turned_away >= len(ledger.sent))
    return {
        "commands": len(ledger.sent),
        "turned_away": ledger.turned_away,
        "lost": len(ledger.sent) - len(ledger.outcomes) - ledger.turned_away,
        "doubled": sum(len(ids) > 1 for ids in ledger.outcomes.values()),
        "done": ledger.words["done"],
        "refused": sum(ledger.words.values()) - ledger.words["done"],
        "kills": kills["kills"],
    }


def _anything(systems: dict[str, Simulated], ledger: Ledger, chance: random.Random, answering: list[Player]) -> None:
    """Somebody tries something on some case: what would be right next as often as what would not."""
    number = chance.choice(list(ledger.cases))
    sender, recipient = ledger.cases[number]
    fitting = [(action, who) for state, action, who in ALLOWED if state == ledger.states[number]]
    anything = [(action, who) for action in ACTIONS for who in WHO]
    action, who = chance.choice(fitting if fitting and chance.random() < FITTING else anything)
    player = sender if who.startswith("sender") else recipient
    body = _real(ACTIONS[action](WHO[who]), sender, recipient, chance.choice(answering), number)
    _say(systems[player.system], body, ledger)


def _real(body: Message, sender: Player, recipient: Player, other: Player, case: str | None) -> Message:
    """A command of the unit tests, with the numbers and dates of this exchange."""
    text = body.model_dump_json(exclude_none=True)
    soon = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 20 * 86_400))
    for old, new in (
        (samples.SENDER, sender.authority),
        (samples.RECIPIENT, recipient.authority),
        (samples.COLLEAGUE, other.authority),
        (samples.DE, coordinator_id(sender.authority[:2])),
        (samples.HU, coordinator_id(recipient.authority[:2])),
        ("2026-04-01", soon),
        ("2026-04-02", soon),
        ("diplomas", AREA),
    ):
        text = text.replace(old, new)
    return _KINDS[body.TYPE].model_validate(json.loads(text) | ({"case": case} if case else {}))


def _say(system: Simulated, body: Message, ledger: Ledger) -> str:
    message_id = str(uuid.uuid4())
    ledger.sent.add(message_id)
    system.send(body.TYPE, message_id, body.model_dump_json(exclude_none=True).encode())
    return message_id


async def _until(holds: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < deadline:  # noqa: ASYNC110 - bounded, and of no hurry
        await asyncio.sleep(0.2)


def _kill(running: Exchange, stop: asyncio.Event, kills: Counter[str]) -> None:
    """Kill the oldest replica every few seconds, and start another."""
    while not stop.is_set():
        time.sleep(KILL_EVERY)
        doomed = running.of("casework")[0]
        doomed.program.kill()
        running.stop(doomed)
        running.start("casework")
        kills["kills"] += 1


async def _publish(running: Exchange) -> None:
    """Put the unit tests' area into force, with refusals allowed and dates that do not come."""
    made = samples.rules(**_LONG, workflow={"refusal": True})
    texts = {code: f"Text of {code}" for code in codes_of(made)}
    async with System(running.amqp_url(OPERATOR, running.systems[OPERATOR])) as operator:
        await operator.do(PutTexts(area=AREA, version=VERSION, language="en", texts=texts))
        await operator.do(PublishArea(area=AREA, version=VERSION, rules=made))
    await asyncio.sleep(3)  # until casework has heard of it


def _parked(running: Exchange) -> int:
    """Count what casework could not handle, and show where it failed: each is a mistake of ours."""
    logs = [path.read_text() for path in (running.folder / "logs").glob("casework-*.log")]
    lines = [line for log in logs for line in log.splitlines() if '"parked"' in line or " parked " in line]
    for line in lines[:10]:
        sys.stderr.write(f"{line}\n")
    return len(lines)


def _looked_at(running: Exchange) -> dict[str, int]:
    """Replay every case from what is stored, and check its chain."""
    admin, result = running.addresses.mongo_admin, Counter[str]()
    with MongoClient[dict[str, Any]](running.addresses.mongo_url(admin.name, admin.password), tz_aware=True) as client:
        for document in client["casework"]["cases"].find({"history": {"$exists": True}}):
            case = case_from(str(document["_id"]), document["history"])
            assert case
            keys = [entry["key"] for entry in document["history"]]
            result["cases"] += 1
            result["entries"] += len(keys)
            result["broken_chains"] += broken_at(case.id, document["history"]) is not None
            stored = (document["state"], document["turn"], document["parties"])
            result["differing"] += stored != (case.state, case.turn, list(case.parties)) or len(keys) != len(set(keys))
    return {name: result[name] for name in ("cases", "entries", "broken_chains", "differing")}


if __name__ == "__main__":
    sys.exit(main())
