"""What RabbitMQ's management API says is read as it is meant."""

import pytest

from contracts.management import read


def test_of_a_name_that_comes_twice_the_first_value_counts() -> None:
    """As RabbitMQ 4.0 says of a queue that stands still: what the queue says comes before what is remembered of it."""
    said = '[{"name": "lane", "online": [], "online": ["imi@localhost"], "state": "down", "state": "running"}]'
    assert read(said) == [{"name": "lane", "online": [], "state": "down"}]


def test_what_is_not_json_is_a_value_error() -> None:
    """A proxy's page, say."""
    with pytest.raises(ValueError, match="Expecting value"):
        read("<html>")
