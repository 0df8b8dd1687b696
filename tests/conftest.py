"""What the tests on real servers share: one exchange, started at the first use, and the world in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.exchange import Exchange, exchange
from tests.world import World, populate


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange with real RabbitMQ, MongoDB and SMTP, and one process of each service."""
    # What repairs itself every few minutes does so every few seconds here.
    copying = {name: {"IMI_COMPARE_EVERY": "2"} for name in ("casework", "translation", "notifier")}
    settings = {**copying, "registry": {"IMI_RECONCILE_EVERY": "2"}}
    with exchange(Path(tmp_path_factory.mktemp("exchange")), settings) as started:
        yield started


@pytest.fixture(scope="session")
def world(running: Exchange) -> World:
    """The exchange with its authorities."""
    return populate(running)
