"""`imi cases show` and `republish`, `imi readmodels`: where messages are, and telling again what somebody lacks."""

import asyncio
import getpass
import json
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

from client.cli_cases import cases_app
from client.cli_parked import run
from client.looking import BrokerDown, Looking
from client.parked import PARKING, listed
from client.replaying import RECORD
from client.system import Refused, System
from client.wire import Again, open_wire
from contracts.case import Traced
from contracts.casework import RepublishCases, TraceCase
from contracts.directory import Compare, Tally
from contracts.topology import REPLAYS, inbox_of

readmodels_app = typer.Typer(no_args_is_help=True, help="Copies of the registry's data that services keep.")
console = Console()

Url = Annotated[str, typer.Option(envvar="IMI_URL", show_envvar=True, help="The operator's account.")]
LookUrl = Annotated[
    str, typer.Option(envvar="IMI_MANAGEMENT_URL", help="To see what readers have not read: an account that may look.")
]
By = Annotated[str, typer.Option(envvar="IMI_BY", default_factory=getpass.getuser, help="Who does it, for the record.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this nothing is changed.")]
AsJson = Annotated[bool, typer.Option("--json", help="What a program can read.")]

COPYING: Final = ("casework", "translation", "notifier")
_COMPARED: Final = "registry.copies"
_LOOKED_AT: Final = 10_000


@cases_app.command()
def show(case: str, url: Url, management_url: LookUrl = "", *, as_json: AsJson = False) -> None:
    """Show who did what in a CASE, and where its messages are: parked, or unread. Never what it says."""
    traced, parked, unread = _run(_traced(url, management_url, case))
    if as_json:
        print(json.dumps({**traced.model_dump(mode="json"), "parked": parked, "unread": unread}))
        return
    turn = f", {traced.turn}'s turn" if traced.turn else ""
    console.print(f"{traced.case}: {traced.state}{turn}; {traced.area}; epoch {traced.epoch}, version {traced.version}")
    steps = Table("what", "at (UTC)", "by", "message", "")
    for step in traced.steps:
        where = "parked" if step.command.split("/", 1)[-1] in parked else ""
        steps.add_row(step.what, f"{step.at:%Y-%m-%d %H:%M:%S}", step.by or "the exchange", step.command, where)
    readers = Table("reader", "system", "unread in its inbox")
    for reader in traced.readers:
        readers.add_row(reader.authority, reader.system, str(unread.get(reader.system, "")))
    console.print(steps, readers, markup=False)


async def _traced(url: str, management_url: str, case: str) -> tuple[Traced, list[str], dict[str, int]]:
    async with System(url) as operator:
        traced = (await operator.do(TraceCase(case=case))).traced
    assert traced
    ids = {step.command.split("/", 1)[-1] for step in traced.steps}
    async with open_wire(url) as wire:
        parked = sorted({one.message_id for one in await listed(wire, PARKING, _LOOKED_AT)} & ids)
    unread = dict[str, int]()
    if management_url:
        async with Looking(management_url) as looking:
            there = {queue.name: queue.ready + queue.in_hand for queue in await looking.queues()}
        unread = {reader.system: there.get(inbox_of(reader.system), 0) for reader in traced.readers}
    return traced, parked, unread


@cases_app.command()
def republish(
    url: Url,
    since: Annotated[datetime, typer.Option(help="UTC: cases that have changed since then.")],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have the last change of cases told again: to its readers, who drop what they have, and to the notifier.

    The operator's. Without --yes nothing is told.
    """
    cases, messages = _run(_republished(url, since.replace(tzinfo=UTC))) if yes else (0, 0)
    if as_json:
        print(json.dumps({"cases": cases, "messages": messages}))
    else:
        console.print(f"{cases} cases, {messages} messages" if yes else "Nothing was told: --yes does it.")


async def _republished(url: str, since: datetime) -> tuple[int, int]:
    cases, messages, after = 0, 0, None
    async with System(url) as operator:
        while True:
            outcome = await operator.do(RepublishCases(since=since, after=after))
            assert outcome.republished
            cases += outcome.republished.cases
            messages += outcome.republished.messages
            after = outcome.next
            if not after:
                return cases, messages


@readmodels_app.command()
def rebuild(service: str, url: Url, by: By, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Have the registry tell a SERVICE again all that it should have copied: authorities, systems, vocabularies.

    What it has in that version or a newer one stays. It does so by itself, where something differs, every five minutes.
    """
    if service not in COPYING:
        raise typer.BadParameter(f"one of {', '.join(COPYING)}", param_hint="SERVICE")
    if yes:
        run(_rebuild(url, service, by))
    if as_json:
        print(json.dumps({"service": service, "asked": yes}))
    else:
        console.print("The registry was asked." if yes else "Nothing was asked: --yes does it.")


async def _rebuild(url: str, service: str, by: str) -> None:
    """Say in the service's place that its copies hold nothing."""
    nothing = Tally(count=0, versions=0)
    terms = {"terms": nothing} if service == "translation" else {}
    compare = Compare(service=service, authorities={}, systems=nothing, **terms)
    record = dict.fromkeys(("why", "fault", "reason", "type", "sender", "message", "parked"), "")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    async with open_wire(url) as wire:
        await wire.say(REPLAYS, RECORD, record | {"at": now, "by": by, "what": "rebuild", "service": service})
        await wire.handle_again(Again(_COMPARED, Compare.TYPE, to_json(compare), str(uuid.uuid4()), {}))


def _run(work: Any) -> Any:
    try:
        return asyncio.run(work)
    except (Refused, BrokerDown, ConnectionError, TimeoutError) as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}")
        raise typer.Exit(1) from error
