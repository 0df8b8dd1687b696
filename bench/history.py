"""Does the millionth case cost what the first did? `python -m bench.history`.

One exchange; its casework gets 1,000, then 100,000, then 1,000,000 stored cases, copies of real closed ones under other
numbers. With each, whole cases go through the front door, lists are read and scoreboards asked for, and the times
from command to outcome are compared. The last line is JSON; the exit status is 1 when the largest takes more than 1.3
times what the smallest does.
"""

import argparse
import asyncio
import copy
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.plan import ANSWERS, Player, request
from bench.players import onboard
from client.system import System
from contracts.case import Rating
from contracts.casework import (
    AcceptRequest,
    CloseCase,
    ListCases,
    Reply,
    SendRequest,
    ShowScoreboard,
    VerifyCases,
)
from contracts.identity import derived_code
from contracts.topology import OPERATOR
from contracts.types import Message, User
from deploy.local.exchange import Exchange, exchange
from services.casework.counting import added, moved, standing_of

SIZES: Final = (1_000, 100_000, 1_000_000)
SLOWER: Final = 1.3
"""How many times longer anything may take with the most cases than with the fewest."""
CASES: Final = 60
QUESTIONS: Final = 60
TEMPLATES: Final = 20
MONTHS: Final = 6
_AT_ONCE: Final = 1_000
_USER: Final = User(id="case-handler", role="request-handler")
_READER: Final = User(id="reader", role="basic-user")

Document = dict[str, Any]
Times = dict[str, list[float]]
console = Console(stderr=True, width=120)


