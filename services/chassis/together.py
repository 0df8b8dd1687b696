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
"""Bytes of views in one message; one delivery's alone may be more."""


@dataclass(frozen=True, slots=True)
class Said:
    """What there is to tell because of one delivery: the ids of its views, the views in JSON, and events."""

    ids: tuple[str, ...]
    views: bytes
    events: tuple[Outgoing, ...] = ()

    @classmethod
    def of(cls, views: Sequence[View], events: tuple[Outgoing, ...] = ()) -> Self:
        """Encode the views."""
        ids = tuple(view.message_id for view in views)
        return cls(ids, b",".join(to_json(view, exclude_none=True) for view in views), events)


def together(said: Sequence[Said | Later]) -> Sequence[Result]:
    """Put the views of many deliveries into one message, and their dates into another; they go out with the first.

    That does no harm: a worker acknowledges none of a group before all that the group says is confirmed.
    """
    alone = [one if isinstance(one, Later) else tuple(e for e in one.events if e.routing_key != DATES) for one in said]
    for shared, bodies in ((_views, _said_views), (_dates, _said_dates)):
        telling = [(index, *bodies(one)) for index, one in enumerate(said) if isinstance(one, Said)]
        for some in _batches([one for one in telling if one[1]]):
            first = some[0][0]
            others = alone[first]
            assert isinstance(others, tuple)
            ids = [one_id for _, of_one, _ in some for one_id in of_one]
            alone[first] = (*others, shared(ids, b",".join(body for _, _, body in some)))
    return [one if isinstance(one, Later) else Handled(one) for one in alone]


_Part = tuple[int, tuple[str, ...], bytes]
"""Which delivery, the ids of what it says, and that in JSON."""


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


def _said_views(one: Said) -> tuple[tuple[str, ...], bytes]:
    return one.ids, one.views


def _said_dates(one: Said) -> tuple[tuple[str, ...], bytes]:
    dates = [event for event in one.events if event.routing_key == DATES]
    return tuple(event.message_id for event in dates), b",".join(event.body for event in dates)


def _views(ids: Sequence[str], bodies: bytes) -> Outgoing:
    return Outgoing(VIEWS, Views.TYPE, b'{"views":[%b]}' % bodies, derived_uuid("views", *ids))


def _dates(ids: Sequence[str], bodies: bytes) -> Outgoing:
    return Outgoing(DATES, AllDates.TYPE, b'{"dates":[%b]}' % bodies, derived_uuid("dates", *ids))
