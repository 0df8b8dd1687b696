"""What a group has to show goes out in few messages: to the broker a message costs more than what is in it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from pydantic_core import to_json

from contracts.identity import derived_uuid
from contracts.inbox import View, Views
from services.chassis.bus import Outgoing
from services.chassis.delivery import Handled, Later, Result

VIEWS: Final = "views"
"""Routing key by which translation gets what systems shall read."""
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
    """Put the views of many deliveries into one message, which goes out with the first of them.

    That does no harm: a worker acknowledges none of a group before all that the group says is confirmed.
    """
    results = [one if isinstance(one, Later) else Handled(one.events) for one in said]
    for some in _batches([(index, one) for index, one in enumerate(said) if isinstance(one, Said) and one.ids]):
        index, first = some[0]
        results[index] = Handled((_message([one for _, one in some]), *first.events))
    return results


def _batches(telling: Iterable[tuple[int, Said]]) -> Iterator[list[tuple[int, Said]]]:
    batch, size = list[tuple[int, Said]](), 0
    for index, one in telling:
        if batch and size + len(one.views) > AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append((index, one))
        size += len(one.views)
    if batch:
        yield batch


def _message(said: Sequence[Said]) -> Outgoing:
    body = b'{"views":[%b]}' % b",".join(one.views for one in said)
    return Outgoing(VIEWS, Views.TYPE, body, derived_uuid("views", *(one_id for one in said for one_id in one.ids)))
