"""`imi cases`, `imi retention`, `imi scoreboard`: one's own cases and their proof; what the operator checks."""

import asyncio
import json
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from client.system import Refused, System
from client.trail_page import page_of
from contracts.case import CaseHead, Indicator, Score
from contracts.casework import ListCases, RunRetention, ShowScoreboard, ShowTrail, VerifyCases
from contracts.types import User

cases_app = typer.Typer(no_args_is_help=True, help="An authority's cases, their trails, and whether they are whole.")
retention_app = typer.Typer(no_args_is_help=True, help="What is due to be blocked and deleted.")
console = Console()

Url = Annotated[str, typer.Option(envvar="IMI_URL", show_envvar=True, help="The system's account.")]
Authority = Annotated[str, typer.Option(help="The authority's number.")]
UserId = Annotated[str, typer.Option(help="Who reads, as the authority knows the user.")]
AsJson = Annotated[bool, typer.Option("--json", help="What a program can read.")]

COLOURS: Final = {
    "green": "green",
    "yellow": "yellow",
    "red": "red",
    "good": "green",
    "medium": "yellow",
    "poor": "red",
}
INDICATORS: Final = ("accepted_in_time", "days_to_answer", "answered_in_time", "poor_timeliness", "poor_effort")


@cases_app.command("list")
def list_cases(
    url: Url, authority: Authority, user: UserId = "imi", *, everything: bool = False, as_json: AsJson = False
) -> None:
    """List the authority's open cases, or with --everything all of them, the last changed first."""
    found = _run(_all_cases(url, authority, user, open_only=not everything))
    if as_json:
        print(json.dumps([head.model_dump(mode="json", exclude_none=True) for head in found]))
        return
    table = Table("case", "state", "turn", "area", "sender", "recipient", "changed")
    for head in found:
        table.add_row(
            head.id,
            head.state.text or head.state.code,
            "ours" if head.turn == authority else "",
            head.area.code,
            head.sender.name,
            head.recipient.name if head.recipient else "",
            f"{head.event.at:%Y-%m-%d %H:%M}",
        )
    console.print(table)


async def _all_cases(url: str, authority: str, user: str, *, open_only: bool) -> list[CaseHead]:
    found, after = list[CaseHead](), None
    asked = ListCases(authority=authority, open=True if open_only else None, limit=100, user=_reader(user))
    async with System(url) as system:
        while True:
            outcome = await system.do(asked.model_copy(update={"after": after}))
            found += outcome.cases or ()
            after = outcome.next
            if not after:
                return found


@cases_app.command()
def export(
    case: str, folder: Path, url: Url, authority: Authority, user: UserId = "imi", *, as_json: AsJson = False
) -> None:
    """Write a case's whole trail into FOLDER: <case>.json, and <case>.html to be read and printed."""

    async def ask() -> Any:
        async with System(url) as system:
            return (await system.do(ShowTrail(authority=authority, case=case, user=_reader(user)))).proof

    proof = _run(ask())
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{case}.json", folder / f"{case}.html"]
    written[0].write_text(proof.model_dump_json(indent=2, exclude_none=True) + "\n")
    written[1].write_text(page_of(proof))
    if as_json:
        print(json.dumps({"steps": len(proof.steps), "whole": proof.whole, "files": list(map(str, written))}))
        raise typer.Exit(not proof.whole)
    console.print(
        f"{len(proof.steps)} steps, chain {'whole' if proof.whole else 'BROKEN'}: {', '.join(map(str, written))}"
    )
    raise typer.Exit(not proof.whole)


@cases_app.command()
def verify(url: Url, case: str | None = None, *, as_json: AsJson = False) -> None:
    """Check the hash chain of one CASE, or of all, and name the first broken link of each. The operator's."""
    checked, broken = _run(_verified(url, case, quiet=as_json))
    if as_json:
        print(json.dumps({"checked": checked, "broken": broken}))
    else:
        for one in broken:
            console.print(f"[red]{one['case']}[/red]: entry {one['entry']} does not fit the one before")
        console.print(f"{checked} cases checked, {len(broken)} broken")
    raise typer.Exit(bool(broken))


