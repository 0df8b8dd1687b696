"""The demonstration's timeline: each step with its time, and both sides of a case side by side."""

import time
from collections.abc import Sequence
from email.message import EmailMessage

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table

from contracts.case import CaseView, Item


class Failed(Exception):
    """A step did not happen as it must."""


class Timeline:
    """Prints what happens, and remembers how long each step took."""

    def __init__(self, console: Console) -> None:
        """Time runs from here."""
        self._console = console
        self._began = self._last = time.perf_counter()

    def chapter(self, title: str) -> None:
        """Begin a new part of the story."""
        self._console.print()
        self._console.print(Rule(f"[bold]{escape(title)}"))
        self._last = time.perf_counter()

    def step(self, text: str, *shown: RenderableType) -> None:
        """Tell what has happened since the last step, and how long it took."""
        now = time.perf_counter()
        took, self._last = now - self._last, now
        self._console.print(
            f"[dim]{now - self._began:7.2f} s[/dim] [green]✓[/green] {escape(text)} [dim]({took * 1000:.0f} ms)[/dim]"
        )
        for one in shown:
            self._console.print(one)
        self._last = time.perf_counter()


def check(holds: object, what: str) -> None:
    """Raise `Failed` unless it holds."""
    if not holds:
        raise Failed(what)


def side_by_side(left: RenderableType, right: RenderableType) -> RenderableType:
    """Put what the two sides see next to each other."""
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid


def reads(who: str, case: CaseView) -> Panel:
    """Show a case as one side reads it."""
    parts: list[RenderableType] = [f"[bold]{escape(case.area.text or '')}[/bold] · {escape(case.state.text or '')}"]
    if case.particulars is None:
        parts.append("[yellow]▒▒▒ personal data: not before acceptance ▒▒▒[/yellow]")
    else:
        parts.append(_items(case.particulars))
    parts.append(_items(case.questions))
    title = f"{who}: {case.id}, version {case.version}"
    return Panel(Group(*parts), title=escape(title), title_align="left", border_style="cyan")


def letters(mails: Sequence[EmailMessage]) -> RenderableType:
    """Show e-mails as they arrived."""
    return Columns([_letter(mail) for mail in mails], equal=True, expand=True)


def _items(items: Sequence[Item]) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=3)
    table.add_column(ratio=2)
    for item in items:
        answer = f"[green]{escape(item.value_text)}[/green]" if item.value_text else "[dim]-[/dim]"
        table.add_row(escape(item.text or item.code), answer)
    return table


def _letter(mail: EmailMessage) -> Panel:
    body = mail.get_body(("plain",))
    text = str(body.get_content()).strip() if body else ""
    head = f"[dim]To:[/dim] {escape(str(mail['To']))}\n[bold]{escape(str(mail['Subject']))}[/bold]\n"
    return Panel(f"{head}\n{escape(text)}", border_style="magenta", title="e-mail", title_align="left")
