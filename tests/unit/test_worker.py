"""The hot path: in groups to the handler, what it says out, and only then acknowledged."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiormq.exceptions import DeliveryError
from pymongo.errors import AutoReconnect

from services.chassis import deaf, faults, serving, worker
from services.chassis.bus import Outgoing, Session, Take
from services.chassis.deaf import DEAF_AFTER, FORGOTTEN_AFTER, TRIED_EVERY, Deaf
from services.chassis.delivery import Delivery, Handled, Later, Result
from services.chassis.faults import Impatient
from services.chassis.histories import TooMuch
from services.chassis.serving import LONGEST_LET_BE, Serving, Tried
from services.chassis.worker import Worker
from tests.unit.deliveries import FakeSession

LANE, OTHER = "casework.commands.hu-hivatal", "casework.commands.de-kammer"
SECRET = "Planted Person"
Handle = Callable[[Sequence[Delivery]], Awaitable[Sequence[Result]]]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for between attempts."""
    monkeypatch.setattr(faults, "_SHORTEST", 0.0)
    monkeypatch.setattr(worker, "RECONNECT_AFTER", 0.0)
    monkeypatch.setattr(serving, "TRY_AGAIN_AFTER", 0.001)
    monkeypatch.setattr(serving, "LOOK_FOR_QUEUES_EVERY", 0.001)


def said(delivery: Delivery, routing_key: str = "views") -> Handled:
    """What a handler says to a delivery: its own words."""
    return Handled([Outgoing(routing_key, "x.v1", delivery.message.body, f"id-{delivery.tag}")])


async def echo(group: Sequence[Delivery]) -> Sequence[Result]:
    """A handler that says what it was told."""
    return [said(delivery) for delivery in group]


class Running:
    """A worker's session, with the fake broker on the other side."""

    def __init__(
        self, handle: Handle, queues: Sequence[str] = (LANE,), gather: float = 0.0, deaf: Deaf | None = None
    ) -> None:
        self.session, self.stopping, self.wanted = FakeSession(), asyncio.Event(), list(queues)
        self.serving = Serving(self.session.real, self._queues, handle, gather=gather, deaf=deaf)
        self.task = asyncio.create_task(self.serving.run(self.stopping))

    async def _queues(self) -> list[str]:
        return list(self.wanted)

    async def __aenter__(self) -> "Running":
        await self.session.until(lambda: self.task.done() or set(self.wanted) <= self.session.takes.keys())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping.set()
        await asyncio.gather(self.task, return_exceptions=True)

    async def idle(self) -> None:
        """Return when everything is acknowledged."""
        await self.session.until(lambda: self.task.done() or not self.session.unacknowledged)
        assert not self.session.unacknowledged

    def bodies(self, routing_key: str) -> list[bytes]:
        """What was published under this key."""
        return [message.body for message in self.session.published if message.routing_key == routing_key]


async def test_what_waits_is_handled_as_one_group_of_at_most_a_hundred() -> None:
    """A lone message does not wait for company; a crowd is taken in portions, in order."""
    groups: list[list[bytes]] = []

    async def handle(group: Sequence[Delivery]) -> Sequence[Result]:
        groups.append([delivery.message.body for delivery in group])
        return await echo(group)

    async with Running(handle) as running:
        await running.session.deliver(LANE, b"alone")
        await running.idle()
        crowd = [str(n).encode() for n in range(150)]
        await running.session.deliver(LANE, *crowd)
        await running.idle()
    assert groups == [[b"alone"], crowd[:100], crowd[100:]]


async def test_what_nobody_waits_for_waits_for_company_unless_there_is_a_whole_group_of_it() -> None:
    """Few wait for as long as was said, and those that come meanwhile are handled with them; a hundred do not wait."""
    groups: list[list[bytes]] = []

    async def handle(group: Sequence[Delivery]) -> Sequence[Result]:
        groups.append([delivery.message.body for delivery in group])
        return await echo(group)

    async with Running(handle, gather=0.5) as running:
        await running.session.deliver(LANE, b"first")
        await asyncio.sleep(0)
        await running.session.deliver(LANE, b"second")
        await running.idle()
    crowd = [str(n).encode() for n in range(100)]
    async with Running(handle, gather=1_000.0) as running:
        await running.session.deliver(LANE, *crowd)
        await running.idle()
    assert groups == [[b"first", b"second"], crowd]


