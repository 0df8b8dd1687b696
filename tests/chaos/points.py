"""The points of the chain at which a service is killed or frozen, and the wait until one of its processes comes by."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.broker.faulty import arm, disarm

MET_WITHIN: Final = 40.0
"""Seconds. The rarest points are come by at a new system's account, and when lists are compared: every 20 or 30."""
LOOK_EVERY: Final = 0.02

CASE_POINTS: Final = (
    "before the write",
    "between write and publish",
    "before the first publish",
    "between two publishes",
    "between publish and acknowledgement",
    "after the acknowledgement",
)
POINTS: Final[dict[str, tuple[str, ...]]] = {
    "casework": CASE_POINTS,
    "translation": CASE_POINTS[2:],
    "registry": (*CASE_POINTS, "before an event is passed on", "after an event is passed on"),
    "provisioner": ("before the account is made", "after the account is made", "after an event is passed on"),
    "notifier": (
        "before plans are kept",
        "between plans and notices",
        "between a turn and its mail",
        "between binding and sending",
        "before a mail is handed over",
        "between a mail and its record",
        "between a record and the end of its turn",
        "between publish and acknowledgement",
    ),
}
AT_POINTS: Final = tuple(f"{service}: {point}" for service, points in POINTS.items() for point in points)


class NeverMet(Exception):
    """No process came by: nothing was done to any."""


async def met(mark: Path, point: str, number: signal.Signals, within: float = MET_WITHIN) -> None:
    """Return when a process has come by the point, and has sent itself the signal. Raises `NeverMet` after a while."""
    arm(mark, point, number)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while _is_armed(mark):  # noqa: ASYNC110 - who dies tells nobody
                    await asyncio.sleep(LOOK_EVERY)
    finally:
        nobody = disarm(mark)
    if nobody:
        raise NeverMet(point)


def _is_armed(mark: Path) -> bool:
    return mark.exists()
