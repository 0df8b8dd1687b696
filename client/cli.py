"""`imi`: the command line of member-state systems and of the operator.

The account is taken from IMI_URL (amqp://<system>:<password>@<host>:<port>/<vhost>), so that no password stands on a
command line; IMI_URL_FILE, and so each IMI_..._FILE, names a file that holds it. `--json` prints what a program can
read.
"""

import asyncio
import json
import os
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from client import lint as linting
from client import publishing
from client.account import new_password, password_hash
from client.cli_cases import cases_app, retention_app, scoreboard
from client.cli_emails import emails
from client.cli_parked import parked_app
from client.cli_registry import authorities_app, vocabulary_app
from client.cli_restoring import journal_app, make_backup, reopen, restore
from client.cli_status import status, systems
from client.cli_topology import topology_app
from client.cli_tracing import readmodels_app
from client.difference import consequence, differences
from client.environment import read_files, trust
from client.legislation import Area, LegislationError, load
from client.system import Refused, System
from contracts.catalogue import COMMANDS

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
legislation_app = typer.Typer(no_args_is_help=True, help="Legislative areas, published as data.")
app.add_typer(topology_app, name="topology")
app.add_typer(legislation_app, name="legislation")
app.add_typer(authorities_app, name="authorities")
app.add_typer(vocabulary_app, name="vocabulary")
app.add_typer(cases_app, name="cases")
app.add_typer(retention_app, name="retention")
app.add_typer(parked_app, name="parked")
app.command()(scoreboard)
app.command()(emails)
app.command()(status)
app.command()(systems)
app.command("backup")(make_backup)
app.command()(restore)
app.command()(reopen)
app.add_typer(journal_app, name="journal")
app.add_typer(readmodels_app, name="readmodels")
console = Console()

Url = Annotated[str, typer.Option(envvar="IMI_URL", show_envvar=True, help="The system's account.")]


@app.command()
def password(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Make a password, and the salted hash of it that an application carries. The password stays with you."""
    secret = new_password()
    made = {"password": secret, "password_hash": password_hash(secret)}
    console.print_json(json.dumps(made)) if as_json else [print(f"{key}: {value}") for key, value in made.items()]


@app.command()
def send(kind: str, file: typer.FileText, url: Url, message_id: str | None = None) -> None:
    """Send the command in FILE (JSON, - for standard input) and print its outcome. Exit status 1 when it is refused."""
    if kind not in COMMANDS:
        raise typer.BadParameter(f"one of {', '.join(COMMANDS)}", param_hint="KIND")
    command = COMMANDS[kind].model_validate_json(file.read())

    async def run() -> None:
        async with System(url) as system:
            outcome = await system.outcome(command, message_id)
        console.print_json(outcome.model_dump_json(exclude_none=True))
        raise typer.Exit(outcome.status == "refused")

    _run(run())


@app.command()
def inbox(url: Url, count: Annotated[int, typer.Option(help="Stop after so many messages.")] = 1) -> None:
    """Print the next messages of the inbox, a line of JSON each; what was printed is taken out of it."""

    async def run() -> None:
        async with System(url) as system:
            left = count
            async for message in system.inbox():
                print(message.model_dump_json(exclude_none=True), flush=True)
                left -= 1
                if not left:
                    return

    _run(run())


@legislation_app.command()
def publish(folders: list[Path], url: Url, *, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Publish the areas in FOLDERS, all or, when one cannot be read, none. A published version cannot be changed."""
    areas = _loaded(folders)

    async def run() -> None:
        async with System(url) as system:
            for area in areas:
                await publishing.publish(system, area)
                if not as_json:
                    console.print(f"{area.code} version {area.version}: published in {len(area.texts)} languages")

    _run(run())
    if as_json:
        told = [{"area": one.code, "version": one.version, "languages": sorted(one.texts)} for one in areas]
        print(json.dumps(told))


@legislation_app.command()
def lint(
    folders: list[Path],
    terms: Annotated[Path | None, typer.Option(help="A folder of key terms: <language>.po.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Say what is wrong with the texts of the areas in FOLDERS. Exit status 1 when something must be corrected."""
    with _telling():
        known = linting.read_terms(terms) if terms else {}
        found = [one for area in _loaded(folders) for one in linting.lint(area, known)]
    if as_json:
        print(json.dumps([{**vars(one), "error": one.error} for one in found]))
    else:
        for one in found:
            print(f"{one.place}: {one.code}: {one.kind}: {one.detail}")
    raise typer.Exit(any(one.error for one in found))


@legislation_app.command()
def diff(old: Path, new: Path, *, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Say what is different in the area of folder NEW from that of OLD, and what that means for cases."""
    before, after = _loaded([old, new])
    found = differences(before, after)
    if as_json:
        print(json.dumps([vars(one) for one in found]))
        return
    for one in found:
        print(f"{one.code}: {one.what}{': ' if one.detail else ''}{one.detail}")
    print(consequence(before, after, found))


@legislation_app.command()
def coverage(folders: list[Path], *, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show how much of each area is translated into each language. Exit status 1 when anything is missing."""
    areas = _loaded(folders)
    table = Table("language", *(area.code for area in areas))
    shares = publishing.coverage(areas)
    for language, row in shares.items():
        table.add_row(language, *(f"{share:.0%}" for share in row))
    if as_json:
        print(json.dumps({one: {a.code: s for a, s in zip(areas, row, strict=True)} for one, row in shares.items()}))
    else:
        console.print(table)
    raise typer.Exit(any(share < 1 for row in shares.values() for share in row))


def _loaded(folders: Sequence[Path]) -> list[Area]:
    with _telling():
        return [load(folder) for folder in folders]


@contextmanager
def _telling() -> Iterator[None]:
    """Say which file is wrong, where and why, and end with 1."""
    try:
        yield
    except LegislationError as error:
        console.print(f"[red]{escape(str(error))}[/red]", soft_wrap=True)
        raise typer.Exit(1) from error


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(work)
    except (Refused, LegislationError, ConnectionError) as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}")
        raise typer.Exit(1) from error


def main() -> None:
    """Run `imi`."""
    read_files(os.environ)
    trust(os.environ)
    app()
