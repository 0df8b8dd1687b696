"""`imi parked`: what the exchange could not handle is found, understood, and handled again. The operator's."""

import asyncio
import getpass
import json
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from aiormq.exceptions import AMQPError
from rich.console import Console
from rich.table import Table

from client.parked import PARKING, Group, Parked, groups_of, listed
from client.replaying import Order, Work, carry_out, history
from client.wire import StillFull, open_wire

parked_app = typer.Typer(no_args_is_help=True, help="Messages that the exchange could not handle. The operator's.")
console = Console()

Url = Annotated[str, typer.Option(envvar="IMI_URL", show_envvar=True, help="The operator's account.")]
Service = Annotated[str | None, typer.Option(help="Of one service; without it of all.")]
AsJson = Annotated[bool, typer.Option("--json", help="What a program can read.")]
AtMost = Annotated[int, typer.Option(min=1, help="Look at so many of each service at the most.")]
Names = Annotated[list[str] | None, typer.Argument(help="Faults or ids, as `list` and `show` give them.")]
Everything = Annotated[bool, typer.Option("--all", help="Every message that is parked.")]
Rate = Annotated[float, typer.Option(min=0.01, max=1000, help="So many a second at the most.")]
By = Annotated[str, typer.Option(envvar="IMI_BY", default_factory=getpass.getuser, help="Who does it, for the record.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this nothing is changed.")]

MOST: Final = 10_000


@parked_app.command("list")
def list_parked(url: Url, service: Service = None, at_most: AtMost = MOST, *, as_json: AsJson = False) -> None:
    """List what is parked, by what went wrong. Exit status 0, also when there is nothing."""
    groups = groups_of(run(_listed(url, service, at_most)))
    if as_json:
        print(json.dumps([_group_json(group) for group in groups]))
        return
    table = Table("fault", "service", "reason", "message", "came by", "count", "first", "last", "for example")
    for group in groups:
        one = group.example
        row = (group.fingerprint, one.service, one.reason, one.type, one.came_by, str(group.count))
        table.add_row(*row, _time(group.first), _time(group.last), one.id)
    console.print(table if groups else "Nothing is parked.", markup=False)


@parked_app.command()
def show(
    names: list[str], url: Url, service: Service = None, at_most: AtMost = MOST, *, as_json: AsJson = False
) -> None:
    """Show the messages of a fault, or some by their ids: everything but what they say. Exit status 1 without any."""
    found = [one for one in run(_listed(url, service, at_most)) if one.fits(names)]
    if as_json:
        print(json.dumps([_json(one) for one in found]))
    for one in () if as_json else found:
        table = Table(show_header=False, box=None)
        for name, value in _json(one).items():
            table.add_row(name, str(value))
        console.print(table, markup=False)
        console.print()
    raise typer.Exit(not found)


@parked_app.command()
def replay(
    url: Url,
    by: By,
    names: Names = None,
    *,
    service: Service = None,
    rate: Rate = 50,
    at_most: AtMost = MOST,
    everything: Everything = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have messages handled again: those of a fault, some by their ids, or --all. Without --yes only say which.

    A command is taken as its sender sent it, and its sender gets the outcome. What had been done is not done twice.
    Exit status 1 when nothing was chosen, or some had nowhere to go: those stay parked.
    """
    order = Order("replay", _choice(names, everything=everything), by, rate=rate, at_most=at_most)
    _settle(url, service, order, yes=yes, as_json=as_json)


@parked_app.command()
def discard(
    url: Url,
    by: By,
    why: Annotated[str, typer.Option(help="For the record.")],
    names: Names = None,
    *,
    service: Service = None,
    rate: Rate = 50,
    at_most: AtMost = MOST,
    everything: Everything = False,
    silently: Annotated[bool, typer.Option(help="Tell nobody, not even a command's sender.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give messages up. A command is refused as expired, so that its sender knows. Without --yes only say which."""
    work: Work = "drop" if silently else "discard"
    order = Order(work, _choice(names, everything=everything), by, why, rate, at_most)
    _settle(url, service, order, yes=yes, as_json=as_json)


@parked_app.command("history")
def show_history(url: Url, *, as_json: AsJson = False) -> None:
    """Show who had what replayed or discarded, in the last year."""

    async def read() -> list[dict[str, str]]:
        async with open_wire(url) as wire:
            return await history(wire)

    found = run(read())
    if as_json:
        print(json.dumps(found))
        return
    table = Table("at", "by", "what", "why", "fault", "message", "sender", "id")
    for one in found:
        table.add_row(*(one[name] for name in ("at", "by", "what", "why", "fault", "type", "sender", "message")))
    console.print(table, markup=False)


def _choice(names: Sequence[str] | None, *, everything: bool) -> Callable[[Parked], bool]:
    if bool(names) == everything:
        raise typer.BadParameter("faults or ids, or --all")
    chosen = tuple(names or ())
    return lambda parked: parked.fits(chosen)


def _settle(url: str, service: str | None, order: Order, *, yes: bool, as_json: bool) -> None:
    if not yes:
        found = [one for one in run(_listed(url, service, order.at_most)) if order.chosen(one)]
        _tell([(one, f"to {order.work}") for one in found], as_json=as_json)
        if not as_json:
            console.print(f"{len(found)} to {order.work}. Nothing was changed: --yes does it.")
        raise typer.Exit(not found)

    async def work() -> list[tuple[Parked, str]]:
        async with open_wire(url) as wire:
            return [one async for one in carry_out(wire, _services(service), order)]

    done = run(work())
    _tell(done, as_json=as_json)
    raise typer.Exit(not done or any(came == "nowhere" for _, came in done))


def _tell(done: Sequence[tuple[Parked, str]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([{**_json(one), "came": came} for one, came in done]))
        return
    table = Table("fault", "service", "message", "sender", "id", "")
    for one, came in done:
        table.add_row(one.fingerprint, one.service, one.type, one.user, one.message_id, came)
    console.print(table, markup=False)


async def _listed(url: str, service: str | None, at_most: int) -> list[Parked]:
    async with open_wire(url) as wire:
        return await listed(wire, _services(service), at_most)


def _services(service: str | None) -> tuple[str, ...]:
    if service is None:
        return PARKING
    if service not in PARKING:
        raise typer.BadParameter(f"one of {', '.join(PARKING)}", param_hint="--service")
    return (service,)


def _group_json(group: Group) -> dict[str, Any]:
    one = _json(group.example)
    times = {"first": _time(group.first), "last": _time(group.last)}
    return {"fault": group.fingerprint, "count": group.count, **times, "example": one}


def _json(one: Parked) -> dict[str, Any]:
    return {
        "fault": one.fingerprint,
        "service": one.service,
        "reason": one.reason,
        "place": one.place,
        "type": one.type,
        "came_by": one.queue,
        "routing_key": one.routing_key,
        "sender": one.user,
        "message": one.message_id,
        "at": _time(one.at),
        "bytes": one.size,
        "id": one.id,
    }


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Return what the work returns; what the broker says against it ends the program, without its address."""
    try:
        return asyncio.run(work)
    except (AMQPError, StillFull, TimeoutError, OSError) as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}")
        raise typer.Exit(1) from error
