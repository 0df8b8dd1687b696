"""Casework's settings."""

from datetime import timedelta
from pathlib import Path

from services.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Besides the common ones: what a demonstration shortens, and what a restore raises."""

    day: timedelta = timedelta(days=1)
    """How long a day of a period lasts. Only demonstrations make it shorter, and then no calendar counts."""
    calendar: Path | None = None
    """A file of official lists of public holidays, which go before the library's (docs/deadlines.md)."""
    epoch: int = 1
    """Raised after the database was restored from a backup: counts before a case's version."""
