"""A service's process that kills itself, once, at a named point of the chain. Nothing of this is in the services.

    IMI_TEST_MODULE=services.casework.app IMI_TEST_POINT=after-store IMI_TEST_MARK=/tmp/… python -m tests.broker.faulty

It does so only while the file IMI_TEST_MARK exists, and removes that first.
"""

import importlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from services.chassis.acker import Acker
from services.chassis.bus import Session
from services.chassis.feed import Feed
from services.chassis.histories import Histories
from services.chassis.management import Management

MARK = Path(os.environ["IMI_TEST_MARK"])


def die() -> None:
    """End as if the power went, the first time that it is armed."""
    if MARK.exists():
        MARK.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def before(owner: type, name: str) -> None:
    """Die before the method does anything."""
    method = getattr(owner, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        die()
        return method(*args, **kwargs)

    setattr(owner, name, dying)


def after(owner: type, name: str) -> None:
    """Die when the method has done its work."""
    method = getattr(owner, name)

    async def dying(*args: Any, **kwargs: Any) -> Any:
        result = await method(*args, **kwargs)
        die()
        return result

    setattr(owner, name, dying)


POINTS: dict[str, Callable[[], None]] = {
    "before the write": lambda: before(Histories, "_write"),
    "between write and publish": lambda: after(Histories, "_write"),
    "before the first publish": lambda: before(Session, "publish"),
    "between two publishes": lambda: after(Session, "publish"),
    "between publish and acknowledgement": lambda: before(Acker, "done"),
    "after the acknowledgement": lambda: after(Session, "acknowledge"),
    "before the account is made": lambda: before(Management, "apply"),
    "after the account is made": lambda: after(Management, "apply"),
    "before an event is passed on": lambda: before(Feed, "publish"),
    "after an event is passed on": lambda: after(Feed, "publish"),
}

if __name__ == "__main__":
    POINTS[os.environ["IMI_TEST_POINT"]]()
    uvloop.run(importlib.import_module(os.environ["IMI_TEST_MODULE"]).main())
