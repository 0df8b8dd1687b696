"""A service's process that kills itself, once, at a named point of the chain. Nothing of this is in the services.

    IMI_TEST_MODULE=services.casework.app IMI_TEST_POINT="before the write" IMI_TEST_MARK=/… python -m …

It does so when the file IMI_TEST_MARK says so (see `arm`), and removes that first.
"""

import importlib
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvloop

from services.chassis.acker import Acker
from services.chassis.bus import Session
from services.chassis.feed import Feed
from services.chassis.histories import Histories
from services.chassis.management import Management


def arm(mark: Path, point: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Have the first process that comes by the point send itself a signal: by default, end as if the power went."""
    mark.with_suffix(".new").write_text(f"{int(number)} {point}")
    mark.with_suffix(".new").rename(mark)


def disarm(mark: Path) -> bool:
    """Have nobody do so any more; say whether nobody had come by."""
    try:
        mark.unlink()
    except FileNotFoundError:
        return False
    return True


def passes(point: str) -> None:
    """Be at a point, and die there if that is armed."""
    with suppress(FileNotFoundError):
        mark = Path(os.environ["IMI_TEST_MARK"])
        number, armed = mark.read_text().split(" ", 1)
        if armed == point:
            mark.unlink()
            os.kill(os.getpid(), int(number))


def before(owner: type, name: str, point: str) -> None:
    """Have the point be before the method does anything."""
    method = getattr(owner, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        passes(point)
        return method(*args, **kwargs)

    setattr(owner, name, dying)


def after(owner: type, name: str, point: str) -> None:
    """Have the point be when the method has done its work."""
    method = getattr(owner, name)

    async def dying(*args: Any, **kwargs: Any) -> Any:
        result = await method(*args, **kwargs)
        passes(point)
        return result

    setattr(owner, name, dying)


Point = tuple[Callable[[type, str, str], None], type, str]
POINTS: dict[str, Point] = {
    "before the write": (before, Histories, "_write"),
    "between write and publish": (after, Histories, "_write"),
    "before the first publish": (before, Session, "publish"),
    "between two publishes": (after, Session, "publish"),
    "between publish and acknowledgement": (before, Acker, "done"),
    "after the acknowledgement": (after, Session, "acknowledge"),
    "before the account is made": (before, Management, "apply"),
    "after the account is made": (after, Management, "apply"),
    "before an event is passed on": (before, Feed, "publish"),
    "after an event is passed on": (after, Feed, "publish"),
}


def install(point: str, there: Point) -> None:
    """Put a point into the code."""
    how, owner, name = there
    how(owner, name, point)


def run() -> None:
    """Run the service that is asked for."""
    uvloop.run(importlib.import_module(os.environ["IMI_TEST_MODULE"]).main())


if __name__ == "__main__":
    install(os.environ["IMI_TEST_POINT"], POINTS[os.environ["IMI_TEST_POINT"]])
    run()
