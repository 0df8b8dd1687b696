"""One command, decided on with what its document holds, and stored."""

from collections.abc import Callable
from datetime import UTC, datetime

from contracts.refusal import Refusal
from services.chassis.delivery import Later
from services.chassis.histories import Change, Decision, Entry, Histories, History, Refuse, Settled
from services.chassis.intake import Command
from services.registry.authority import Authority


async def settle(
    histories: Histories, command: Command, place: str, decide: Callable[[History], Entry | Refusal]
) -> Settled:
    """Return what was decided for good on a command that changes the document `place`."""

    def decision(history: History, _: Command) -> Decision:
        entry = decide(history)
        return Refuse(entry) if isinstance(entry, Refusal) else Change(entry)

    own_place = f"refused:{command.key}"
    (settled,) = await histories.settle([command], lambda _: place, lambda _: own_place, decision)
    if isinstance(settled, Later):
        raise TypeError("the registry decides on its own data: there is nothing to wait for")
    return settled


def not_acting(actor: Authority | None, command: Command) -> Refusal | None:
    """Say why the sender may not speak as this authority."""
    if actor is None:
        return Refusal("unknown-authority", "authority")
    return None if actor.system == command.system else Refusal("not-your-authority", "authority")


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)