async def test_a_delivery_is_acknowledged_after_everything_it_led_to_is_published() -> None:
    """The un-acknowledged delivery is the outbox."""

    async def handle(group: Sequence[Delivery]) -> Sequence[Result]:
        (delivery,) = group
        return [Handled([*said(delivery, "views").outgoing, *said(delivery, "dates").outgoing])]

    async with Running(handle) as running:
        await running.session.deliver(LANE, b"x")
        await running.idle()
        assert running.session.log == ["published views", "published dates", "acknowledged 1"]


async def test_a_message_that_cannot_be_handled_is_parked_and_the_rest_of_its_group_goes_through() -> None:
    """Its reason is the kind of the error; the error's words stay out."""

    async def handle(group: Sequence[Delivery]) -> Sequence[Result]:
        if any(delivery.message.body == b"poison" for delivery in group):
            raise ValueError(SECRET)
        return await echo(group)

    async with Running(handle) as running:
        await running.session.deliver(LANE, b"a", b"poison", b"b")
        await running.idle()
        assert sorted(running.bodies("views")) == [b"a", b"b"]
        (parked,) = [message for message in running.session.published if message.routing_key == "parked"]
        assert parked.body == b"poison"
        assert (parked.headers["imi-reason"], parked.headers["imi-queue"]) == ("ValueError", LANE)
        assert SECRET not in str(parked.headers)


async def test_what_cannot_be_handled_together_is_handled_in_smaller_groups_and_keeps_its_order() -> None:
    """Half by half: of one that is refused as too much no more is held at once than of the largest that is not."""
    groups: list[list[bytes]] = []

    async def handle(group: Sequence[Delivery]) -> Sequence[Result]:
        if len(group) > 3:
            raise TooMuch
        groups.append([delivery.message.body for delivery in group])
        return await echo(group)

    async with Running(handle) as running:
        crowd = [str(n).encode() for n in range(10)]
        await running.session.deliver(LANE, *crowd)
        await running.idle()
        assert running.bodies("views") == crowd
    assert [one for group in groups for one in group] == crowd
    assert {len(group) for group in groups} == {2, 3}


