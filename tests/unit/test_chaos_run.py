"""A run of `make chaos` is not taken for more than it was: what did not happen, or did not end, is seen."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.broker.faulty import disarm, passes
from tests.chaos import __main__ as program
from tests.chaos import run as running
from tests.chaos.conservation import Violation
from tests.chaos.faults import Kind
from tests.chaos.load import Load
from tests.chaos.points import NeverMet, met
from tests.chaos.record import Record
from tests.chaos.schedule import Planned, is_same
from tests.chaos.systems import Stopwatch

PLANNED = Planned(5.0, 0.0, "killed at a point", "casework: before the write", "casework")


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMI_TEST_MARK", str(tmp_path / "mark"))
    return tmp_path / "mark"


async def test_a_fault_at_a_point_waits_until_a_process_comes_by(mark: Path) -> None:
    """Who comes by another point goes on; who comes by this one gets the signal, once, and only then it has begun."""
    got = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
    waiting = asyncio.create_task(met(mark, "before the write", signal.SIGUSR1, 30))
    await asyncio.sleep(0)  # it is armed
    passes("after the write")
    await asyncio.sleep(0)
    assert not waiting.done()
    assert not got.is_set()
    passes("before the write")
    await waiting
    await got.wait()
    assert not disarm(mark)


async def test_a_point_that_nobody_comes_by_is_told_and_does_nothing_later(mark: Path) -> None:
    """After a while it is not armed any more."""
    with pytest.raises(NeverMet):
        await met(mark, "before the write", signal.SIGKILL, 0.05)
    passes("before the write")


@pytest.mark.parametrize("comes", [True, False])
async def test_only_what_was_done_is_noted_as_a_fault(comes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What awaits somebody begins when he has come; where nobody came, there was no fault."""
    now = 5.0

    @asynccontextmanager
    async def do(stage: object, target: str) -> AsyncIterator[None]:
        nonlocal now
        now = 25.0
        if not comes:
            raise NeverMet(target)
        yield
        now = 27.0

    monkeypatch.setattr(running, "kinds", lambda _: {PLANNED.name: Kind(do, (), "{}", awaits=True)})
    record, told = Record(), list[str]()
    await running._one(SimpleNamespace(), PLANNED, record, lambda: now, told.append)  # type: ignore[arg-type]
    done, never = [(one.began, one.ended) for one in record.faults], [one.target for one in record.never_met]
    assert (done, never) == (([(25.0, 27.0)], []) if comes else ([], [PLANNED.target]))
    assert len(told) == 1


@pytest.mark.parametrize(
    ("parts", "together"),
    [
        (("line casework mongodb-1", "line casework mongodb", "line casework mongodb-1"), 1),
        (("line casework mongodb-1", "line casework mongodb", "line casework mongodb-2"), 2),
    ],
)
async def test_faults_of_one_thing_wait_for_each_other_also_when_they_are_late(
    parts: tuple[str, ...], together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line to one member is left alone while a fault of all lines to the database lasts; another member's is not."""
    under_way, most = set[Planned](), 0

    async def do(_: object, one: Planned, *others: object) -> None:
        nonlocal most
        assert all(one is other or not is_same(one.part, other.part) for other in under_way)
        under_way.add(one)
        most = max(most, len(under_way))
        for _ in range(50):  # turns of the loop for which it lasts
            await asyncio.sleep(0)
        under_way.remove(one)

    monkeypatch.setattr(running, "_one", do)
    planned = [replace(PLANNED, at=0.0, length=float(number), part=part) for number, part in enumerate(parts)]
    async with asyncio.timeout(30):
        await running._do(SimpleNamespace(), planned, Record(), Stopwatch(), lambda _: None)  # type: ignore[arg-type]
    assert not under_way
    assert most == together


@pytest.mark.parametrize("stands", [True, False])
async def test_what_does_not_come_to_rest_is_a_violation(stands: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queues that never empty are told with their depths, although no system misses anything."""

    async def whole() -> None: ...

    left = ["casework.commands.de-bench: 3"] if stands else []
    monkeypatch.setattr(running, "waiting", lambda _: left)
    monkeypatch.setattr(running, "LISTENED_ON", 0.0)
    if stands:
        monkeypatch.setattr(running, "PATIENCE", 0.0)
    stage: Any = SimpleNamespace(whole=whole, exchange=None)
    _, standing = await running._settle(stage, Record(), Stopwatch(), lambda _: None)
    assert [one.kind for one in standing] == ["unsettled"] * stands
    assert all(left[0] in one.text for one in standing)


async def test_a_load_that_has_died_is_told_when_it_is_to_stop() -> None:
    """What ended it is raised; when it is only asked to end nothing is."""
    load = Load([], [], Record(), lambda: 0.0, 1)  # nobody who could ask: the first case cannot be begun
    load.begin({}, 4)
    await asyncio.sleep(0)
    with pytest.raises(IndexError):
        await load.stop()
    await load.end()
    await Load([], [], Record(), lambda: 0.0, 1).stop()


async def _fails(*_: object) -> running.Result:
    raise RuntimeError("a fault could not be undone")


def _ends(*found: Violation) -> Callable[..., Awaitable[running.Result]]:
    async def run(folder: Path, *_: object) -> running.Result:
        return running.Result(Record(), list(found), 1.0, [])

    return run


@pytest.mark.parametrize(
    ("run", "status", "stays"),
    [
        (_ends(), 0, False),
        (_ends(Violation("lost", "something has no outcome")), 1, True),
        (_fails, None, True),
    ],
    ids=["whole", "violated", "failed"],
)
def test_a_run_that_fails_leaves_its_logs(
    run: Callable[..., Awaitable[running.Result]],
    status: int | None,
    *,
    stays: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says where they are; the last line is JSON all the same. Of a run that proved what it should nothing stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["chaos"])
    monkeypatch.setattr(program, "run", run)
    if status is None:
        with pytest.raises(RuntimeError):
            program.main()
    else:
        assert program.main() == status
    folders = [folder.name for folder in Path(".local").iterdir()]
    said = capsys.readouterr().out.splitlines()
    assert len(folders) == stays
    assert any(folder in line for folder in folders for line in said) == stays
    if status is not None:
        assert json.loads(said[-1])["violations"] == status
