"""A queue that stands still is deleted and made again at the operator's word, and no other one."""

from collections.abc import Mapping
from typing import Any

import pytest

from client import remaking, topology
from client.remaking import NotBroken, remake
from contracts.topology import JOURNAL, OPERATOR, Definitions, exchange_of, inbox_of, lanes_of, queues_of

WANTED = topology.definitions(dict.fromkeys(topology.ACCOUNTS, ""))
NAMES = {one["name"] for one in WANTED["queues"]}
SYSTEM = "hu-hivatal"
LANE, INBOX = lanes_of("casework", [SYSTEM])[0], inbox_of(SYSTEM)


class Broker:
    """The exchange's queues and one system's. Those in `still` stand still, those in `soon` when first looked at."""

    def __init__(self, *still: str, soon: tuple[str, ...] = (), all_nodes: bool = True, more: str = "") -> None:
        self.still, self.soon, self.all_nodes = set(still), set(soon), all_nodes
        self.names = NAMES | set(queues_of(SYSTEM)) | ({more} - {""})
        self.done: list[tuple[str, str]] = []
        self.made: list[Definitions] = []

    async def queues(self, _: str) -> set[str]:
        return self.names

    async def standing_still(self, _: str) -> set[str]:
        found, self.soon = self.still | self.soon, set()
        return found

    async def whole(self) -> bool:
        return self.all_nodes

    async def unbind(self, binding: Mapping[str, Any], _: str) -> None:
        self.done.append(("unbound", f"{binding['source']} {binding['destination']} {binding['properties_key']}"))

    async def remove_queue(self, queue: str, _: str) -> None:
        self.done.append(("removed", queue))

    async def apply(self, definitions: Definitions) -> None:
        self.done += [("made", one["name"]) for one in definitions["queues"]]
        self.made.append(definitions)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remaking, "BETWEEN", 0)


async def test_without_a_word_nothing_is_done_and_all_are_named() -> None:
    """A dry run."""
    broker = Broker(LANE, INBOX)
    assert await remake(broker, [], WANTED) == [LANE, INBOX]
    assert broker.done == []


async def test_what_is_named_is_deleted_and_made_again_each_by_itself_and_the_others_stay() -> None:
    """With what leads to it, as the topology has it."""
    broker = Broker(LANE, INBOX, "casework.own")
    assert await remake(broker, [LANE, INBOX], WANTED) == ["casework.own"]
    assert [one for one in broker.done if one[0] != "unbound"] == [
        *(("removed", LANE), ("made", LANE)),
        *(("removed", INBOX), ("made", INBOX)),
    ]
    assert {one["source"] for one in broker.made[0]["bindings"]} == {exchange_of(SYSTEM)}
    assert {one["destination"] for one in broker.made[1]["bindings"]} == {INBOX}


async def test_while_a_lane_is_away_the_journal_does_not_take_its_commands() -> None:
    """They would be confirmed and never answered. The journal hears them again once the lane does."""
    broker = Broker(LANE)
    await remake(broker, [LANE], WANTED)
    unbound = ("unbound", f"{exchange_of(SYSTEM)} {JOURNAL} casework.%23")
    assert broker.done == [unbound, ("removed", LANE), ("made", LANE)]
    assert [one["destination"] for one in broker.made[0]["bindings"]] == [LANE, JOURNAL]


async def test_the_journal_hears_every_system_again() -> None:
    """Also those of which the exchange's own topology knows nothing."""
    broker = Broker(JOURNAL)
    await remake(broker, [JOURNAL], WANTED)
    assert {one["source"] for one in broker.made[0]["bindings"]} >= {exchange_of(SYSTEM), exchange_of(OPERATOR)}


async def test_a_queue_that_is_said_to_run_is_made_again_at_another_word() -> None:
    """It takes nothing, though the broker does not see that. Not while a node is away, nor when it is nobody's."""
    broker = Broker()
    await remake(broker, [INBOX], WANTED, running_too=True)
    assert broker.done == [("removed", INBOX), ("made", INBOX)]
    for other, name in ((Broker(all_nodes=False), INBOX), (Broker(more="mine"), "mine")):
        with pytest.raises(NotBroken, match=name):
            await remake(other, [name], WANTED, running_too=True)
        assert other.done == []


@pytest.mark.parametrize(
    ("broker", "name"),
    [
        pytest.param(Broker(INBOX), LANE, id="it-runs"),
        pytest.param(Broker(INBOX), "inbox.hu-nobody", id="there-is-none"),
        pytest.param(Broker("mine", more="mine"), "mine", id="it-is-not-the-exchanges"),
        pytest.param(Broker(LANE, all_nodes=False), LANE, id="a-node-is-away-and-has-what-is-in-it"),
        pytest.param(Broker(soon=(LANE,)), LANE, id="it-elects-a-leader"),
    ],
)
async def test_nothing_is_deleted_that_may_be_used_again(broker: Broker, name: str) -> None:
    """One name that is wrong, and none of the others is touched either."""
    with pytest.raises(NotBroken, match=name):
        await remake(broker, [*(broker.still & broker.names & {INBOX}), name], WANTED)
    assert broker.done == []
