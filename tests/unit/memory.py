"""Documents that are their own history, in memory: what `Histories` promises, without its guard against others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.chassis.delivery import Later
from services.chassis.histories import Change, Decide, Drop, Entry, History, Refuse, Settled
from services.chassis.intake import Command


class MemoryHistories:
    """Takes the place of `services.chassis.histories.Histories`."""

    def __init__(self) -> None:
        self.documents: dict[str, list[Entry]] = {}

    def history(self, place: str) -> History:
        """What is there."""
        return tuple(self.documents.get(place, ()))

    async def weigh(self, document_ids: Sequence[str]) -> None:
        """Whatever these weigh: there is room for it."""

    async def settle(
        self,
        commands: Sequence[Command],
        place: Callable[[Command], str],
        own_place: Callable[[Command], str],
        decide: Decide,
    ) -> list[Settled | Later]:
        """Decide on one after the other."""
        return [self._settle(command, place(command), decide) for command in commands]

    def _settle(self, command: Command, place: str, decide: Decide) -> Settled | Later:
        history = self.history(place)
        decision = decide(history, command)
        if isinstance(decision, Drop):
            return Settled(history, decision.refusal)
        if isinstance(decision, Refuse):
            return Settled(history if decision.in_document else (), decision.refusal)
        if isinstance(decision, Change):
            entry: Mapping[str, Any] = {"key": command.key, "digest": command.digest, **decision.entry}
            self.documents.setdefault(place, []).append(entry)
            return Settled(self.history(place))
        return decision
