"""Dates in, plans out. The notifier takes no commands yet: every one is refused as unknown."""

from collections.abc import Sequence

from contracts.casework import Dates
from services.chassis.desk import Answer
from services.chassis.intake import Command
from services.chassis.worker import Delivery, Handled
from services.notifier.store import Store


class Planner:
    """The handler of the queue of dates."""

    def __init__(self, store: Store) -> None:
        """Keep the plans in `store`."""
        self._store = store

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Handled]:
        """Plan with one write for the whole group."""
        dates = [Dates.model_validate_json(delivery.message.body) for delivery in deliveries]
        newest = {one.case: one for one in sorted(dates, key=lambda one: one.version)}
        await self._store.dates_changed(list(newest.values()))
        return [Handled()] * len(deliveries)


async def no_commands(_: Sequence[Command]) -> Sequence[Answer]:
    """Nothing gets this far: the desk knows no types."""
    return []
