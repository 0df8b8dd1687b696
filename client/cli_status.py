"""`imi status` and `imi systems`: is the exchange well, and are the systems that are connected to it?"""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from client.looking import BrokerDown, Looking, replicas, unread_for
from client.status import EXIT, Status, down, status_of
from contracts.topology import INBOX_LENGTH, inbox_of

console = Console()

LookUrl = Annotated[
    str, typer.Option(envvar="IMI_MANAGEMENT_URL", help="The management API, with an account that may look.")
]
Replicas = Annotated[
    str, typer.Option(envvar="IMI_REPLICAS", help="Where replicas serve health and metrics: http://…, with commas.")
]
AsJson = Annotated[bool, typer.Option("--json", help="What a program can read.")]
_LOOK_AGAIN_AFTER: Final = 1.0
_COLOURS: Final = {"well": "green", "degraded": "yellow", "down": "red"}


def status(
    management_url: LookUrl,
    replica_urls: Replicas = "",
    *,
    wait: Annotated[float, typer.Option(help="Look again for so many seconds, until it is well.")] = 0,
    watch: Annotated[float, typer.Option(help="Look again every so many seconds, until interrupted.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Say on one page whether the exchange is well. Exit status 0: well, 1: something has to be done, 2: down."""
    urls = [url.strip() for url in replica_urls.split(",") if url.strip()]
    if watch:
        _watch(management_url, urls, watch, as_json=as_json)
    deadline = time.monotonic() + wait
    while (found := asyncio.run(_status(management_url, urls))).state != "well" and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_AFTER)
    if as_json:
        print(json.dumps(_json(found)))
    else:
        console.print(_page(found))
    raise typer.Exit(EXIT[found.state])


def _watch(url: str, urls: list[str], every: float, *, as_json: bool) -> NoReturn:
    """Show what there is, again and again; as JSON, a line each time."""
    with nullcontext() if as_json else Live(console=console, auto_refresh=False) as live:
        while True:
            found = asyncio.run(_status(url, urls))
            if live:
                live.update(_page(found), refresh=True)
            else:
                print(json.dumps(_json(found)), flush=True)
            time.sleep(every)


async def _status(url: str, urls: list[str]) -> Status:
    async with Looking(url) as looking:
        try:
            queues, asked = await asyncio.gather(looking.queues(), replicas(urls))
        except BrokerDown as error:
            return down(str(error))
    return status_of(queues, asked)


def _page(found: Status) -> Group:
    services = Table("service", "replicas", "waiting", "in hand", "parked")
    for one in found.services:
        services.add_row(one.name, *map(str, (one.replicas, one.waiting, one.in_hand, one.parked)))
    kinds = Table("queues", "how many", "waiting", "in hand", "longest")
    for kind in found.kinds:
        if kind.ready or kind.in_hand:
            kinds.add_row(kind.name, str(kind.queues), str(kind.ready), str(kind.in_hand), kind.longest)
    late = [
        f"{what} {value:.1f} s" for what, value in (("lag", found.lag), ("oldest", found.oldest)) if value is not None
    ]
    ready = [f"{sum(one.ready for one in found.replicas)} of {len(found.replicas)} ready"] if found.replicas else []
    lines = [Text(finding.text, style=_COLOURS[finding.state]) for finding in found.findings]
    head = Text(found.state.upper(), style=f"bold {_COLOURS[found.state]}")
    return Group(head, services, kinds, Text(", ".join([*ready, *late])), *lines)


def _json(found: Status) -> dict[str, Any]:
    return {
        "state": found.state,
        "findings": [asdict(one) for one in found.findings],
        "services": [asdict(one) for one in found.services],
        "queues": [
            {name: getattr(one, name) for name in ("name", "queues", "ready", "in_hand", "longest")}
            for one in found.kinds
        ],
        "replicas": [{"url": one.url, "ready": one.ready} for one in found.replicas],
        "lag_seconds": found.lag,
        "oldest_seconds": found.oldest,
    }


def systems(
    management_url: LookUrl,
    prometheus_url: Annotated[
        str,
        typer.Option(envvar="IMI_PROMETHEUS_URL", help="The Prometheus that watches: for the age of what is unread."),
    ] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """List the connected systems: what is open, and what they have not read. Exit status 2 when the broker is down.

    For how long something has been unread Prometheus knows; without one, or when it does not answer, nobody says.
    """
    try:
        found = asyncio.run(_systems(management_url, prometheus_url))
    except BrokerDown as error:
        console.print(f"[red]the broker cannot be asked[/red]: {error}")
        raise typer.Exit(2) from error
    if as_json:
        print(json.dumps(found))
        return
    counts = Table(
        "system", "state", "connections", "readers", "unread", "of which in hand", "since", "waiting commands"
    )
    for one in found:
        row = [one[name] for name in ("system", "state", "connections", "readers", "unread", "in_hand")]
        row += [_since(one["unread_seconds"]), one["waiting"]]
        counts.add_row(*map(str, row), style="yellow" if one["unread"] > INBOX_LENGTH // 2 else None)
    console.print(counts)


def _since(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{timedelta(seconds=round(seconds))}"


async def _unread_for(url: str) -> Mapping[str, float]:
    try:
        return await unread_for(url) if url else {}
    except BrokerDown as error:
        Console(stderr=True).print(f"[yellow]Prometheus cannot be asked[/yellow]: {error}")
        return {}


async def _systems(url: str, prometheus_url: str) -> list[dict[str, Any]]:
    async with Looking(url) as looking:
        queues, connections, permitted, ages = await asyncio.gather(
            looking.queues(), looking.connections(), looking.permitted(), _unread_for(prometheus_url)
        )
    start = inbox_of("")
    waiting = dict[str, int]()
    for queue in queues:
        if len(parts := queue.name.split(".")) == 3:
            waiting[parts[2]] = waiting.get(parts[2], 0) + queue.ready
    return [
        {
            "system": (name := queue.name.removeprefix(start)),
            "state": "unknown" if permitted is None else "active" if name in permitted else "suspended",
            "connections": connections.get(name, 0),
            "readers": queue.consumers,
            "unread": queue.ready + queue.in_hand,
            "in_hand": queue.in_hand,
            "unread_seconds": ages.get(queue.name),
            "waiting": waiting.get(name, 0),
        }
        for queue in sorted(queues, key=lambda one: one.name)
        if queue.name.startswith(start)
    ]
