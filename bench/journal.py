"""What the journal costs a command on its way in: published and confirmed with it and without it, in turn.

    python -m bench.journal --rounds 8

Two systems on one broker, whose exchanges differ in the journal's bindings alone. What each takes of the broker's
processor and of time is compared round by round; a case is four commands.
"""

import asyncio
import json
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import aiormq
import httpx
import typer
from pamqp.commands import Basic

from bench.measure import Usage, programs
from client import topology
from client.account import new_password, password_hash
from contracts.casework import SendRequest
from contracts.topology import JOURNAL, VHOST, Definitions, exchange_of, exchange_topology, system_topology
from deploy.local.servers import Servers, servers

COMMANDS: Final = 1_500
AT_ONCE: Final = 50
BODY: Final = b"x" * 1_500
WITH: Final = "with-journal"
WITHOUT: Final = "without-journal"
CASE_MS: Final = 1.9
"""Milliseconds of the broker's processor that a whole case takes, of which four are commands (README)."""
GOAL: Final = 0.1
"""The share of that which four commands' entries in the journal may take."""


@dataclass
class Figures:
    """One kind's rounds: milliseconds of the broker's processor for a command, and commands a second."""

    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)


def main(rounds: Annotated[int, typer.Option(min=1)] = 8) -> None:
    """Measure, print the figures, and end with 1 when the journal costs more than its goal."""
    with TemporaryDirectory() as folder, servers(Path(folder)) as running:
        found = asyncio.run(_measure(running, rounds))
    print(json.dumps(found))
    sys.exit(not found["met"])


async def _measure(running: Servers, rounds: int) -> dict[str, Any]:
    passwords = {name: new_password() for name in (WITH, WITHOUT)}
    admin = running.addresses.rabbit_admin
    await topology.apply(running.addresses.management_url_for(admin.name, admin.password), _definitions(passwords))
    figures = {name: Figures() for name in passwords}
    for number in range(rounds + 1):
        for name in (WITH, WITHOUT) if number % 2 else (WITHOUT, WITH):
            cpu, rate = await _round(running, name, passwords[name])
            if number:  # the first one warms up
                figures[name].cpu.append(cpu)
                figures[name].rate.append(rate)
    more = statistics.median(a - b for a, b in zip(figures[WITH].cpu, figures[WITHOUT].cpu, strict=True))
    share = 4 * more / CASE_MS
    shown = {name: {"broker_ms": _middle(one.cpu), "per_s": _middle(one.rate)} for name, one in figures.items()}
    return {**shown, "more_ms": round(more, 4), "share_of_a_case": round(share, 4), "goal": GOAL, "met": share <= GOAL}


def _middle(values: list[float]) -> float:
    return round(statistics.median(values), 3)


def _definitions(passwords: dict[str, str]) -> Definitions:
    hashes = {name: password_hash(new_password()) for name in topology.ACCOUNTS}
    parts = [exchange_topology(hashes), *(system_topology(name, password_hash(one)) for name, one in passwords.items())]
    whole = {kind: [one for part in parts for one in part.get(kind, [])] for kind in parts[0]}
    journal = {"source": exchange_of(WITHOUT), "destination": JOURNAL}
    whole["bindings"] = [one for one in whole["bindings"] if {**one, **journal} != one]
    return whole


async def _round(running: Servers, name: str, password: str) -> tuple[float, float]:
    connection = await aiormq.connect(running.addresses.amqp_url(name, password, VHOST))
    channel = await connection.channel(publisher_confirms=True)
    properties = Basic.Properties(delivery_mode=2, message_type=SendRequest.TYPE, user_id=name)
    todo = iter(range(COMMANDS))

    async def publish() -> None:
        for _ in todo:
            await channel.basic_publish(
                BODY, exchange=exchange_of(name), routing_key=SendRequest.TYPE, properties=properties, mandatory=True
            )

    try:
        before, start = Usage.now(programs()), time.perf_counter()
        await asyncio.gather(*(publish() for _ in range(AT_ONCE)))
        took = time.perf_counter() - start
        cpu = Usage.now(programs()).cpu_ms_per(before, COMMANDS)["rabbitmq"]
    finally:
        await connection.close()
    _empty(running, f"casework.commands.{name}")
    return cpu, COMMANDS / took


def _empty(running: Servers, lane: str) -> None:
    """Purge the lane: nobody consumes it here, and it holds 2,000."""
    admin = running.addresses.rabbit_admin
    with httpx.Client(base_url=running.addresses.management_url, auth=(admin.name, admin.password)) as client:
        client.delete(f"/api/queues/{VHOST}/{lane}/contents").raise_for_status()


if __name__ == "__main__":
    typer.run(main)