async def test_nothing_more_is_handled_while_too_much_waits_for_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few messages are handled while those before them are under way; of large ones not as many as have come."""
    monkeypatch.setattr(serving, "UNCONFIRMED", 4 * 10)
    handled, confirming = list[bytes](), asyncio.Event()

    async def handle(group: Sequence[Delivery]) -> Sequence[Result]:
        if len(group) > 1:
            raise TooMuch
        handled.extend(delivery.message.body for delivery in group)
        return await echo(group)

    async with Running(handle) as running:
        publish = running.session.real.publish

        async def slowly(message: Outgoing) -> None:
            await confirming.wait()
            await publish(message)

        monkeypatch.setattr(running.session.real, "publish", slowly)
        await running.session.deliver(LANE, *[b"x" * 10] * 8)
        await running.session.until(lambda: len(handled) == 5)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(handled) == 5
        confirming.set()
        await running.idle()
        assert len(handled) == 8


async def test_a_parked_message_keeps_what_is_certain_and_no_header_of_its_senders() -> None:
    """Who, by which exchange, under which key: what the broker vouches for."""

    async def handle(_: Sequence[Delivery]) -> Sequence[Result]:
        raise ValueError

    async with Running(handle) as running:
        await running.session.deliver(LANE, b"x", headers={"x-death": [], "imi-user": "forged"})
        await running.idle()
        (parked,) = running.session.published
        assert str(parked.headers["imi-place"]).startswith("services/chassis/")
        assert {**parked.headers, "imi-place": ""} == {
            "imi-reason": "ValueError",
            "imi-place": "",
            "imi-queue": LANE,
            "imi-exchange": "in.hu-hivatal",
            "imi-routing-key": "registry.search.v1",
            "imi-user": "hu-hivatal",
            "imi-message-id": "message-1",
            "imi-redelivered": False,
        }


async def test_what_is_put_off_comes_again_and_is_not_acknowledged_before() -> None:
    """The others of its group do not wait for it."""
    attempts = itertools.count(1)

    async def handle(group: Sequence[Delivery]) -> Sequence[Result]:
        return [
            Later(0.0) if d.message.body == b"early" and next(attempts) < 3 else said(d)
            for d in group
        ]  # fmt: skip

    async with Running(handle) as running:
        await running.session.deliver(LANE, b"early", b"a")
        await running.idle()
        assert running.bodies("views") == [b"a", b"early"]
        assert running.session.log[-1] == "acknowledged 1"
        assert next(attempts) == 4, "put off twice, handled once"


async def test_what_no_queue_takes_is_parked_and_acknowledged() -> None:
    """Its addressee is gone: waiting would not bring it back."""
    async with Running(echo) as running:
        running.session.unroutable.add("views")
        await running.session.deliver(LANE, b"x")
        await running.idle()
        (parked,) = running.session.published
        assert (parked.routing_key, parked.headers["imi-reason"]) == ("parked", "unroutable")


INBOX = "inbox.de-kammer"


async def to_an_inbox(group: Sequence[Delivery]) -> Sequence[Result]:
    """A handler that says to one system what came by its lane, and to the next service the rest."""
    return [said(one, INBOX if one.message.body.startswith(b"inbox") else "views") for one in group]


async def test_an_inbox_that_refuses_is_tried_again_and_what_goes_elsewhere_goes_on() -> None:
    """The session lasts, and what was refused at first comes as soon as the inbox takes it."""
    async with Running(to_an_inbox) as running:
        running.session.refusing.add(INBOX)
        await running.session.deliver(LANE, b"inbox")
        await running.session.until(lambda: running.serving.oldest == 0)
        await running.session.deliver(LANE, b"other")
        await running.session.until(lambda: running.bodies("views") == [b"other"])
        assert running.session.unacknowledged == {1}
        running.session.refusing.clear()
        await running.idle()
        assert (running.bodies(INBOX), running.bodies("parked")) == ([b"inbox"], [])


@pytest.mark.parametrize("fault", ["refusing", "silent"])
async def test_what_goes_to_an_inbox_that_takes_nothing_for_long_is_parked(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is not the broker; the inbox is tried now and then, and served again when it takes something."""
    now, known = Clock(monkeypatch), Deaf()
    known.unheard(INBOX)
    now.at += DEAF_AFTER
    async with Running(to_an_inbox, deaf=known) as running:
        broken: set[str] = getattr(running.session, fault)
        broken.add(INBOX)
        await running.session.deliver(LANE, b"inbox 1")
        await running.idle()
        broken.clear()
        await running.session.deliver(LANE, b"inbox 2")
        await running.idle()
        assert (running.bodies("parked"), running.bodies(INBOX)) == ([b"inbox 1", b"inbox 2"], []), "not tried so soon"
        now.at += TRIED_EVERY
        await running.session.deliver(LANE, b"inbox 3")
        await running.idle()
        assert running.bodies(INBOX) == [b"inbox 3"]


@pytest.mark.parametrize("key", ["views", INBOX])
async def test_a_broker_that_does_not_answer_ends_the_session_and_so_does_one_that_refuses_to_pass_on(key: str) -> None:
    """Nothing is parked for a queue without which nothing goes on, nor before it is known that the broker is there."""
    async with Running(lambda group: _to(key, group)) as running:
        (running.session.silent if key == INBOX else running.session.refusing).add(key)
        await running.session.deliver(LANE, b"x")
        with pytest.raises((TimeoutError, DeliveryError)):
            await running.task
        assert (running.session.published, running.session.unacknowledged) == ([], {1})


