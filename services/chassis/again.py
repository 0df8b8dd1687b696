"""What the operator has handled again is taken as it had come first: by its own lane, from its own sender.

It comes by the exchange that the operator alone may write, so the headers that say so are believed; those of any other
message are not.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from contracts.topology import expired_lane_of
from services.chassis.delivery import Delivery

LANE: Final = "imi-queue"
ROUTING_KEY: Final = "imi-routing-key"
USER: Final = "imi-user"


def first_sent(queue: str, message: DeliveredMessage) -> Delivery:
    """Return the delivery as it had been when it came first; as it is, when it names no lane of this service.

    Its place among the others stays that of `queue`: what is played again keeps its order.
    """
    headers: Mapping[str, Any] = message.header.properties.headers or {}
    lane = str(headers.get(LANE, ""))
    delivery = message.delivery
    if not isinstance(delivery, Basic.Deliver) or not _is_lane(lane, queue.split(".", maxsplit=1)[0]):
        return Delivery(queue, message)
    header, delivery = copy.copy(message.header), copy.copy(delivery)
    header.properties = copy.copy(message.header.properties)
    header.properties.user_id = str(headers.get(USER, "")) or None
    delivery.routing_key = str(headers.get(ROUTING_KEY, ""))
    return Delivery(queue, replace(message, header=header, delivery=delivery), lane)


def _is_lane(lane: str, service: str) -> bool:
    of_a_system = (f"{service}.commands.", f"{service}.undelivered.")
    return lane.startswith(of_a_system) or lane == expired_lane_of(service)
