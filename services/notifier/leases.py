"""Leases run out by the database's clock: those of two replicas may be further apart than a lease lasts."""

from datetime import timedelta
from typing import Final

from services.chassis.mongo import Document

NOW: Final = "$$NOW"
"""The database's time, in an expression."""


def ends(lease: timedelta) -> Document:
    """Return, as an expression, when a lease ends that begins now."""
    return {"$add": [NOW, int(lease.total_seconds() * 1000)]}
