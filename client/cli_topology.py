"""`imi topology`: what the broker should have, what it has, and making the one the other."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from client import topology
from client.looking import BrokerDown, Looking
from client.remaking import NotBroken
from client.topology_diff import Difference, Found, differences, with_systems
from contracts.topology import VHOST

topology_app = typer.Typer(no_args_is_help=True, help="What the broker holds: exchanges, queues, accounts.")
console = Console()

AdminUrl = Annotated[
    str, typer.Option(envvar="IMI_MANAGEMENT_URL", help="http://<administrator>:<password>@<host>:<port>")
]
LookUrl = Annotated[
    str, typer.Option(envvar="IMI_MANAGEMENT_URL", help="The management API, with an account that may look.")
]
Secrets = Annotated[Path, typer.Option(help="A folder: for each account a file with its password.")]
Remade = Annotated[
    list[str] | None, typer.Option("--remake", help="A queue that does not run, to be deleted and made again.")
]
RunningToo = Annotated[bool, typer.Option("--running-too", help="Remake also what is said to run, and takes nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this nothing is changed.")]
AsJson = Annotated[bool, typer.Option("--json", help="What a program can read.")]
_LISTS: Final = ("exchanges", "queues", "bindings", "policies")


@topology_app.command()
def definitions(secrets: Secrets) -> None:
    """Print the definitions that a broker imports at its start."""
    print(json.dumps(topology.definitions(topology.read_hashes(secrets)), indent=2))


@topology_app.command()
def diff(management_url: LookUrl, *, as_json: AsJson = False) -> None:
    """Say what a running broker has otherwise than it should, its connected systems' part too. Changes nothing.

    Exit status 1 when something is missing or otherwise, 2 when the broker cannot be asked. An account that may only
    look is not told of permissions: those are compared with an administrator's.
    """
    try:
        found = asyncio.run(_differences(management_url))
    except BrokerDown as error:
        console.print(f"[red]the broker cannot be asked[/red]: {error}")
        raise typer.Exit(2) from error
    if as_json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        table = Table("what", "kind", "name")
        for one in found:
            table.add_row(one.what, one.kind, one.name, style=None if one.what == "unknown" else "yellow")
        console.print(table if found else "The broker has the whole topology, and nothing else.")
    raise typer.Exit(any(one.what != "unknown" for one in found))


@topology_app.command("apply")
def apply_topology(
    url: AdminUrl,
    secrets: Secrets,
    remake: Remade = None,
    *,
    running_too: RunningToo = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make in a running broker whatever is missing of the topology. What is there stays as it is.

    A queue that stands still, though every node runs, is named, and nothing is done to it: --remake deletes it, with
    what is in it, and makes it again. Without --yes only say what is missing, and which queues stand still. Exit
    status 1 while one does, 2 when the broker cannot be asked.
    """
    wanted, remade = topology.definitions(topology.read_hashes(secrets)), list(remake or ())
    try:
        missing = [one for one in asyncio.run(_differences(url)) if one.what != "unknown"]
        broken = asyncio.run(topology.repair(url, wanted, remade, running_too=running_too, dry=not yes))
    except NotBroken as error:
        console.print(f"[red]nothing was changed[/red]: {error}")
        raise typer.Exit(1) from error
    except ConnectionError as error:
        console.print(f"[red]the broker cannot be asked[/red]: {error}")
        raise typer.Exit(2) from error
    if as_json:
        said = {"applied": yes, "missing": [asdict(one) for one in missing], "remade": remade, "stand_still": broken}
        print(json.dumps(said))
    else:
        _say(missing, remade, broken, yes=yes)
    raise typer.Exit(bool(broken))


def _say(missing: list[Difference], remade: list[str], broken: list[str], *, yes: bool) -> None:
    for one in missing:
        console.print(f"{one.kind}: {one.name} {'was' if yes else 'is'} {one.what}", markup=False)
    for name in remade:
        console.print(f"{name} was made again, and is empty." if yes else f"{name} is to be made again, empty.")
    console.print("The broker has the whole topology." if yes else "Nothing was changed: --yes does it.")
    for name in broken:
        console.print(f"[yellow]{name} stands still[/yellow]: --remake {name} makes it again, without what is in it.")


async def _differences(url: str) -> list[Difference]:
    async with Looking(url) as looking:
        lists = await asyncio.gather(*(looking.ask(f"/api/{name}/{quote(VHOST, safe='')}") for name in _LISTS))
        found: dict[str, list[dict[str, object]]] = dict(zip(_LISTS, lists, strict=True))
        try:
            every = await looking.ask("/api/permissions")
        except BrokerDown:  # this account may not know
            every = None
    if every is not None:
        found["permissions"] = [one for one in every if one["vhost"] == VHOST]
    known: Found = found
    return differences(with_systems(topology.definitions(dict.fromkeys(topology.ACCOUNTS, "")), known, VHOST), known)