def test_an_inbox_that_was_not_heard_now_and_then_is_not_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one that has taken anything since."""
    now, known = Clock(monkeypatch), Deaf()
    for pause in (FORGOTTEN_AFTER + 1, DEAF_AFTER - 1, FORGOTTEN_AFTER + 1):
        assert not known.unheard(INBOX)
        now.at += pause
    known.heard(INBOX)
    assert not known.unheard(INBOX)
    now.at += DEAF_AFTER
    assert known.unheard(INBOX)
    assert known.worth_trying("inbox.other")
    assert not known.worth_trying(INBOX)


async def _to(key: str, group: Sequence[Delivery]) -> Sequence[Result]:
    return [said(one, key) for one in group]


class Clock:
    """What `deaf` takes for the time; nobody else does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 1000.0
        monkeypatch.setattr(deaf, "time", self)

    def monotonic(self) -> float:
        return self.at


async def test_a_fault_that_passes_is_waited_for_with_the_delivery_in_hand() -> None:
    """The database was away twice: the same group is shown again, nothing is parked, nothing told twice."""
    attempts = itertools.count(1)

    async def handle(group: Sequence[Delivery]) -> Sequence[Result]:
        if next(attempts) < 3:
            raise AutoReconnect
        return await echo(group)

    async with Running(handle) as running:
        await running.session.deliver(LANE, b"a", b"b")
        await running.idle()
        assert (running.bodies("views"), running.bodies("parked")) == ([b"a", b"b"], [])


BREAKS = [ConnectionError(), TimeoutError(), Impatient()]


@pytest.mark.parametrize("fault", BREAKS, ids=[type(fault).__name__ for fault in BREAKS])
async def test_a_broken_broker_ends_the_session_and_acknowledges_nothing(fault: Exception) -> None:
    """So everything comes again, to whoever consumes next."""
    async with Running(echo) as running:
        running.session.publish_fault = fault
        tags = await running.session.deliver(LANE, b"a", b"b")
        with pytest.raises(type(fault)):
            await running.task
        assert running.session.unacknowledged == set(tags)


async def test_a_database_that_stays_away_gives_the_deliveries_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before RabbitMQ would drop the consumer; nothing is parked for it."""
    monkeypatch.setattr(faults, "PATIENCE", -1.0)

    async def handle(_: Sequence[Delivery]) -> Sequence[Result]:
        raise AutoReconnect

    async with Running(handle) as running:
        await running.session.deliver(LANE, b"a")
        with pytest.raises(Impatient):
            await running.task
        assert (running.session.unacknowledged, running.session.published) == ({1}, [])


async def test_a_lost_connection_ends_the_session() -> None:
    """It is not waited for inside."""
    async with Running(echo) as running:
        running.session.close()
        with pytest.raises(ConnectionError):
            await running.task


async def test_stopping_takes_nothing_more_and_finishes_what_is_in_hand() -> None:
    """Its consumers are cancelled, and what had been taken is published and acknowledged."""
    going_on = asyncio.Event()

    async def handle(group: Sequence[Delivery]) -> Sequence[Result]:
        await going_on.wait()
        return await echo(group)

    async with Running(handle) as running:
        await running.session.deliver(LANE, b"x")
        running.stopping.set()
        await running.session.until(lambda: not running.session.takes)
        going_on.set()
        await running.task
        assert running.bodies("views") == [b"x"]


async def test_a_new_queue_is_taken_up_and_one_that_is_no_longer_wanted_is_left() -> None:
    """A newly connected system's lane is consumed without a restart."""
    async with Running(echo) as running:
        running.wanted.append(OTHER)
        await running.session.until(lambda: OTHER in running.session.takes)
        running.wanted.remove(LANE)
        await running.session.until(lambda: LANE not in running.session.takes)


async def test_a_queue_whose_consumer_the_broker_ended_is_taken_up_again() -> None:
    """It may have been made anew."""
    async with Running(echo) as running:
        running.session.takes.clear()
        running.session.tell_cancelled(f"consumer of {LANE}")
        await running.session.until(lambda: LANE in running.session.takes)


