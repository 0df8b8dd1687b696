"""What is counted of what is published: nothing that a sender wrote."""

from typing import Any, cast

from aiormq.channel import Channel
from prometheus_client import REGISTRY

from services.chassis.bus import PARKED, Outgoing, Session


class Taking:
    """A channel on which everything is confirmed."""

    async def basic_publish(self, *_: Any, **__: Any) -> None:
        """Confirm."""


async def test_what_is_parked_is_counted_by_no_word_of_its_senders() -> None:
    """A message that is put aside keeps the type that its sender made up; no label does."""
    session = Session(cast("Channel", None), cast("Channel", Taking()), "casework")
    await session.publish(Outgoing(PARKED, "planted.type", b"{}", "some-id"))
    await session.publish(Outgoing("views", "exchange.views.v1", b"{}", "other-id"))
    types = {
        sample.labels["type"] for one in REGISTRY.collect() for sample in one.samples if "published" in sample.name
    }
    assert {PARKED, "exchange.views.v1"} <= types
    assert "planted.type" not in types
