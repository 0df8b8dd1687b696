"""Messages as they come from a queue, and a session that stands in for the broker's."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, cast

from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import DeliveryError
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from contracts.topology import exchange_of
from services.chassis.bus import Outgoing, Session, Take, Unroutable

SYSTEM = "hu-hivatal"


def delivered(body: bytes = b"{}", tag: int = 1, **changes: Any) -> DeliveredMessage:
    """A search as Hungary's system would send it, but for the changes: of its properties, or of how it came."""
    came: dict[str, Any] = {"exchange": exchange_of(SYSTEM), "routing_key": "registry.search.v1", "redelivered": False}
    came = {key: changes.pop(key, value) for key, value in came.items()}
    properties = {
        "message_type": "registry.search.v1",
        "message_id": f"message-{tag}",
        "user_id": SYSTEM,
        "content_type": "application/json",
    }
    return DeliveredMessage(
        delivery=Basic.Deliver("consumer", tag, **came),
        header=ContentHeader(0, len(body), Basic.Properties(**(properties | changes))),
        body=body,
        channel=cast("AbstractChannel", None),
    )


class FakeSession:
    """Keeps what the broker would: what is not acknowledged yet, and what was published."""

    def __init__(self) -> None:
        self.published: list[Outgoing] = []
        self.log: list[str] = []
        self.takes: dict[str, Take] = {}
        self.prefetches: dict[str, int] = {}
        self.unacknowledged: set[int] = set()
        self.unroutable: set[str] = set()
        self.missing: set[str] = set()
        self.silent: set[str] = set()
        self.refusing: set[str] = set()
        self.publish_fault: Exception | None = None
        self.tell_cancelled: Callable[[str], None] = print
        self._tags = itertools.count(1)
        self._closed = asyncio.Event()

    @property
    def real(self) -> Session:
        """Itself, where a session is wanted."""
        return cast("Session", self)

    async def publish(self, message: Outgoing) -> None:
        """Confirm, refuse, or say what no queue takes, or nothing in time."""
        await asyncio.sleep(0)
        if self.publish_fault:
            raise self.publish_fault
        if message.routing_key in self.silent:
            raise TimeoutError
        if message.routing_key in self.refusing:
            raise DeliveryError(None, Basic.Nack())
        if message.routing_key in self.unroutable:
            raise Unroutable(message.routing_key)
        self.published.append(message)
        self.log.append(f"published {message.routing_key}")

    async def consume(self, queue: str, take: Take, prefetch: int) -> str:
        """Begin to deliver."""
        self.takes[queue], self.prefetches[queue] = take, prefetch
        return f"consumer of {queue}"

    async def consumers(self, queue: str) -> int:
        """Say how many consume the queue, which is there unless it was made to be missing."""
        if queue in self.missing:
            raise ConnectionError(queue)
        return int(queue in self.takes)

    def on_cancelled(self, tell: Callable[[str], None]) -> None:
        """Note whom to tell that a queue is gone."""
        self.tell_cancelled = tell

    async def cancel(self, consumer_tag: str) -> None:
        """Deliver no more."""
        self.takes.pop(consumer_tag.removeprefix("consumer of "))

    async def acknowledge(self, delivery_tag: int, *, multiple: bool) -> None:
        """Forget a delivery, or all up to it. RabbitMQ closes the channel over a tag that it does not know."""
        await asyncio.sleep(0)
        assert delivery_tag in self.unacknowledged, "unknown delivery tag"
        self.unacknowledged -= {tag for tag in self.unacknowledged if multiple and tag < delivery_tag} | {delivery_tag}
        self.log.append(f"acknowledged {delivery_tag}")

    async def closed(self) -> None:
        """Return when `close` was called."""
        await self._closed.wait()

    def close(self) -> None:
        """Lose the connection."""
        self._closed.set()

    async def deliver(self, queue: str, *bodies: bytes, **changes: Any) -> list[int]:
        """Deliver messages that were waiting in a queue; return their tags."""
        tags = [next(self._tags) for _ in bodies]
        self.unacknowledged.update(tags)
        for tag, body in zip(tags, bodies, strict=True):
            await self.takes[queue](delivered(body, tag, **changes))
        return tags

    async def until(self, holds: Callable[[], object]) -> None:
        """Return when it holds; fail when it never does."""
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - there is no one event to wait for
                await asyncio.sleep(0.001)
