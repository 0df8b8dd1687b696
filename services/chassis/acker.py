"""One acknowledger a channel: many deliveries with one frame, and never out of order."""

import asyncio
from collections import deque
from collections.abc import Iterable

from services.chassis.bus import Session


class Acker:
    """Acknowledges what is done. Deliveries may be done in any order; tags are handed out in ascending order.

    Acknowledgements from independent tasks get reordered on their way to the socket, and RabbitMQ closes the channel
    over it ("unknown delivery tag"): so a single task sends them all.
    """

    def __init__(self, session: Session) -> None:
        """Acknowledge on the session's inbound channel."""
        self._session = session
        self._outstanding: deque[int] = deque()
        self._done: set[int] = set()
        self._ahead: set[int] = set()
        """Acknowledged already, behind one that is still open."""
        self._wake = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Whether everything that is done has been acknowledged."""
        return not self._done

    def expect(self, tag: int) -> None:
        """Note a delivery that will be done some time."""
        self._outstanding.append(tag)

    def done(self, tags: Iterable[int]) -> None:
        """Note deliveries that may be forgotten by the broker."""
        self._done.update(tags)
        self._wake.set()

    async def run(self) -> None:
        """Acknowledge for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._flush()

    async def _flush(self) -> None:
        last = self._pop_finished_head()
        if last is not None:
            await self._session.acknowledge(last, multiple=True)
        for tag in sorted(self._done):  # behind one that is still open: each by itself
            await self._session.acknowledge(tag, multiple=False)
            self._done.discard(tag)
            self._ahead.add(tag)

    def _pop_finished_head(self) -> int | None:
        last = None
        while self._outstanding and (self._outstanding[0] in self._done or self._outstanding[0] in self._ahead):
            tag = self._outstanding.popleft()
            if tag in self._done:
                last = tag
            self._done.discard(tag)
            self._ahead.discard(tag)
        return last
