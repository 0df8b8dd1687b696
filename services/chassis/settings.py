"""Settings from the environment. `IMI_X_FILE` names a file that holds `IMI_X`: for secrets."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "IMI_"
_SUFFIX = "_FILE"


class BrokerSettings(BaseSettings):
    """What every process needs: the broker, and where its own health and metrics are served."""

    # An error must not quote a password.
    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    amqp_url: SecretStr
    http_host: str = "127.0.0.1"
    http_port: int = 8000
    log_level: str = "INFO"
    version: str = "0.1.0"
    """What runs here, as its metrics say it; whoever builds images may name a build."""
    max_body: int = 256 * 1024
    """Largest body of a command, in bytes."""
    otlp_endpoint: str | None = None
    """Where traces go (OTLP over HTTP, `http://host:4318`). Without it there are none."""

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Raises `ValidationError` naming what is missing."""
        return cls(**_from_files(os.environ))


class ServiceSettings(BrokerSettings):
    """What a service needs besides: its own database."""

    mongo_url: SecretStr
    mongo_database: str
    compare_every: float = Field(default=300, gt=0, allow_inf_nan=False)
    """Seconds after which copies of the registry's data are compared with it again."""


def _from_files(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.removeprefix(_PREFIX).removesuffix(_SUFFIX).lower(): Path(path).read_text().strip()
        for name, path in environment.items()
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    }