def main() -> int:
    """Measure; the last line of standard output is the result in JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    sizes = parser.parse_args().sizes
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="history-", dir=".local") as folder, exchange(Path(folder)) as running:
        asking, answering = onboard(running)
        measured = asyncio.run(_measured(running, asking[0], answering[0], sizes))
    result = _result(measured)
    _show(measured)
    print(json.dumps(result))
    return 0 if result["ratio"] <= SLOWER else 1


async def _measured(running: Exchange, asking: Player, answering: Player, sizes: list[int]) -> dict[int, Times]:
    admin = running.addresses.mongo_admin
    url = running.addresses.mongo_url(admin.name, admin.password)
    measured = dict[int, Times]()
    async with AsyncExitStack() as stack:
        sender, recipient = [await stack.enter_async_context(System(one.url)) for one in (asking, answering)]
        operator = await stack.enter_async_context(System(running.amqp_url(OPERATOR, running.systems[OPERATOR])))
        parties = _Parties(asking, answering, sender, recipient, operator)
        for _ in range(TEMPLATES):
            await parties.whole_case({})
        with MongoClient[Document](url) as client:
            cases = client["casework"]["cases"].with_options(write_concern=WriteConcern(w=1))
            templates = list(cases.find({"state": "closed"}).limit(TEMPLATES))
            for size in sizes:
                await asyncio.to_thread(fill, cases, templates, size)
                await parties.measure({})  # warm
                measured[size] = await parties.measure({})
    return measured


class _Parties:
    """Who asks, who answers, and who asks for the scoreboard."""

    def __init__(self, asking: Player, answering: Player, sender: System, recipient: System, operator: System) -> None:
        """All are connected."""
        self._asking, self._answering = asking, answering
        self._sender, self._recipient, self._operator = sender, recipient, operator

    async def measure(self, times: Times) -> Times:
        """Have whole cases go through, then ask; return seconds from command to outcome by kind."""
        for _ in range(CASES):
            await self.whole_case(times)
        month = datetime.now(UTC)
        first = (month - timedelta(days=31 * MONTHS)).strftime("%Y-%m")
        asked: Mapping[str, tuple[System, Message]] = {
            "list": (self._sender, ListCases(authority=self._asking.authority, limit=20, user=_READER)),
            "scoreboard": (self._sender, ShowScoreboard(first=first, last=month.strftime("%Y-%m"))),
            "verify a page": (self._operator, VerifyCases(limit=100)),
        }
        for name, (system, question) in asked.items():
            for _ in range(QUESTIONS):
                await _timed(times, name, lambda system=system, question=question: system.do(question))  # type: ignore[misc]
        return times

    async def whole_case(self, times: Times) -> None:
        """Send, accept, answer and close one case."""
        sent = SendRequest.model_validate_json(request(self._asking, self._answering))
        outcome = await _timed(times, "send", lambda: self._sender.do(sent))
        case = {"case": outcome.case.id, "user": _USER}
        answering, asking = self._answering.authority, self._asking.authority
        accept = AcceptRequest(authority=answering, **case)
        await _timed(times, "accept", lambda: self._recipient.do(accept))
        answers = {code: ANSWERS[code] for code in sent.questions}
        reply = Reply(authority=answering, answers=answers, **case)
        await _timed(times, "reply", lambda: self._recipient.do(reply))
        close = CloseCase(authority=asking, rating=Rating(timeliness="good", effort="good"), **case)
        await _timed(times, "close", lambda: self._sender.do(close))


async def _timed(times: Times, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
    began = time.monotonic()
    result = await work()
    times.setdefault(name, []).append(time.monotonic() - began)
    return result


def fill(cases: Collection[Document], templates: list[Document], size: int) -> None:
    """Add copies until so many are stored."""
    there = cases.estimated_document_count()
    copies = (_copy(templates[number % len(templates)], number) for number in range(there, size))
    with Progress(console=console) as progress:
        task = progress.add_task(f"{size:,} cases", total=size, completed=there)
        while some := list(islice(copies, _AT_ONCE)):
            cases.insert_many(some, ordered=False)
            cases.database["scores"].bulk_write(added({**one, "counted": None} for one in some), ordered=False)
            if standings := moved({**one, "standing": None} for one in some):
                cases.database["standings"].bulk_write(standings, ordered=False)
            progress.advance(task, len(some))


_COUNTRIES: Final = ("HU", "PT", "RO", "FI", "SE", "DE", "FR", "ES", "NL", "IT")


def _copy(template: Document, number: int) -> Document:
    """A case as it was, under another number, of other parties, months ago."""
    made = copy.deepcopy(template)
    code = derived_code(12, "copy", str(number))
    made["_id"] = f"{code[:4]}-{code[4:8]}-{code[8:]}"
    chance = random.Random(number)
    for entry in made["history"]:
        entry["key"] = f"{entry['key']}/{number}"
    made["changed_at"] -= timedelta(days=chance.randrange(30 * MONTHS))
    made["parties"] = [f"{chance.choice(_COUNTRIES)}-{chance.randrange(2_500):08d}" for _ in range(2)]
    made["act_at"] += timedelta(days=chance.randrange(30))
    if made["score"]:
        made["score"] |= {"country": chance.choice(_COUNTRIES), "month": made["changed_at"].strftime("%Y-%m")}
    made["counted"], made["standing"] = made["score"], standing_of(made)  # and so it is, by `fill`
    made.pop("uncounted", None)
    return made


def _result(measured: Mapping[int, Times]) -> dict[str, Any]:
    small, large = min(measured), max(measured)
    p50 = {size: {name: _ms(times) for name, times in kinds.items()} for size, kinds in measured.items()}
    ratios = {name: round(p50[large][name] / p50[small][name], 2) for name in p50[small]}
    return {
        "p50_ms": {str(size): kinds for size, kinds in p50.items()},
        "ratios": ratios,
        "ratio": max(ratios.values()),
    }


def _ms(times: list[float]) -> float:
    return round(median(times) * 1000, 2)


def _show(measured: Mapping[int, Times]) -> None:
    table = Table("p50, ms", *(f"{size:,}" for size in measured))
    for name in next(iter(measured.values())):
        table.add_row(name, *(f"{median(kinds[name]) * 1000:.1f}" for kinds in measured.values()))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
