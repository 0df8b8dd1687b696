"""What the registry is told by its environment."""

from services.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Besides the common ones: how often the broker is compared with what it should be, and what is a milestone."""

    reconcile_every: float = 60
    """Seconds."""
    milestone: int = 5_000
    """Every so many authorities, the operator is told: IMI celebrated its 5,000th, Lloret de Vistalegre."""
