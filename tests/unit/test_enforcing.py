"""What the provisioner does to the broker: never back to an older version, never more than it must."""

from typing import Any

import httpx
import pytest

from contracts.directory import Provision
from contracts.topology import OPERATOR, Definitions
from services.chassis.management import BrokerAway
from services.registry import enforcing
from services.registry.differences import Repair, tag_of
from services.registry.enforcing import Enforcer

NAME, HASH = "de-kammer", "A" * 48
VHOST = "imi"


class Broker:
    """Notes what is done to it, and remembers accounts."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.accounts: dict[str, dict[str, Any]] = {}

    async def apply(self, definitions: Definitions) -> None:
        for user in definitions.get("users", ()):
            self.done.append(("apply", user["name"]))
            self.accounts[user["name"]] = {**user, "tags": [user["tags"]]}

    async def account(self, user: str) -> dict[str, Any] | None:
        return self.accounts.get(user)

    async def remove_user(self, user: str) -> None:
        self.done.append(("remove_user", user))
        self.accounts.pop(user, None)

    def __getattr__(self, name: str) -> Any:
        async def note(what: Any, *_: object) -> None:
            self.done.append((name, what))

        return note

    def steps(self) -> list[str]:
        """What was done, in order; forgotten afterwards."""
        steps, self.done = [what for what, _ in self.done], []
        return steps


@pytest.fixture
def broker() -> Broker:
    """An empty one."""
    return Broker()


def enforcer_of(broker: Any) -> Enforcer:
    """A provisioner that was just started."""
    return Enforcer(broker, VHOST)


def order(version: int, **changes: Any) -> Provision:
    """What the broker should have."""
    fields = {"system": NAME, "version": version, "status": "active", "password_hash": HASH}
    return Provision.model_validate(fields | changes)


def repair(version: int, was: int, **changes: Any) -> Repair:
    """A system whose account is another than it should be."""
    return Repair(order(version, **changes), was, (), (), (), (), opened=True, broken=True)


async def test_an_older_order_never_undoes_a_newer_one(broker: Broker) -> None:
    """Not even when another provisioner has carried out the newer: the account bears its version."""
    await enforcer_of(broker).enforce(order(3, status="suspended"))
    broker.steps()
    await enforcer_of(broker).enforce(order(2))
    assert broker.steps() == []
    assert broker.accounts[NAME]["tags"] == [tag_of(3)]


async def test_an_older_list_never_undoes_a_newer_order(broker: Broker) -> None:
    """Nor does it make again what was closed meanwhile."""
    enforcer = enforcer_of(broker)
    await enforcer.enforce(order(2))
    await enforcer.enforce(order(3, status="closed"))
    broker.steps()
    assert await enforcer.repair([repair(2, was=0)]) == []
    assert broker.steps() == []


async def test_the_same_order_again_makes_the_same_again(broker: Broker) -> None:
    """Its first attempt may have ended in the middle."""
    await enforcer_of(broker).enforce(order(2))
    first = broker.steps()
    await enforcer_of(broker).enforce(order(2))
    assert broker.steps() == first


async def test_a_suspension_takes_the_permission_first_and_closes_what_was_opened_meanwhile(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is being opened while the permission goes is not seen the first time."""
    monkeypatch.setattr(enforcing, "CLOSE_AGAIN_AFTER", 0)
    enforcer = enforcer_of(broker)
    await enforcer.enforce(order(2, status="suspended"))
    await enforcer.finish()
    assert broker.steps() == ["forbid", "apply", "close_connections", "close_connections"]


async def test_a_rotation_closes_nothing(broker: Broker) -> None:
    """Neither by its order, nor by a list that was faster than the order."""
    enforcer = enforcer_of(broker)
    await enforcer.enforce(order(1))
    await enforcer.enforce(order(2, password_hash="B" * 48))
    await enforcer.repair([repair(3, was=2, password_hash="C" * 48)])
    assert set(broker.steps()) == {"apply"}


