"""What every service counts, by Prometheus' conventions. No label holds anything that a sender controls.

A system's id is none of that: the registry gave it, and the lane that a command came by says it.
`docs/metrics.md` lists all metrics of all services.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

COMMANDS = Counter("imi_commands_total", "Commands by type and outcome.", ["type", "outcome"])
SYSTEMS = Counter("imi_system_commands_total", "Commands by connected system and outcome.", ["system", "outcome"])
REFUSALS = Counter("imi_refusals_total", "Refused commands by code.", ["code"])
DELIVERIES = Counter("imi_deliveries_total", "Messages taken from queues of one kind.", ["kind"])
REDELIVERIES = Counter("imi_redeliveries_total", "Messages that had been delivered before.", ["kind"])
PUBLISHED = Counter("imi_published_total", "Messages published and confirmed.", ["type"])
PUBLISHED_BYTES = Counter(
    "imi_published_bytes_total", "Bytes of the bodies of messages published and confirmed.", ["type"]
)
PARKED = Counter("imi_parked_total", "Messages parked because they cannot succeed.", ["reason"])
RETRIES = Counter("imi_retries_total", "Attempts repeated after a passing fault.", ["fault"])
GROUP_SIZE = Histogram("imi_group_size", "Messages handled together.", buckets=(1, 2, 5, 10, 20, 50, 100))
STAGE_SECONDS = Histogram("imi_stage_seconds", "Time of a group in a stage.", ["stage"], buckets=SECONDS)
WAITING = STAGE_SECONDS.labels("waiting")
"""From taking the first message of a group to beginning with the group."""
DECIDING = STAGE_SECONDS.labels("deciding")
"""The handler, without what it waits for the database."""
STORING = STAGE_SECONDS.labels("storing")
"""What the handler waits for the database, reading and writing."""
PUBLISHING = STAGE_SECONDS.labels("publishing")
"""Until the broker has confirmed all that the group says."""
DATABASE_SECONDS = Histogram(
    "imi_database_seconds", "Time of an operation of the database, until it answers.", ["operation"], buckets=SECONDS
)
DATABASE_FAILURES = Counter("imi_database_failures_total", "Operations that the database did not carry out.")
READY = Gauge("imi_ready", "1 while this replica takes messages from all its queues and its database answers.")
CONSUMERS = Gauge("imi_consumers_ready", "Queues that this replica consumes.")
CONSUMERS_WANTED = Gauge("imi_consumers_wanted", "Queues that this replica should consume.")
LAG = Gauge("imi_read_model_lag_seconds", "Seconds for which a copy may have lacked what its queue holds.", ["queue"])
OLDEST = Gauge("imi_oldest_delivery_seconds", "Age of the oldest message that this replica has taken and not handled.")
BUILD = Gauge("imi_build_info", "1, with what runs here.", ["service", "version", "python"])


def begin_at_nothing(fault: str = "AutoReconnect", reasons: tuple[str, ...] = ("unroutable", "too large")) -> None:
    """Show counters before they count: an increase from nothing to one is none to Prometheus."""
    RETRIES.labels(fault)
    for reason in reasons:
        PARKED.labels(reason)
