"""Who takes part in the demonstration."""

from dataclasses import dataclass
from typing import Final

from contracts.registry import Details, Scope


@dataclass(frozen=True)
class Member:
    """A state: its national coordinator, one authority of it, and a system for each."""

    state: str
    language: str
    coordinator: Details
    coordinator_system: str
    authority: Details
    authority_system: str


def _member(
    state: str,
    languages: tuple[str, ...],
    coordinator: tuple[str, str],
    authority: tuple[str, str, str],
    system: str,
) -> Member:
    language, domain = languages[0], f"{state.lower()}.example"
    coordinator_name, capital = coordinator
    name, city, area = authority
    return Member(
        state=state,
        language=language,
        coordinator=Details(
            country=state,
            names={language: coordinator_name},
            city=capital,
            languages=languages,
            contacts=(f"coordinator@{domain}",),
        ),
        coordinator_system=f"{state.lower()}-coordinator",
        authority=Details(
            country=state,
            names={language: name},
            city=city,
            languages=languages,
            contacts=(f"office@{domain}",),
            areas={area: Scope()},
        ),
        authority_system=system,
    )


QUALIFICATIONS: Final = "professional-qualifications"
SERVICES: Final = "services"

GERMANY: Final = _member(
    "DE",
    ("de",),
    ("Nationale IMI-Koordination", "Köln"),
    ("Zahnärztekammer Nordrhein", "Düsseldorf", QUALIFICATIONS),
    "de-zahnaerztekammer",
)
HUNGARY: Final = _member(
    "HU",
    ("hu",),
    ("Nemzeti IMI-koordinátor", "Budapest"),
    ("Oktatási Hivatal", "Budapest", QUALIFICATIONS),
    "hu-oktatasi-hivatal",
)
SPAIN: Final = _member(
    "ES",
    ("es",),
    ("Coordinador nacional del IMI", "Madrid"),
    ("Ayuntamiento de Lloret de Vistalegre", "Lloret de Vistalegre", SERVICES),
    "es-07028",
)
BELGIUM: Final = _member(
    "BE",
    ("fr", "nl"),
    ("Coordinateur national IMI", "Bruxelles"),
    ("Banque-Carrefour des Entreprises", "Bruxelles", SERVICES),
    "be-bce",
)