async def test_a_broker_that_has_lost_a_rotation_loses_its_connections(broker: Broker) -> None:
    """They may have been opened by the old credential."""
    enforcer = enforcer_of(broker)
    await enforcer.enforce(order(2))
    assert await enforcer.repair([repair(2, was=1)])
    assert broker.steps() == ["apply", "apply", "close_connections"]
    assert await enforcer_of(broker).repair([repair(2, was=1)])
    assert broker.steps() == ["apply", "close_connections"]


async def test_a_system_that_was_just_connected_is_no_stranger_at_once(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list that lacks it may be older; when lists go on to lack it, it goes."""
    enforcer = enforcer_of(broker)
    await enforcer.enforce(order(1))
    assert not await enforcer.remove(NAME)
    assert NAME in broker.accounts
    monkeypatch.setattr(enforcing, "DOUBT_FOR", 0)
    assert await enforcer.remove(NAME)
    assert NAME not in broker.accounts


async def test_a_list_that_has_a_system_again_ends_the_doubt(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins anew with the next list that lacks it."""
    now = [100.0]
    monkeypatch.setattr("services.registry.enforcing.time.monotonic", lambda: now[0])
    enforcer = enforcer_of(broker)
    await enforcer.enforce(order(1))
    assert not await enforcer.remove(NAME)
    await enforcer.enforce(order(2))
    now[0] += 60
    assert not await enforcer.remove(NAME)
    now[0] += 60
    assert await enforcer.remove(NAME)


async def test_a_rogue_account_goes_at_once(broker: Broker) -> None:
    """With everything that bears its name."""
    broker.accounts["de-rogue"] = {"tags": ["administrator"]}
    assert await enforcer_of(broker).remove("de-rogue")
    steps = broker.steps()
    assert steps[:2] == ["remove_user", "close_connections"]
    assert {"remove_exchange", "remove_queue"} == set(steps[2:])


async def test_a_reserved_name_is_never_touched(broker: Broker) -> None:
    """Whatever the registry's word."""
    with pytest.raises(ValueError, match="reserved"):
        await enforcer_of(broker).enforce(order(1, system=OPERATOR))
    assert broker.steps() == []


class Refusing(Broker):
    """Refuses so often what it is to make, with all of its nodes there or not."""

    def __init__(self, times: int, *, whole: bool) -> None:
        super().__init__()
        self.times, self.is_whole = times, whole

    async def apply(self, definitions: Definitions) -> None:
        self.times -= 1
        if self.times >= 0:
            request = httpx.Request("POST", "http://localhost/api/definitions")
            raise httpx.HTTPStatusError("refused", request=request, response=httpx.Response(400, request=request))
        await super().apply(definitions)

    async def whole(self) -> bool:
        return self.is_whole


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for before it is tried again."""
    monkeypatch.setattr(enforcing, "REFUSED_AGAIN_AFTER", (0.0, 0.0))


@pytest.mark.usefixtures("at_once")
async def test_what_a_broker_refuses_while_its_nodes_come_together_is_tried_again() -> None:
    """It refuses with the status of what is wrong for good: who believed it would put the order aside."""
    broker = Refusing(2, whole=True)
    await enforcer_of(broker).enforce(order(1))
    assert broker.accounts[NAME]["tags"] == [tag_of(1)]


@pytest.mark.usefixtures("at_once")
async def test_a_broker_that_refuses_while_it_lacks_a_node_is_away() -> None:
    """So the order waits, however long that is."""
    with pytest.raises(BrokerAway):
        await enforcer_of(Refusing(1, whole=False)).enforce(order(1))


@pytest.mark.usefixtures("at_once")
async def test_what_a_whole_broker_goes_on_refusing_is_wrong() -> None:
    """Then it does not keep the orders behind it waiting."""
    with pytest.raises(httpx.HTTPStatusError):
        await enforcer_of(Refusing(3, whole=True)).enforce(order(1))
