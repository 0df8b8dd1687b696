"""The hot path: deliveries in, in groups to a handler, what it says out, and only then acknowledged.

The un-acknowledged delivery is the outbox. A handler stores what it decided before it returns; whatever then breaks
before the acknowledgement, the delivery comes again, the handler finds what it had decided, and the same messages with
the same ids go out once more.
"""

import asyncio
import random

import structlog

from services.chassis.bus import BROKEN, Session, open_session
from services.chassis.deaf import Deaf
from services.chassis.delivery import Handler
from services.chassis.faults import Impatient
from services.chassis.logs import where
from services.chassis.serving import GROUP, Queues, Serving, Tried, first

log = structlog.get_logger()

RECONNECT_AFTER = 0.5
"""Seconds, more or less: not all replicas at once."""


class Worker:
    """Consumes the queues that `queues` names (asked twice a second), and hands what waits to `handle` in groups."""

    def __init__(
        self, url: str, exchange: str, queues: Queues, handle: Handler, at_most: int = GROUP, *, gather: float = 0.0
    ) -> None:
        """`exchange` is the only one that this service may write; a group has `at_most` so many.

        Fewer wait for more to come, for `gather` seconds.
        """
        self._url = url
        self._exchange = exchange
        self._queues = queues
        self._handle = handle
        self._at_most = at_most
        self._gather = gather
        self._session: Serving | None = None
        self._tried = dict[str, Tried]()
        self._deaf = Deaf()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, in the background. A broker that is away is waited for."""
        self._task = asyncio.create_task(self._run(), name=f"{self._exchange} worker")

    async def stop(self) -> None:
        """Take nothing more, finish what is in hand, close."""
        self._stopping.set()
        if self._task:
            await self._task

    @property
    def alive(self) -> bool:
        """Whether it runs, or has not been started yet. If not, only a new process helps."""
        return self._task is None or not self._task.done()

    async def ready(self) -> bool:
        """Say whether this replica consumes every queue that it should."""
        return self._session is not None and await self._session.ready()

    @property
    def consumers(self) -> tuple[int, int]:
        """How many queues it consumes, and how many it should, as far as it knows."""
        return self._session.consumers if self._session else (0, 0)

    @property
    def oldest(self) -> float:
        """Age in seconds of the oldest message in hand; 0 when none is."""
        return self._session.oldest if self._session else 0.0

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                async with open_session(self._url, self._exchange) as session:
                    await self._serve(session)
            except (*BROKEN, Impatient) as fault:
                log.warning("broker away", fault=type(fault).__name__)
            except Exception as error:  # noqa: BLE001 - a mistake of ours: begin anew rather than stand still
                log.error("session failed", where=where(error))  # noqa: TRY400 - never the words of an error
            await first(self._stopping.wait(), asyncio.sleep(RECONNECT_AFTER * random.uniform(0.5, 2)))  # noqa: S311

    async def _serve(self, session: Session) -> None:
        serving = self._session = Serving(
            session,
            self._queues,
            self._handle,
            self._at_most,
            self._tried,
            gather=self._gather,
            deaf=self._deaf,
        )
        try:
            await serving.run(self._stopping)
        finally:
            self._session = None
