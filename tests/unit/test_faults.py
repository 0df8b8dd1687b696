"""Which faults pass by themselves, and how they are outlasted."""

import asyncio
import itertools

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from services.chassis import faults
from services.chassis.faults import Impatient, TryAgain, outlast, passes


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for between attempts."""
    monkeypatch.setattr(faults, "_SHORTEST", 0.0)


def labelled(label: str) -> OperationFailure:
    """An error as the server labels it."""
    return OperationFailure("x", 2, {"errorLabels": [label]})


def bulk(*codes: int, unconfirmed: bool = False) -> BulkWriteError:
    """An error of a bulk write: of some of its operations, or of the majority that should have confirmed it."""
    concern = [{"code": 64, "errmsg": "x"}] if unconfirmed else []
    return BulkWriteError(
        {"writeErrors": [{"code": code, "index": 0} for code in codes], "writeConcernErrors": concern}
    )


FAULTS: list[tuple[str, Exception, bool]] = [
    ("the connection is lost", AutoReconnect(), True),
    ("the primary changed", NotPrimaryError(), True),
    ("no server is found", ServerSelectionTimeoutError(), True),
    ("the network is slow", NetworkTimeout(), True),
    ("the operation took too long", ExecutionTimeout("x", 50), True),
    ("all connections are in use", WaitQueueTimeoutError(), True),
    ("the server says so", labelled("RetryableWriteError"), True),
    ("the server says something else", labelled("Other"), False),
    ("a majority did not confirm", bulk(unconfirmed=True), True),
    ("a disk is full", bulk(14031), True),
    ("a document of several is there already", bulk(14031, 11000), False),
    ("others were in the way", TryAgain(), True),
    ("a login is not there yet", OperationFailure("x", 18), True),
    ("a command is wrong", OperationFailure("x", 9), False),
    ("a connection is refused", ConnectionRefusedError(), True),
    ("a document is there already", DuplicateKeyError("x"), False),
    ("a mistake of ours", KeyError("x"), False),
    ("a value that is wrong", ValueError("x"), False),
]


@pytest.mark.parametrize(("fault", "expected"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_fault_passes_when_the_same_may_succeed_later(fault: Exception, *, expected: bool) -> None:
    """Without anybody changing anything."""
    assert passes(fault) is expected


async def test_what_passes_is_outlasted() -> None:
    """However often it happens, what comes of it in the end is returned."""
    attempts = itertools.count(1)

    async def attempt() -> str:
        if next(attempts) <= 5:
            raise AutoReconnect
        return "done"

    assert await outlast(attempt) == "done"
    assert next(attempts) == 7


async def test_what_does_not_pass_is_raised_at_once() -> None:
    """It is not tried again."""
    attempts = itertools.count(1)

    async def attempt() -> None:
        next(attempts)
        raise KeyError

    with pytest.raises(KeyError):
        await outlast(attempt)
    assert next(attempts) == 2


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The delivery is given back; the fault is named as the cause."""
    monkeypatch.setattr(faults, "PATIENCE", -1.0)

    async def attempt() -> None:
        raise NetworkTimeout

    with pytest.raises(Impatient) as raised:
        await outlast(attempt)
    assert isinstance(raised.value.__cause__, NetworkTimeout)


async def test_whoever_waits_can_be_stopped() -> None:
    """A shutdown does not wait for the database."""

    async def attempt() -> None:
        raise AutoReconnect

    waiting = asyncio.create_task(outlast(attempt))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
