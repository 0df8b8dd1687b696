"""Settings from the environment. `IMI_X_FILE` names a file that holds `IMI_X`: for secrets."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, FilePath, SecretStr, ValidationInfo, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.addresses import trusting

_PREFIX = "IMI_"
_SUFFIX = "_FILE"


def _encrypted(url: SecretStr, told: ValidationInfo) -> SecretStr:
    """With `ca` set, no address will do to which a password would go in the clear."""
    ca = told.data.get("ca")
    return SecretStr(trusting(url.get_secret_value(), str(ca))) if ca else url


Address = Annotated[SecretStr, AfterValidator(_encrypted)]
"""Of a server, with name and password."""


class BrokerSettings(BaseSettings):
    """What every process needs: the broker, and where its own health and metrics are served."""

    # An error must not quote a password.
    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    # Before the addresses: they are completed with it.
    ca: FilePath | None = None
    """A file of authorities of which one must have signed each server's certificate; with it, all must be encrypted."""
    amqp_url: Address
    http_host: str = "127.0.0.1"
    http_port: int = 8000
    http_certificate: FilePath | None = None
    """With `http_key`: health and metrics are served over TLS."""
    http_key: FilePath | None = None
    log_level: str = "INFO"
    version: str = "0.1.0"
    """What runs here, as its metrics say it; whoever builds images may name a build."""
    max_body: int = 256 * 1024
    """Largest body of a command, in bytes."""
    otlp_endpoint: str | None = None
    """Where traces go (OTLP over HTTP, `http://host:4318`). Without it there are none."""
    trace_share: float = Field(default=0.05, ge=0, le=1)
    """Which share is traced of what comes without a trace; what comes with one is traced as its sender says."""

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Self:
        if (self.http_certificate is None) != (self.http_key is None):
            raise ValueError("http_certificate and http_key: both or neither")
        return self

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Raises `ValidationError` naming what is missing."""
        return cls(**_from_files(os.environ))


class ServiceSettings(BrokerSettings):
    """What a service needs besides: its own database."""

    mongo_url: Address
    mongo_database: str
    compare_every: float = Field(default=300, gt=0, allow_inf_nan=False)
    """Seconds after which copies of what another service owns are compared with that again."""


def _from_files(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.removeprefix(_PREFIX).removesuffix(_SUFFIX).lower(): Path(path).read_text().strip()
        for name, path in environment.items()
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    }
