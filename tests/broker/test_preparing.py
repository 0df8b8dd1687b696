"""What a service needs of its database it makes at its start, while other replicas of it run."""

import asyncio
from typing import Any

import pytest

from contracts.topology import SERVICES
from tests.broker.restoring import mongo
from tests.world import World

pytestmark = pytest.mark.servers

Indexes = dict[str, dict[str, Any]]


def indexes(world: World, service: str) -> dict[str, Indexes]:
    """What each collection of a service is found by."""
    with mongo(world.exchange) as client:
        database = client[service]
        names = [name for name in database.list_collection_names() if not name.startswith("system.")]
        return {name: dict(database[name].index_information()) for name in names}


async def test_a_start_makes_the_indexes_that_are_missing_while_the_service_runs(world: World) -> None:
    """All are lost, or some, as by a start that was interrupted: the next one goes on, and so do cases meanwhile."""
    exchange, before = world.exchange, {service: indexes(world, service) for service in SERVICES}
    for service in SERVICES:
        with mongo(exchange) as client:
            for number, name in enumerate(sorted(before[service])):
                for index in list(before[service][name].keys() - {"_id_"})[number % 2 :]:
                    client[service][name].drop_index(index)
    more = [exchange.start(service) for service in SERVICES]
    async with world.both() as (asking, answering):
        sent = (await asking.do(world.request())).case
        assert sent
        assert (await answering.do(world.accept(sent.id))).case
    await asyncio.to_thread(exchange.wait_until_ready)
    for service, of in before.items():
        after = indexes(world, service)
        assert {name: after.get(name) for name in of} == of
    await asyncio.to_thread(exchange.stop, *more)
