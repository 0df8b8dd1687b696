"""Copies compared with what they are copies of: what is told, what is sent again, and how that goes on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from pymongo.errors import ServerSelectionTimeoutError

from contracts.directory import AuthorityState, Compare, Replayed, SystemState, Tally
from contracts.registry import Details
from contracts.topology import MAX_MESSAGE_SIZE
from services.chassis.bus import Outgoing
from services.chassis.copies import Comparing, total
from services.chassis.feed import Feed
from services.chassis.settings import ServiceSettings
from services.registry.copies import AT_MOST, Copies, State, in_messages

EMPTY = Compare(service="casework", authorities={}, systems=Tally(count=0, versions=0))
OFTEN = 0.001
tallies = st.builds(Tally, count=st.integers(1, 1000), versions=st.integers(1, 5000))
parts = st.dictionaries(st.from_regex(r"[A-Z]{2}-[0-9A-Z]", fullmatch=True), tallies, max_size=20)


class FakeFeed:
    """Keeps what was published. `faults` are raised first, one at a time; `in_queue` is what waits."""

    def __init__(self, faults: Sequence[Exception] = (), in_queue: Sequence[int] = ()) -> None:
        self.published: list[tuple[Outgoing, float | None]] = []
        self._faults = list(faults)
        self._in_queue = list(in_queue)
        self.arrived = asyncio.Event()

    @property
    def real(self) -> Feed:
        """Itself, where a feed is wanted."""
        return cast("Feed", self)

    async def waiting(self) -> int:
        """Say what waits: the next of what was given, in the end nothing."""
        return self._in_queue.pop(0) if self._in_queue else 0

    async def publish(self, message: Outgoing, expires_after: float | None = None) -> None:
        """Confirm."""
        if self._faults:
            raise self._faults.pop(0)
        self.published.append((message, expires_after))
        self.arrived.set()


async def _empty() -> Compare:
    return EMPTY


def authority(number: int, city: str = "Stadt") -> AuthorityState:
    """An authority as others are told of it."""
    details = Details(
        country="DE", names={"de": "Kammer"}, city=city, languages=("de",), contacts=("a@de.example",), areas={}
    )
    return AuthorityState(
        id=f"DE-{number:08}",
        version=1,
        status="active",
        kind="authority",
        details=details,
        access={},
        system="de-kammer",
    )


def system(number: int) -> SystemState:
    """A system as others are told of it."""
    return SystemState(id=f"de-{number}", version=1, languages=("de",), state="DE")


async def collected(states: Sequence[State]) -> list[Replayed]:
    """The messages in which the states are sent."""

    async def each() -> AsyncIterator[State]:
        for state in states:
            yield state

    return [message async for message in in_messages(each())]


async def test_a_comparison_says_what_there_is_and_lasts_until_the_next() -> None:
    """As the contract has it, to the registry's queue of comparisons."""
    feed = FakeFeed()
    await Comparing(feed.real, _empty, 300).turn()
    ((message, expires_after),) = feed.published
    assert (message.routing_key, message.type) == ("compare", Compare.TYPE)
    assert Compare.model_validate(from_json(message.body)) == EMPTY
    assert expires_after == 300


async def test_nothing_is_compared_while_what_was_sent_again_still_waits() -> None:
    """It would be sent once more."""
    feed = FakeFeed(in_queue=[7])
    comparing = Comparing(feed.real, _empty, OFTEN)
    await comparing.turn()
    assert not feed.published
    await comparing.turn()
    assert len(feed.published) == 1


FAULTS = [TimeoutError(), ConnectionResetError(), ServerSelectionTimeoutError("away"), ValueError("a bug")]


async def test_no_fault_ends_the_comparing() -> None:
    """Neither the broker's, nor the database's, nor a mistake of ours: the next comparison is made."""
    feed = FakeFeed(faults=FAULTS)
    comparing = Comparing(feed.real, _empty, OFTEN)
    assert not await comparing.runs()
    await comparing.begin()
    async with asyncio.timeout(10):
        await feed.arrived.wait()
    assert await comparing.runs()
    await comparing.end()
    assert not await comparing.runs()


async def test_comparing_ends_before_it_began() -> None:
    """A service whose start fails is stopped all the same."""
    await Comparing(FakeFeed().real, _empty, OFTEN).end()


@given(parts)
def test_a_total_is_the_sum_of_its_parts(of: dict[str, Tally]) -> None:
    """However it is parted."""
    whole = total(of)
    assert whole.count == sum(part.count for part in of.values())
    assert whole.versions == sum(part.versions for part in of.values())


@given(st.lists(st.one_of(st.builds(authority, st.integers(0, 10**8 - 1)), st.builds(system, st.integers(0, 99)))))
async def test_what_is_sent_again_is_complete_and_in_order(states: list[State]) -> None:
    """Each state once, a hundred at most in a message, and no message without any."""
    messages = await collected(states)
    authorities = [one for message in messages for one in message.authorities]
    systems = [one for message in messages for one in message.systems]
    assert authorities == [one for one in states if isinstance(one, AuthorityState)]
    assert systems == [one for one in states if isinstance(one, SystemState)]
    assert all(1 <= len(message.authorities) + len(message.systems) <= AT_MOST for message in messages)


@pytest.mark.parametrize(
    ("count", "messages"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
async def test_a_hundred_at_most_are_sent_together(count: int, messages: list[int]) -> None:
    """And as many as that, as long as there are."""
    sent = await collected([authority(number) for number in range(count)])
    assert [len(message.authorities) for message in sent] == messages


async def test_authorities_with_much_to_say_fit_into_what_the_broker_takes() -> None:
    """The fewer of them in a message, the larger they are."""
    one = authority(1)
    # Nothing that the contract lets through is as large as half a message.
    large = one.model_copy(update={"details": one.details.model_copy(update={"city": "x" * (MAX_MESSAGE_SIZE // 3)})})
    messages = await collected([large] * 5)
    assert sum(len(message.authorities) for message in messages) == 5
    assert all(len(to_json(message)) <= MAX_MESSAGE_SIZE for message in messages)


@pytest.mark.parametrize("service", ["registry", "provisioner", "de-kammer"])
async def test_only_a_service_with_copies_is_sent_anything(service: str) -> None:
    """Another's comparison is a mistake, and put aside; nothing is read for it."""
    feed = FakeFeed()
    comparison = EMPTY.model_copy(update={"service": service})
    with pytest.raises(LookupError):
        await Copies(cast("Any", _NoDatabase()), feed.real).compare(comparison)
    assert not feed.published


class _NoDatabase:
    """Collections that cannot be read."""

    def __getitem__(self, _: str) -> "_NoDatabase":
        return self

    def with_options(self, **_: Any) -> "_NoDatabase":
        return self


@pytest.mark.parametrize(("text", "every"), [("2", 2), ("0.5", 0.5)])
def test_how_often_is_a_setting(monkeypatch: pytest.MonkeyPatch, text: str, every: float) -> None:
    """In seconds."""
    _environment(monkeypatch, text)
    assert ServiceSettings.load().compare_every == every


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "often"])
def test_never_is_not_often_enough(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A service whose copies would not be compared does not start."""
    _environment(monkeypatch, text)
    with pytest.raises(ValidationError, match="compare_every"):
        ServiceSettings.load()


def _environment(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    for name in ("AMQP_URL", "MONGO_URL", "MONGO_DATABASE"):
        monkeypatch.setenv(f"IMI_{name}", "x")
    monkeypatch.setenv("IMI_COMPARE_EVERY", text)
