"""Whom a connection trusts stands in its address, and no address in the clear is completed."""

import pytest

from contracts.addresses import trusting

CA = "/run/tls/ca.crt"


@pytest.mark.parametrize(
    ("url", "completed"),
    [
        ("amqps://u:p%2F@rabbitmq:5671/imi", f"amqps://u:p%2F@rabbitmq:5671/imi?cafile={CA}"),
        ("https://u:p@rabbitmq:15671", f"https://u:p@rabbitmq:15671/?cafile={CA}"),
        ("mongodb://u:p@a:1,b:2/?authSource=x", f"mongodb://u:p@a:1,b:2/?tls=true&tlsCAFile={CA}&authSource=x"),
        ("amqps://u:p@rabbitmq/imi?cafile=/own", "amqps://u:p@rabbitmq/imi?cafile=/own"),
    ],
)
def test_an_address_is_completed_with_the_authority(url: str, completed: str) -> None:
    """What it says of it itself stays, and doing it again changes nothing."""
    assert trusting(url, CA) == completed
    assert trusting(completed, CA) == completed


@pytest.mark.parametrize(
    "url", ["amqp://u:opensesame@rabbitmq/imi", "http://u:opensesame@rabbitmq", "mongodb://u:opensesame@a/?tls=false"]
)
def test_an_address_in_the_clear_is_refused(url: str) -> None:
    """And not quoted: it holds a password."""
    with pytest.raises(ValueError, match="certificate authority") as refused:
        trusting(url, CA)
    assert "opensesame" not in str(refused.value)
