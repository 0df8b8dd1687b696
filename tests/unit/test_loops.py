"""What a process does every so often goes on whatever happens, and ends when it is told to."""

import asyncio
from unittest.mock import patch

from services.chassis import loops
from services.chassis.loops import Loop

AN_HOUR = 3_600.0


async def test_a_turn_that_is_under_way_is_finished_before_the_loop_ends() -> None:
    """A transaction that is broken off would keep everybody else from what it had written."""
    began, go_on, done = asyncio.Event(), asyncio.Event(), list[str]()

    async def turn() -> None:
        began.set()
        await go_on.wait()
        done.append("whole")

    loop = Loop("slow", turn, 0.0)
    await loop.begin()
    await began.wait()
    ending = asyncio.create_task(loop.end())
    await asyncio.sleep(0)
    go_on.set()
    await ending
    assert done == ["whole"]
    assert not await loop.runs()


async def test_a_loop_that_rests_does_not_wait_for_its_next_turn_to_end() -> None:
    """Its pause may be long."""
    turned = asyncio.Event()

    async def turn() -> None:
        turned.set()

    loop = Loop("resting", turn, AN_HOUR)
    await loop.begin()
    await turned.wait()
    async with asyncio.timeout(10):
        await loop.end()


async def test_a_turn_that_hangs_is_broken_off() -> None:
    """A server that says nothing keeps no process from ending."""
    began = asyncio.Event()

    async def turn() -> None:
        began.set()
        await asyncio.Event().wait()

    loop = Loop("hanging", turn, 0.0)
    await loop.begin()
    await began.wait()
    with patch.object(loops, "FINISH_WITHIN", 0.01):
        async with asyncio.timeout(10):
            await loop.end()
    assert not await loop.runs()


async def test_a_turn_that_fails_is_no_end() -> None:
    """The next one may go well."""
    tries = asyncio.Queue[int]()

    async def turn() -> None:
        tries.put_nowait(1)
        raise ValueError

    loop = Loop("failing", turn, 0.0)
    await loop.begin()
    assert [await tries.get(), await tries.get()] == [1, 1]
    assert await loop.runs()
    await loop.end()