async def test_a_queue_that_ends_the_connection_does_not_keep_the_others_from_being_consumed() -> None:
    """It is let be for a while, longer each time; the next session takes up the others."""
    tried, wanted = dict[str, Tried](), [OTHER]

    class Ending(FakeSession):
        """A broker that ends the connection of whoever consumes one of the queues."""

        async def consume(self, queue: str, take: Take, prefetch: int) -> str:
            if queue == OTHER:
                raise ConnectionError(queue)
            return await super().consume(queue, take, prefetch)

    async def queues() -> list[str]:
        return wanted

    with pytest.raises(ConnectionError):
        await Serving(Ending().real, queues, echo, tried=tried).run(asyncio.Event())
    wanted.append(LANE)
    session, stopping = Ending(), asyncio.Event()
    task = asyncio.create_task(Serving(session.real, queues, echo, tried=tried).run(stopping))
    await session.until(lambda: LANE in session.takes)
    stopping.set()
    await task
    assert tried.keys() == {OTHER}


def test_a_queue_that_ends_the_connection_is_let_be_longer_each_time() -> None:
    """Up to five minutes."""
    now, tried, waits = time.monotonic(), Tried(), list[float]()
    for _ in range(12):
        tried = tried.again()
        waits.append(round(tried.not_before - now))
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == LONGEST_LET_BE


async def test_a_queue_that_is_missing_does_not_keep_the_others_from_being_consumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is asked for again from time to time; until it is there the replica is not ready."""
    monkeypatch.setattr(serving, "LOOK_AGAIN_AFTER", 0.0)
    async with Running(echo) as running:
        await running.session.until(lambda: running.serving.consuming)
        assert await running.serving.ready()
        running.session.missing.add(OTHER)
        running.wanted.append(OTHER)
        await running.session.deliver(LANE, b"x")
        await running.idle()
        await asyncio.sleep(0.01)
        assert not await running.serving.ready()
        running.session.missing.clear()
        await running.session.until(lambda: OTHER in running.serving.consuming)
        assert await running.serving.ready()


@pytest.mark.parametrize(("queues", "each"), [(1, 64), (6, 64), (10, 40), (32, 12), (300, 4)])
async def test_prefetch_is_shared_among_the_lanes(queues: int, each: int) -> None:
    """About as many in all however many systems there are, a few for each at least, and at first not all of one."""
    lanes = [f"casework.commands.s{n}" for n in range(queues)]
    async with Running(echo, lanes) as running:
        assert set(running.session.prefetches.values()) == {each}


async def test_a_worker_begins_anew_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is not there yet, a connection that is lost, a mistake of our own: none is the end."""
    sessions = [FakeSession() for _ in range(3)]
    coming: Iterator[FakeSession | Exception] = iter([ConnectionError(), *sessions])

    @asynccontextmanager
    async def open_session(_url: str, _exchange: str) -> AsyncIterator[Session]:
        following = next(coming)
        if isinstance(following, Exception):
            raise following
        yield following.real

    async def handle(group: Sequence[Delivery]) -> Sequence[Result]:
        return [] if group[0].message.body == b"mistake" else await echo(group)

    async def queues() -> list[str]:
        return [LANE]

    monkeypatch.setattr(worker, "open_session", open_session)
    working = Worker("amqp://x", "casework", queues, handle)
    await working.start()
    first, second, third = sessions
    await first.until(lambda: first.takes)
    first.close()
    await second.until(lambda: second.takes)
    await second.deliver(LANE, b"mistake")
    await third.until(lambda: third.takes)
    await third.deliver(LANE, b"x")
    await third.until(lambda: not third.unacknowledged)
    await working.stop()
    assert (second.unacknowledged, [message.body for message in third.published]) == ({1}, [b"x"])
    assert not await working.ready()


async def test_a_queue_of_large_messages_is_consumed_anew_with_fewer_ahead() -> None:
    """What stands on the line before the others' commands is bounded in bytes; nothing is lost or handled twice."""
    async with Running(echo, (LANE, OTHER)) as running:
        before = running.session.prefetches[LANE]
        large = [bytes([number]) * 512 * 1024 for number in range(20)]
        await running.session.deliver(LANE, *large)
        await running.session.until(lambda: running.session.prefetches[LANE] < before // 4)
        await running.session.deliver(LANE, b"small")
        await running.idle()
        assert sorted(running.bodies("views")) == sorted([*large, b"small"])
        assert running.session.prefetches[OTHER] == before
