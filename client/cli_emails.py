"""`imi emails`: what was sent to an authority, when, and what the mail server said."""

import asyncio
import json
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from client.system import Refused, System
from contracts.notifier import ListEmails, SentEmail
from contracts.types import User

console = Console()

_PAGE: Final = 100
_COLOURS: Final = {"sent": "green", "failed": "red"}


def emails(
    url: Annotated[str, typer.Option(envvar="IMI_URL", show_envvar=True, help="The system's account.")],
    authority: Annotated[str, typer.Option(help="The authority's number.")],
    of: Annotated[str | None, typer.Option(help="An authority that it coordinates, in place of itself.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Show no more than so many, the last first.")] = 50,
    user: Annotated[str, typer.Option(help="Who reads, as the authority knows the user.")] = "imi",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="What a program can read.")] = False,
) -> None:
    """Show what was sent to an authority, or could not be: when, to which address, and with what reply."""
    asked = ListEmails(authority=authority, of=of, limit=min(count, _PAGE), user=User(id=user, role="basic-user"))
    try:
        found = asyncio.run(_pages(url, asked, count))
    except (Refused, ConnectionError, TimeoutError) as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}")
        raise typer.Exit(1) from error
    if as_json:
        print(json.dumps([email.model_dump(mode="json", exclude_none=True) for email in found]))
    else:
        console.print(_table(found))


async def _pages(url: str, asked: ListEmails, count: int) -> list[SentEmail]:
    found, after = list[SentEmail](), None
    async with System(url) as system:
        while True:
            outcome = await system.do(asked.model_copy(update={"after": after}))
            found += outcome.emails or ()
            after = outcome.next
            if not after or len(found) >= count:
                return found[:count]


def _table(found: list[SentEmail]) -> Table:
    table = Table("at (UTC)", "to", "what", "cases", "late", "outcome", "reply")
    for email in found:
        outcome = f"[{_COLOURS[email.outcome]}]{email.outcome}[/]"
        came_back = f" [red]came back: {email.bounced}[/]" if email.bounced else ""
        table.add_row(
            f"{email.at:%Y-%m-%d %H:%M:%S}",
            email.to or "",
            email.kind if email.kind == email.stage else f"{email.kind} ({email.stage})",
            ", ".join(email.cases),
            f"{max(0.0, (email.at - email.planned).total_seconds()):.0f} s",
            f"{outcome}{came_back}",
            email.reply,
        )
    return table
