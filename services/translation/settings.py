"""Translation's settings."""

from pydantic import Field, HttpUrl, SecretStr

from services.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What translation needs besides what every service does."""

    language_guard: bool = True
    """Whether free text that seems to be in another language than its mark says is told of."""
    machine_translation_url: HttpUrl | None = None
    """A service in the form of LibreTranslate's API, `…/translate`; without it nothing leaves the exchange."""
    machine_translation_key: SecretStr | None = None
    machine_translation_timeout: float = Field(default=10, gt=0, le=120, allow_inf_nan=False)
    """Seconds that one text may take."""
