"""What an authority is told of its own registration."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.directory import AuthorityHappening, AuthorityState
from contracts.registry import Details
from services.notifier.notices import registration_told

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def state(happened: AuthorityHappening | None, at: datetime | None = NOW, version: int = 2) -> AuthorityState:
    details = Details(country="HU", names={"hu": "Hivatal"}, city="Pécs", languages=("hu",), contacts=("a@x.example",))
    return AuthorityState(
        id="HU-ABCD1234",
        version=version,
        status="active",
        kind="authority",
        details=details,
        system="hu-hivatal",
        happened=happened,
        at=at,
    )


@pytest.mark.parametrize(
    ("happened", "kind"),
    [
        ("approved", "registration-approved"),
        ("rejected", "registration-refused"),
        ("suspended", "registration-suspended"),
        ("reinstated", "registration-reinstated"),
        ("registered", None),
        ("updated", None),
        (None, None),
    ],
)
def test_an_authority_hears_what_has_become_of_its_registration(
    happened: AuthorityHappening | None, kind: str | None
) -> None:
    """Approved, refused, suspended, let in again: once each, however often the event comes; nothing else."""
    told = registration_told(state(happened), NOW)
    assert (told.kind if told else None) == kind
    assert registration_told(state(happened), NOW + timedelta(hours=1)) == told
    if told:
        again = registration_told(state(happened, version=4), NOW)
        assert again
        assert (told.authority, told.case, told.id != again.id) == ("HU-ABCD1234", None, True)


@pytest.mark.parametrize("at", [NOW - timedelta(days=3), None])
def test_what_happened_long_ago_is_not_told_when_a_copy_begins_anew(at: datetime | None) -> None:
    """A new database hears of every authority: nobody is told again of an approval of last year."""
    assert registration_told(state("approved", at), NOW) is None
