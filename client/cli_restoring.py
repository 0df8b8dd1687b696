"""`imi backup`, `imi restore`, `imi reopen`, `imi journal`: a service's database is lost, and comes back."""

import asyncio
import getpass
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.table import Table

from client import backup, journal
from client.backup import Contents
from client.cli_parked import run
from client.looking import Looking
from client.sealed import NotReadable, read_key
from client.status import status_of
from client.system import System
from client.wire import open_wire
from contracts.topology import SERVICES

journal_app = typer.Typer(no_args_is_help=True, help="The commands of the last days. The operator's.")
console = Console()

Service = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]
MongoUrl = Annotated[str, typer.Option(envvar="IMI_MONGO_URL", show_envvar=True, help="The service's database.")]
Database = Annotated[str, typer.Option(envvar="IMI_MONGO_DATABASE", help="Its name; without it the service's.")]
Key = Annotated[Path, typer.Option(envvar="IMI_BACKUP_KEY", help="A file with 32 bytes in base64.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this nothing is changed.")]
AsJson = Annotated[bool, typer.Option("--json", help="What a program can read.")]
Url = Annotated[str, typer.Option(envvar="IMI_URL", show_envvar=True, help="The operator's account.")]
By = Annotated[str, typer.Option(envvar="IMI_BY", default_factory=getpass.getuser, help="Who does it, for the record.")]


def make_backup(
    service: Service,
    file: Path,
    mongo_url: MongoUrl,
    key: Key,
    database: Database = "",
    *,
    keep: Annotated[int, typer.Option(min=0, help="In a folder: keep so many of the service's; 0: all.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write a service's whole database into FILE, sealed. It goes on meanwhile; FILE appears when it is complete.

    Where FILE is a folder, the backup is named there after the service and the time.
    """
    try:
        whole = backup.named(file, service) if file.is_dir() else file
        with backup.connected(mongo_url, database or _known(service)) as source:
            contents = backup.write(source, service, whole, read_key(key))
        if keep and file.is_dir():
            backup.prune(file, service, keep)
    except (PyMongoError, NotReadable, OSError) as error:
        raise _failed(error) from error
    _tell(contents, as_json=as_json)


def restore(
    service: Service,
    file: Path,
    mongo_url: MongoUrl,
    key: Key,
    database: Database = "",
    *,
    management_url: Annotated[str, typer.Option(envvar="IMI_MANAGEMENT_URL", help="To see that it stands still.")] = "",
    replace: Annotated[bool, typer.Option(help="Put it in the place of what is there.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put the backup in FILE back; the service must be stopped. Without --yes only read and prove all of it.

    Started again, the service takes only what is played again from the journal, until `imi reopen`.
    """
    try:
        secret = read_key(key)
        if not yes:
            _tell(backup.verify(file, _known(service), secret), as_json=as_json)
            return
        if management_url:
            asyncio.run(_stands_still(management_url, service))
        with backup.connected(mongo_url, database or _known(service)) as target:
            contents, epoch = backup.restore(target, file, service, secret, replace=replace)
    except (PyMongoError, NotReadable, backup.NotEmpty, OSError) as error:
        raise _failed(error) from error
    _tell(contents, epoch, as_json=as_json)


def reopen(
    service: Service, mongo_url: MongoUrl, database: Database = "", *, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Have a service that was restored take what systems send again. Without --yes nothing is changed."""
    name = database or _known(service)
    try:
        with backup.connected(mongo_url, name) as target:
            done = yes and backup.reopen(target)
    except PyMongoError as error:
        raise _failed(error) from error
    print(json.dumps({"reopened": done})) if as_json else console.print("reopened" if done else "Nothing was changed.")


@journal_app.command("replay")
def replay_journal(
    service: Service,
    url: Url,
    by: By,
    since: Annotated[datetime, typer.Option(help="UTC: when the backup was made, or earlier.")],
    *,
    rate: Annotated[float, typer.Option(min=0.01, max=5000, help="So many a second at the most.")] = 200,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Play the commands to a service again that came since a moment, and wait until it has worked them off.

    Each is its sender's, under its own id: what had been done is not done twice. Without --yes only count them.
    """
    found = run(_replay(url, _known(service), since.replace(tzinfo=UTC), by, rate, yes=yes))
    if as_json:
        print(json.dumps({"played": yes, "commands": dict(found)}))
        return
    table = Table("command", "played" if yes else "to play")
    for kind, count in found.most_common():
        table.add_row(kind, str(count))
    console.print(table)


async def _replay(url: str, service: str, since: datetime, by: str, rate: float, *, yes: bool) -> Counter[str]:
    async with open_wire(url) as wire:
        if not yes:
            return await journal.count(wire, service, since)
        played = await journal.replay(wire, service, since, by, rate)
        async with System(url) as operator:
            await journal.worked_off(wire, operator, service)
        return played


async def _stands_still(url: str, service: str) -> None:
    async with Looking(url) as looking:
        (found,) = (one for one in status_of(await looking.queues()).services if one.name == service)
    if found.replicas:
        raise ConnectionError(f"{found.replicas} replicas of {service} run: stop them first")


def _tell(contents: Contents, epoch: int | None = None, *, as_json: bool) -> None:
    if as_json:
        whole = {"service": contents.service, "at": contents.at, "snapshot": contents.snapshot}
        print(json.dumps({**whole, "documents": dict(contents.counts), "epoch": epoch}))
        return
    table = Table("collection", "documents", title=f"{contents.service}, {contents.at}")
    for name, count in contents.counts.items():
        table.add_row(name, str(count))
    console.print(table)
    if not contents.snapshot:
        console.print("Not from one moment: the database is no replica set.")
    console.print(f"Restored, epoch {epoch}: play the journal again, then reopen." if epoch else "Whole.")


def _known(service: str) -> str:
    if service not in SERVICES:
        raise typer.BadParameter(f"one of {', '.join(SERVICES)}", param_hint="SERVICE")
    return service


def _failed(error: Exception) -> typer.Exit:
    # Of the database's errors the kind alone: their words may quote documents.
    words = "" if isinstance(error, PyMongoError) else f": {error}"
    console.print(f"[red]{type(error).__name__}[/red]{words}")
    return typer.Exit(1)
