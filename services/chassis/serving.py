"""What a worker does while its connection lasts: take deliveries, handle them in groups, publish, acknowledge."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import DeliveryError

from contracts.topology import is_again, owner_of
from services.chassis import metrics, stages
from services.chassis.acker import Acker
from services.chassis.again import first_sent
from services.chassis.ahead import Ahead
from services.chassis.bus import BROKEN, Outgoing, Session, Take, TooLarge, Unroutable
from services.chassis.deaf import Deaf
from services.chassis.delivery import Delivery, Handled, Handler, Later, Result
from services.chassis.faults import Impatient, outlast
from services.chassis.logs import place_of, where
from services.chassis.parking import parked, unroutable
from services.chassis.turns import Turns

log = structlog.get_logger()

Queues = Callable[[], Awaitable[Iterable[str]]]

GROUP = 100
PREFETCH_IN_ALL = 400
UNCONFIRMED = 4 * 1024 * 1024
"""Bytes of messages that may wait for the broker's confirms when the next group is begun."""
LOOK_FOR_QUEUES_EVERY = 0.5
LONGEST_LET_BE = 60.0
"""Seconds for which a queue is not tried again that ended the connection when it was: twice as long each time."""
LOOK_AGAIN_AFTER = 10.0
"""Seconds before a queue that was missing is asked for again."""
PROBED = 10
"""Queues about which a health check asks the broker."""
TRY_AGAIN_AFTER = 1.0
"""Seconds before an inbox is tried again that refused a message."""
FINISH_WITHIN = 15.0
"""Seconds that a shutdown waits for what is in hand."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How often a queue was being taken up when the session ended, and until when it is let be."""

    times: int = 0
    not_before: float = 0.0

    def again(self) -> "Tried":
        """Return this with one more."""
        return Tried(self.times + 1, time.monotonic() + min(2.0**self.times, LONGEST_LET_BE))


