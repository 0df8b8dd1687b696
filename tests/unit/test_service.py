"""How a service's process starts."""

import itertools

import pytest
from faststream.rabbit import RabbitBroker
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

from services.chassis import faults
from services.chassis.service import Parts, assemble


class NoBroker(RabbitBroker):
    """One that is there at once, and says nothing."""

    async def start(self) -> None:
        pass


@pytest.mark.parametrize("fault", [AutoReconnect(), ServerSelectionTimeoutError()], ids=["changing", "away"])
async def test_a_service_that_starts_without_its_database_waits_for_it(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be made in it is made when it is there, one after the other."""
    monkeypatch.setattr(faults, "_SHORTEST", 0.0)
    made, attempts = list[str](), itertools.count(1)

    async def first() -> None:
        if next(attempts) < 3:
            raise fault
        made.append("first")

    async def second() -> None:
        made.append("second")

    app = assemble(Parts(NoBroker(), prepare=[first, second]))
    await app.start()
    await app.stop()
    assert made == ["first", "second"]
