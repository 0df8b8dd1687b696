"""What is counted of what is published: nothing that a sender wrote."""

import asyncio
from typing import Any, cast

from aiormq.channel import Channel
from prometheus_client import REGISTRY

from services.chassis.bus import PARKED, Outgoing, Session
from tests.unit.test_outbox import FakeChannel


class Taking(FakeChannel):
    """A channel on which everything is confirmed."""

    def create_future(self) -> asyncio.Future[Any]:
        """Return one that has ended well."""
        confirmed = super().create_future()
        confirmed.set_result(None)
        return confirmed


async def test_what_is_parked_is_counted_by_no_word_of_its_senders() -> None:
    """A message that is put aside keeps the type that its sender made up; no label does."""
    session = Session(cast("Channel", None), Taking().real, "casework")
    await session.publish(Outgoing(PARKED, "planted.type", b"{}", "some-id"))
    await session.publish(Outgoing("views", "exchange.views.v1", b"{}", "other-id"))
    types = {
        sample.labels["type"] for one in REGISTRY.collect() for sample in one.samples if "published" in sample.name
    }
    assert {PARKED, "exchange.views.v1"} <= types
    assert "planted.type" not in types