async def _verified(url: str, case: str | None, *, quiet: bool) -> tuple[int, list[dict[str, Any]]]:
    checked, broken, after = 0, list[dict[str, Any]](), None
    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} cases checked"))
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("", total=None)
        async with System(url) as system:
            while True:
                outcome = await system.do(VerifyCases(case=case, after=after))
                assert outcome.verified
                checked += outcome.verified.checked
                broken += [one.model_dump() for one in outcome.verified.broken]
                progress.update(task, completed=checked)
                after = outcome.next
                if not after:
                    return checked, broken


@retention_app.command("run")
def run_retention(
    url: Url,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run/--now", help="Only say what is due.")] = True,
    at: Annotated[datetime | None, typer.Option(help="With --dry-run: what will be due by then.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is due to be blocked and deleted; with --now have it done at once instead of within seconds."""

    async def ask() -> Any:
        moment = at.replace(tzinfo=UTC) if at else None
        async with System(url) as system:
            return (await system.do(RunRetention(dry_run=dry_run, at=moment))).retention

    found = _run(ask())
    if as_json:
        print(found.model_dump_json())
        return
    table = Table("due", "how many")
    table.add_row("cases to be blocked", str(found.to_block))
    table.add_row("cases whose personal data are to be deleted", str(found.to_delete))
    table.add_row("months whose keys can be destroyed", ", ".join(found.keys) or "none")
    console.print(table)


def scoreboard(
    url: Url,
    first: Annotated[str, typer.Option(help="The first month, YYYY-MM.")],
    last: Annotated[str, typer.Option(help="The last month, YYYY-MM.")],
    country: str | None = None,
    area: str | None = None,
    *,
    csv: Annotated[bool, typer.Option("--csv")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the scoreboard: five indicators by state and area, for requests that arrived in these months."""

    async def ask() -> tuple[Score, ...]:
        async with System(url) as system:
            asked = ShowScoreboard.model_validate({"first": first, "last": last, "country": country, "area": area})
            return (await system.do(asked)).scores or ()

    scores = _run(ask())
    if as_json:
        print(json.dumps([one.model_dump(mode="json", exclude_none=True) for one in scores]))
    elif csv:
        print("country,area,requests,answered_within_a_week," + ",".join(INDICATORS) + ",overall")
        for one in scores:
            print(",".join(_plain(one)))
    else:
        console.print(_table(scores))


def _table(scores: tuple[Score, ...]) -> Table:
    heads = ("accepted ≤ 7 d", "days to answer", "answered in time", "poor: timeliness", "poor: effort")
    table = Table("state", "area", "requests", "≤ 1 week", *heads, "overall")
    for one in scores:
        cells = [_coloured(getattr(one, name), "" if name == "days_to_answer" else " %") for name in INDICATORS]
        overall = f"[{COLOURS[one.overall]}]{one.overall}[/]" if one.overall else ""
        week = str(one.answered_within_a_week)
        table.add_row(one.country.text or one.country.code, one.area or "all", str(one.requests), week, *cells, overall)
    return table


def _coloured(indicator: Indicator | None, unit: str) -> str:
    return f"[{COLOURS[indicator.grade]}]{indicator.value:g}{unit}[/]" if indicator else "-"


def _plain(one: Score) -> list[str]:
    values = [getattr(one, name) for name in INDICATORS]
    figures = [f"{value.value:g}" if value else "" for value in values]
    return [
        one.country.code,
        one.area or "",
        str(one.requests),
        str(one.answered_within_a_week),
        *figures,
        one.overall or "",
    ]


def _reader(user: str) -> User:
    return User(id=user, role="basic-user")


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(work)
    except (Refused, ConnectionError, TimeoutError) as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}")
        raise typer.Exit(1) from error
