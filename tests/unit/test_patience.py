"""FastStream's broker waits for RabbitMQ when it starts."""

import pytest
from aiormq.exceptions import AMQPConnectionError
from faststream.rabbit import RabbitBroker

from services.chassis import patience
from services.chassis.patience import PatientBroker


class Connection:
    def __init__(self) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("fault", [ConnectionRefusedError(), AMQPConnectionError(), TimeoutError(), RuntimeError()])
async def test_a_broker_that_cannot_start_is_started_anew_and_nothing_is_left_of_the_attempt(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """Whatever the fault: each attempt's connection is closed, even when it cannot be stopped; the last one stands."""
    connections = list[Connection]()

    async def start(broker: RabbitBroker) -> None:
        connections.append(Connection())
        broker._connection = connections[-1]  # type: ignore[assignment]
        if len(connections) < 3:
            raise fault

    async def stop(broker: RabbitBroker, *_: object) -> None:
        raise ExceptionGroup("Failed to stop subscribers", [RuntimeError()])

    monkeypatch.setattr(RabbitBroker, "start", start)
    monkeypatch.setattr(RabbitBroker, "stop", stop)
    monkeypatch.setattr(patience, "_AGAIN_AFTER", 0.0)
    broker = PatientBroker("amqp://nobody@localhost/", logger=None)
    await broker.start()
    assert [one.closed for one in connections] == [True, True, False]
    assert broker._connection is connections[-1]  # type: ignore[comparison-overlap]
