"""What the notifier counts besides what every service does; what is due and late from its database."""

from collections import Counter as Sum
from collections.abc import Callable
from datetime import datetime
from typing import Final, get_args

from prometheus_client import Counter, Gauge, Histogram

from services.notifier.deadlines import Kind, Stage
from services.notifier.store import Store

EVERY: Final = 10.0
"""Seconds after which the figures are read again."""

PLANNED = Counter("imi_mails_planned_total", "Steps of plans made; a plan made anew counts again.", ["kind", "step"])
SENT = Counter("imi_mails_sent_total", "Mails that the SMTP server took.", ["kind", "step"])
FAILED = Counter("imi_mails_failed_total", "Mails given up.", ["kind", "step"])
POSTPONED = Counter("imi_mails_postponed_total", "Tries after which a mail has to wait.", ["kind", "step"])
LATENESS = Histogram(
    "imi_mail_lateness_seconds",
    "From the moment for which a mail was planned until the SMTP server took it.",
    ["step"],
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400),
)
BOUNCES = Counter(
    "imi_mails_returned_total",
    "Messages in the mailbox to which mails come back, by what they were about.",
    ["about"],
)
SMTP_AWAY = Gauge("imi_smtp_away", "1 while the SMTP server takes nothing from us.")
DUE = Gauge("imi_mails_due", "What is to go out by now and has not, by the database.", ["kind", "step"])
LATE = Gauge(
    "imi_mails_late", "What was to go out more than five minutes ago and has not, by the database.", ["kind", "step"]
)
_NONE: Final = {(kind, stage): 0 for kind in get_args(Kind) for stage in get_args(Stage)}
"""What is shown where nothing is due: a figure that is not there could not be told from one that is not read."""


class Figures:
    """Reads from the database what is due and late: the same whichever replica is asked."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        """Read from `store`."""
        self._store = store
        self._clock = clock

    async def turn(self) -> None:
        """Read once, by indexes that hold nothing but what is to come. Raises what the database raises."""
        now, due, late = self._clock(), Sum(_NONE), Sum(_NONE)
        for standing in (self._store.deadlines.standing(now), self._store.waiting.standing(now)):
            async for kind, stage, how_many, of_them_late in standing:
                due[kind, stage] += how_many
                late[kind, stage] += of_them_late
        for gauge, figures in ((DUE, due), (LATE, late)):
            gauge.clear()
            for key, figure in figures.items():
                gauge.labels(*key).set(figure)