class Serving:
    """What happens during one session. Everything in it is forgotten with it."""

    def __init__(
        self,
        session: Session,
        queues: Queues,
        handle: Handler,
        at_most: int = GROUP,
        tried: "dict[str, Tried] | None" = None,
        *,
        gather: float = 0.0,
        deaf: Deaf | None = None,
    ) -> None:
        """`at_most` is how many are handled together: a lone command waits for one such group at the most.

        Fewer wait for more to come, for `gather` seconds: what nobody waits for is cheaper in larger groups.
        Two outlive the session: `tried`, queues that were being taken up when one before it ended, and `deaf`, those
        that took nothing.
        """
        self.session = session
        self.consuming: dict[str, str] = {}
        self._wanted: set[str] = set()
        self._missing: dict[str, float] = {}
        self._tried = {} if tried is None else tried
        self._deaf = deaf or Deaf()
        self._queues = queues
        self._handle = handle
        self._acker = Acker(session)
        self._ahead = Ahead()
        self._at_most = at_most
        self._gather = gather
        self._waiting = Turns()
        self._arrived = asyncio.Event()
        self._in_hand = 0
        self._since: float | None = None
        self._tasks: set[asyncio.Future[None]] = set()
        self._sending: dict[asyncio.Future[None], int] = {}
        self._broken = asyncio.Event()
        self._error: BaseException | None = None
        session.on_cancelled(self._forget)

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until told to stop, then finish; or raise what broke the session."""
        looking = self._spawn(self._look_for_queues())
        self._spawn(self._work())
        self._spawn(self._acker.run())
        try:
            await first(stopping.wait(), self._broken.wait(), self._closed())
            looking.cancel()
            if stopping.is_set() and not self._broken.is_set():
                await self._finish()
            if self._error:
                raise self._error
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ready(self) -> bool:
        """Say whether every queue that there should be is consumed here, and is still there."""
        if self._wanted != self.consuming.keys():
            return False
        try:
            return all([await self.session.consumers(queue) for queue in sorted(self._wanted)[:PROBED]])
        except BROKEN:
            return False

    @property
    def consumers(self) -> tuple[int, int]:
        """How many queues are consumed here, and how many there should be."""
        return len(self.consuming), len(self._wanted)

    @property
    def oldest(self) -> float:
        """Seconds since the oldest message was taken that is being handled or waits for it; 0 when none is."""
        taken = [at for at in (self._since, self._waiting.since) if at is not None]
        return time.monotonic() - min(taken) if taken else 0.0

    async def _closed(self) -> None:
        await self.session.closed()
        self._error = self._error or ConnectionError("closed")
        self._broken.set()

    def _spawn(self, work: Awaitable[None]) -> asyncio.Future[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._error = self._error or error
            self._broken.set()

    async def _finish(self) -> None:
        for tag in list(self.consuming.values()):
            await self.session.cancel(tag)
        deadline = time.monotonic() + FINISH_WITHIN
        while self._busy and time.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)

    @property
    def _busy(self) -> bool:
        return (self._in_hand > 0 or not self._acker.idle) and not self._broken.is_set()

    async def _look_for_queues(self) -> None:
        while True:
            self._wanted = set(await outlast(self._queues))
            for queue in self._wanted - self.consuming.keys():
                if await self._is_there(queue):
                    await self._take_up(queue)
            for queue in self.consuming.keys() - self._wanted:
                await self.session.cancel(self.consuming.pop(queue))
            for queue in self._ahead.off(self.consuming):
                await self.session.cancel(self.consuming.pop(queue))
                await self._take_up(queue)
            await asyncio.sleep(LOOK_FOR_QUEUES_EVERY)

    async def _take_up(self, queue: str) -> None:
        """Consume a queue. One that ends the connection by it keeps the others from being consumed once, not for ever.

        RabbitMQ does so where a queue is known and its process is gone.
        """
        before = self._tried.get(queue, Tried())
        self._tried[queue] = before.again()
        prefetch = self._ahead.give(queue, max(4, PREFETCH_IN_ALL // len(self._wanted)))
        self.consuming[queue] = await self.session.consume(queue, self._taker(queue), prefetch)
        del self._tried[queue]

    async def _is_there(self, queue: str) -> bool:
        """Ask on a channel of its own: consuming a queue that is missing would close that of all the others."""
        if time.monotonic() < max(self._missing.get(queue, 0), self._tried.get(queue, Tried()).not_before):
            return False
        try:
            await self.session.consumers(queue)
        except BROKEN:
            self._missing[queue] = time.monotonic() + LOOK_AGAIN_AFTER
            log.warning("queue missing", queue=queue)
            return False
        return True

    def _forget(self, cancelled: str) -> None:
        self.consuming = {queue: tag for queue, tag in self.consuming.items() if tag != cancelled}

    def _taker(self, queue: str) -> Take:
        again, kind = is_again(queue), ".".join(queue.split(".")[:2])
        deliveries, redeliveries = metrics.DELIVERIES.labels(kind), metrics.REDELIVERIES.labels(kind)

        async def take(message: DeliveredMessage) -> None:
            deliveries.inc()
            self._ahead.note(queue, len(message.body))
            if message.redelivered:
                redeliveries.inc()
            delivery = first_sent(queue, message) if again else Delivery(queue, message)
            self._in_hand += 1
            self._acker.expect(delivery.tag)
            self._enqueue(delivery)

        return take

    def _enqueue(self, delivery: Delivery) -> None:
        self._waiting.put(delivery)
        self._arrived.set()

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                if self._gather and len(self._waiting) < self._at_most:
                    await asyncio.sleep(self._gather)
                group = self._waiting.take(self._at_most)
                metrics.GROUP_SIZE.observe(len(group))
                self._since, begun = min(delivery.taken_at for delivery in group), time.monotonic()
                with stages.handling(self._since):
                    await self._handle_patiently(group)
                self._waiting.took(time.monotonic() - begun)
                self._since = None

    async def _handle_patiently(self, group: Sequence[Delivery]) -> None:
        """Handle a group, and have what comes of it sent; one that cannot be handled together, half by half."""
        half, results = len(group) // 2, list[Result]()
        try:
            results += await outlast(lambda: self._handle(group))
        except (Impatient, *BROKEN):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the others
            if not half:
                results += [Handled([_park(group[0], type(error).__name__, where(error), place_of(error))])]
        if results:
            await self._have_sent(list(zip(group, results, strict=True)))
            return
        # Not before the error is gone: with it goes all that had been read for the whole.
        await self._handle_patiently(group[:half])
        await self._handle_patiently(group[half:])

    async def _have_sent(self, group: Sequence[tuple[Delivery, Result]]) -> None:
        """Have it sent while the next group is handled, unless so much waits for the broker that none may be begun."""
        sending = self._spawn(self._send(group))
        self._sending[sending] = sum(len(o.body) for _, one in group if isinstance(one, Handled) for o in one.outgoing)
        sending.add_done_callback(self._sending.pop)
        while sum(self._sending.values()) > UNCONFIRMED:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)

    async def _send(self, group: Sequence[tuple[Delivery, Result]]) -> None:
        done = [(delivery, result) for delivery, result in group if isinstance(result, Handled)]
        for delivery, result in group:
            if isinstance(result, Later):
                asyncio.get_running_loop().call_later(result.seconds, self._enqueue, delivery)
        with metrics.PUBLISHING.time():
            await asyncio.gather(*(self._publish(d, out) for d, result in done for out in result.outgoing))
        self._acker.done(delivery.tag for delivery, _ in done)
        self._in_hand -= len(done)

    async def _publish(self, cause: Delivery, message: Outgoing) -> None:
        try:
            await self._hand_over(message)
        except Unroutable:
            await self.session.publish(_set_aside(cause, message))
        except TooLarge:
            await self.session.publish(_park(cause, "too large", [message.routing_key]))

    async def _hand_over(self, message: Outgoing) -> None:
        """Publish. Raises `Unroutable` also when an inbox has taken nothing for so long that it is not the broker.

        Until then one that refuses is tried again, while what goes elsewhere goes on. The exchange's own queues are
        waited for: without them nothing goes on.
        """
        key = message.routing_key
        while self._deaf.worth_trying(key):
            try:
                await self.session.publish(message)
            except DeliveryError:
                if not owner_of(key):
                    raise
                self._deaf.unheard(key)
            except TimeoutError:
                if not (owner_of(key) and self._deaf.unheard(key)):
                    raise
            else:
                self._deaf.heard(key)
                return
            await asyncio.sleep(TRY_AGAIN_AFTER)
        raise Unroutable(key)


def _set_aside(cause: Delivery, message: Outgoing) -> Outgoing:
    """Park what a message says, not its cause: it may speak for others of the group too."""
    metrics.PARKED.labels("unroutable").inc()
    log.error("parked", queue=cause.lane, message_id=message.message_id, reason="unroutable")
    return unroutable(cause.lane, message)


def _park(delivery: Delivery, reason: str, places: list[str], place: str = "") -> Outgoing:
    metrics.PARKED.labels(reason).inc()
    message_id = delivery.message.header.properties.message_id
    log.error("parked", queue=delivery.lane, message_id=message_id, reason=reason, where=places)
    return parked(delivery.lane, delivery.message, reason, place)


async def first(*awaitables: Awaitable[object]) -> None:
    """Return when one of them has; the others are cancelled."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
