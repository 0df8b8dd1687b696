"""`imi authorities` and `imi vocabulary`: what is loaded in bulk. The files are described in docs/bulk.md."""

import asyncio
import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from client import authorities, importing, vocabulary
from client.legislation import LegislationError
from client.legislation import load as load_area
from client.system import LaneFull, Refused, System
from contracts.registry import Term
from contracts.types import AuthorityId

authorities_app = typer.Typer(no_args_is_help=True, help="Authorities, registered in bulk by their coordinator.")
vocabulary_app = typer.Typer(no_args_is_help=True, help="The vocabulary of competences.")
console = Console(stderr=True)

Url = Annotated[str, typer.Option(envvar="IMI_URL", show_envvar=True, help="The system's account.")]
Coordinator = Annotated[AuthorityId, typer.Option(help="The number of the coordinator that registers them.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what a program can read.")]
SkipInvalid = Annotated[bool, typer.Option(help="Send the lines that are all right, though others are not.")]
_SHOWN = 20


class Rate(ProgressColumn):
    """How many are done in a second."""

    def render(self, task: Task) -> Text:
        """Return it as it is shown."""
        return Text(f"{task.finished_speed or task.speed or 0:.0f}/s", style="progress.data.speed")


@authorities_app.command("import")
def import_authorities(
    file: Path, url: Url, coordinator: Coordinator, skip_invalid: SkipInvalid = False, as_json: AsJson = False
) -> None:
    """Register all authorities in FILE (CSV). What is wrong is told before anything is sent.

    Interrupted, it goes on where it stopped; repeated, it changes nothing. Lines that were not registered are
    written, with why, to FILE.rejected.csv. Exit status 1 when there are any, 2 when nothing was sent.
    """
    try:
        rows, faults = authorities.read(file)
    except (authorities.NotTheColumns, OSError, UnicodeDecodeError, csv.Error) as error:
        console.print(f"[red]{file}[/red]: {error}")
        raise typer.Exit(2) from error
    if faults and not skip_invalid:
        _show(faults)
        console.print(f"Nothing was sent: {len(faults)} of {len(faults) + len(rows)} lines are wrong.")
        raise typer.Exit(2)
    result = _register(file, url, coordinator, rows)
    result.rejected += faults
    _report(file, result, as_json=as_json)
    raise typer.Exit(bool(result.rejected))


def _register(file: Path, url: str, coordinator: str, rows: Sequence[authorities.Row]) -> importing.Result:
    columns = (TextColumn("registered"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar, importing.Journal(file.with_name(f"{file.name}.progress")) as done:
        task = bar.add_task("", total=len(rows))

        async def run() -> importing.Result:
            async with System(url) as system:
                return await importing.register(system, coordinator, rows, done, lambda: bar.advance(task))

        try:
            return asyncio.run(run())
        except* (TimeoutError, LaneFull, *importing.LOST) as errors:
            first = errors.exceptions[0]
            console.print(f"[red]interrupted[/red] ({type(first).__name__}): run it again, and it goes on from here")
            raise typer.Exit(1) from errors


def _report(file: Path, result: importing.Result, *, as_json: bool) -> None:
    rejected = file.with_name(f"{file.name}.rejected.csv")
    if result.rejected:
        importing.write_rejected(rejected, result.rejected)
        _show(result.rejected)
    else:
        rejected.unlink(missing_ok=True)
    counts = {"registered": result.registered, "known": result.known, "rejected": len(result.rejected)}
    if as_json:
        print(json.dumps(counts))
    else:
        console.print(", ".join(f"{name}: {count}" for name, count in counts.items()))


def _show(faults: Sequence[authorities.Fault]) -> None:
    for fault in faults[:_SHOWN]:
        console.print(f"line {fault.line}: {fault.reason}", markup=False, highlight=False)
    if len(faults) > _SHOWN:
        console.print(f"and {len(faults) - _SHOWN} more")


@vocabulary_app.command("import")
def import_vocabulary(files: list[Path], url: Url, *, as_json: AsJson = False) -> None:
    """Load the terms in FILES (CSV: a column `code`, and a column of labels for each language), as the operator.

    Nothing is sent while anything is wrong. Repeating it changes nothing.
    """
    _load(url, lambda: [(vocabulary.name_of(file), vocabulary.read(file)) for file in files], as_json=as_json)


@vocabulary_app.command()
def options(folder: Path, item: str, url: Url, *, as_json: AsJson = False) -> None:
    """Load the options of an ITEM of the legislation in FOLDER as terms, with the texts that they have there."""
    _load(url, lambda: [((area := load_area(folder)).code, vocabulary.options_of(area, item))], as_json=as_json)


def _load(url: str, read: Callable[[], list[tuple[str, list[Term]]]], *, as_json: bool) -> None:
    try:
        vocabularies = read()
    except (vocabulary.BadTerms, LegislationError, OSError) as error:
        console.print(f"{type(error).__name__}: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error

    async def run() -> None:
        async with System(url) as system:
            for name, terms in vocabularies:
                await vocabulary.load(system, name, terms)
                if not as_json:
                    console.print(f"{name}: {len(terms)} terms")

    try:
        asyncio.run(run())
    except (Refused, TimeoutError, LaneFull, *importing.LOST) as error:
        console.print(f"{type(error).__name__}: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    if as_json:
        print(json.dumps([{"vocabulary": name, "terms": len(terms)} for name, terms in vocabularies]))
