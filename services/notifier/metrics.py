"""What the notifier counts besides what every service does."""

from prometheus_client import Counter, Gauge, Histogram

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
SMTP_AWAY = Gauge("imi_smtp_away", "1 while the SMTP server takes nothing from us.")
