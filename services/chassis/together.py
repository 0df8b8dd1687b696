"""What a group has to show goes out in few messages: to the broker a message costs more than what is in it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from pydantic_core import to_json

from contracts.dates import AllDates
from contracts.identity import derived_uuid
from contracts.inbox import View, Views
from services.chassis.bus import Outgoing
from services.chassis.delivery import Handled, Later, Result

VIEWS: Final = "views"
"""Routing key by which translation gets what systems shall read."""
DATES: Final = "dates"
"""Routing key by which the notifier gets the dates of cases."""
AT_ONCE: Final = 128 * 1024
"""Bytes of views in one message; one view alone may be more."""


@dataclass(frozen=True, slots=True)
class Said:
    """What there is to tell because of one delivery: its views, each with its id and in JSON, and events."""

    views: tuple[tuple[str, bytes], ...]
    events: tuple[Outgoing, ...] = ()

    @classmethod
    def of(cls, views: Sequence[View], events: tuple[Outgoing, ...] = ()) -> Self:
        """Encode the views."""
        return cls(tuple((view.message_id, to_json(view, exclude_none=True)) for view in views), events)


def together(said: Sequence[Said | Later]) -> Sequence[Result]:
    """Put the views of many deliveries into one message, and their dates into another; they go out with the first.

    That does no harm: a worker acknowledges none of a group before all that the group says is confirmed.
    """
    alone = [one if isinstance(one, Later) else tuple(e for e in one.events if e.routing_key != DATES) for one in said]
    for shared, parts in ((_views, _said_views), (_dates, _said_dates)):
        telling = [(index, *part) for index, one in enumerate(said) if isinstance(one, Said) for part in parts(one)]
        for some in _batches(telling):
            first = some[0][0]
            others = alone[first]
            assert isinstance(others, tuple)
            alone[first] = (*others, shared([one_id for _, one_id, _ in some], b",".join(body for *_, body in some)))
    return [one if isinstance(one, Later) else Handled(one) for one in alone]


_Part = tuple[int, str, bytes]
"""Of which delivery, the id of what is said, and that in JSON."""


def _batches(telling: Iterable[_Part]) -> Iterator[list[_Part]]:
    batch, size = list[_Part](), 0
    for one in telling:
        if batch and size + len(one[2]) > AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one[2])
    if batch:
        yield batch


def _said_views(one: Said) -> Iterable[tuple[str, bytes]]:
    return one.views


def _said_dates(one: Said) -> Iterable[tuple[str, bytes]]:
    return ((event.message_id, event.body) for event in one.events if event.routing_key == DATES)


def _views(ids: Sequence[str], bodies: bytes) -> Outgoing:
    return Outgoing(VIEWS, Views.TYPE, b'{"views":[%b]}' % bodies, derived_uuid("views", *ids))


def _dates(ids: Sequence[str], bodies: bytes) -> Outgoing:
    return Outgoing(DATES, AllDates.TYPE, b'{"dates":[%b]}' % bodies, derived_uuid("dates", *ids))
