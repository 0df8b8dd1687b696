"""Casework's settings."""

import base64
from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr

from services.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Besides the common ones: the calendar, the keys, what a demonstration shortens, and what a restore raises."""

    keys: Path
    """The folder of the months' keys, which all replicas share and no backup of the database holds."""
    root_keys: SecretStr
    """32 bytes in base64, by which those are wrapped; after a rotation the new one, a comma, and the old one."""
    day: timedelta = timedelta(days=1)
    """How long a day of a period lasts. Only demonstrations make it shorter, and then no calendar counts."""
    calendar: Path | None = None
    """A file of official lists of public holidays, which go before the library's (docs/deadlines.md)."""
    epoch: int = 1
    """Raised after the database was restored from a backup: counts before a case's version."""
    sweep_every: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Seconds after which a replica looks again for what is due."""
    count_every: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """Seconds after which it counts again, for the scoreboard, what has moved and then rested for so long."""

    def roots(self) -> list[bytes]:
        """Return the root keys, the one that wraps first. Raises ValueError, without quoting them."""
        return [base64.b64decode(key.strip()) for key in self.root_keys.get_secret_value().split(",")]
