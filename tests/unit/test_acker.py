"""Every delivery is acknowledged once, and none before it is done, in whatever order they are done."""

import asyncio
from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from services.chassis.acker import Acker
from tests.unit.deliveries import FakeSession


class StrictSession(FakeSession):
    """Also knows what is done, and fails over an acknowledgement of anything else."""

    def __init__(self) -> None:
        super().__init__()
        self.done: set[int] = set()

    async def acknowledge(self, delivery_tag: int, *, multiple: bool) -> None:
        """Check before and after other tasks had their turn: what is covered is covered when it is sent."""
        covered = {tag for tag in self.unacknowledged if tag == delivery_tag or (multiple and tag < delivery_tag)}
        assert covered <= self.done, "not done yet"
        await super().acknowledge(delivery_tag, multiple=multiple)


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[int, list[int], int]]:
    """Steps: so many deliveries come, these are done (each once, after it came), so often others have their turn."""
    story, came, open_tags = [], 0, set[int]()
    for _ in range(draw(st.integers(1, 8))):
        coming = draw(st.integers(0, 6))
        open_tags |= set(range(came + 1, came + coming + 1))
        came += coming
        done = draw(st.lists(st.sampled_from(sorted(open_tags)), unique=True)) if open_tags else []
        open_tags -= set(done)
        story.append((coming, done, draw(st.integers(0, 4))))
    return [*story, (0, draw(st.permutations(sorted(open_tags))), 0)]


@given(stories())
@example([(3, [3], 1), (0, [1, 2], 0)])
@example([(3, [2], 2), (2, [5, 1], 1), (0, [4, 3], 0)])
def test_every_tag_is_acknowledged_exactly_once_and_never_before_it_is_done(
    story: list[tuple[int, list[int], int]],
) -> None:
    """An acknowledgement of many covers nothing that is still open; the broker never hears of a tag twice."""
    asyncio.run(_tell(story))


async def _tell(story: list[tuple[int, list[int], int]]) -> None:
    session, came = StrictSession(), 0
    acker = Acker(session.real)
    running = asyncio.create_task(acker.run())
    for coming, done, turns in story:
        for tag in range(came + 1, came + coming + 1):
            session.unacknowledged.add(tag)
            acker.expect(tag)
        came += coming
        session.done |= set(done)
        acker.done(done)
        for _ in range(turns):
            await asyncio.sleep(0)
    await session.until(lambda: running.done() or not session.unacknowledged)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert not session.unacknowledged


async def test_what_was_done_together_is_acknowledged_with_one_frame() -> None:
    """A hundred deliveries cost the broker one acknowledgement."""
    session = FakeSession()
    acker = Acker(session.real)
    session.unacknowledged = set(range(1, 101))
    for tag in range(1, 101):
        acker.expect(tag)
    acker.done(range(100, 0, -1))
    running = asyncio.create_task(acker.run())
    await session.until(lambda: not session.unacknowledged)
    running.cancel()
    assert session.log == ["acknowledged 100"]


async def test_a_delivery_that_takes_long_does_not_hold_up_the_others() -> None:
    """Those behind it are acknowledged one by one."""
    session = FakeSession()
    acker = Acker(session.real)
    session.unacknowledged = {1, 2, 3}
    for tag in (1, 2, 3):
        acker.expect(tag)
    acker.done([2, 3])
    running = asyncio.create_task(acker.run())
    await session.until(lambda: session.unacknowledged == {1})
    running.cancel()
    assert session.log == ["acknowledged 2", "acknowledged 3"]
