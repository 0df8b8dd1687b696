"""Where a message goes that cannot succeed: the service's `parked` queue, with the reason."""

from aiormq.abc import DeliveredMessage

from contracts.identity import derived_uuid
from services.chassis.bus import PARKED, Outgoing

ROUTING_KEY = PARKED


def parked(queue: str, message: DeliveredMessage, reason: str, place: str = "") -> Outgoing:
    """Return the message as it goes to the `parked` queue; `place` is where in the code it failed.

    What is certain about it goes into headers of our own; its own could be forged, and are left out.
    """
    properties = message.header.properties
    return Outgoing(
        routing_key=ROUTING_KEY,
        type=properties.message_type or "",
        body=message.body,
        message_id=derived_uuid("parked", queue, properties.message_id or "", reason),
        correlation_id=properties.correlation_id,
        headers={
            "imi-reason": reason,
            "imi-place": place,
            "imi-queue": queue,
            "imi-exchange": message.exchange or "",
            "imi-routing-key": message.routing_key or "",
            "imi-user": properties.user_id or "",
            "imi-message-id": properties.message_id or "",
            "imi-redelivered": bool(message.redelivered),
        },
    )


def unroutable(queue: str, message: Outgoing) -> Outgoing:
    """Return a message of our own that no queue takes, as it goes to the `parked` queue. Its cause was in `queue`."""
    return Outgoing(
        routing_key=ROUTING_KEY,
        type=message.type,
        body=message.body,
        message_id=derived_uuid("parked", queue, message.message_id, "unroutable"),
        correlation_id=message.correlation_id,
        headers={
            "imi-reason": "unroutable",
            "imi-queue": queue,
            "imi-routing-key": message.routing_key,
            "imi-message-id": message.message_id,
        },
    )
