"""What every service counts. No label holds anything that a sender controls."""

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Counter("imi_commands_total", "Commands by type and outcome.", ["type", "outcome"])
REFUSALS = Counter("imi_refusals_total", "Refused commands by code.", ["code"])
DELIVERIES = Counter("imi_deliveries_total", "Messages taken from queues of one kind.", ["kind"])
REDELIVERIES = Counter("imi_redeliveries_total", "Messages that had been delivered before.", ["kind"])
PUBLISHED = Counter("imi_published_total", "Messages published and confirmed.", ["type"])
PARKED = Counter("imi_parked_total", "Messages parked because they cannot succeed.", ["reason"])
RETRIES = Counter("imi_retries_total", "Attempts repeated after a passing fault.", ["fault"])
GROUP_SIZE = Histogram("imi_group_size", "Messages handled together.", buckets=(1, 2, 5, 10, 20, 50, 100))
STAGE_SECONDS = Histogram(
    "imi_stage_seconds",
    "Time of a group in a stage.",
    ["stage"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
CONSUMERS = Gauge("imi_consumers", "Queues that this replica consumes.")
