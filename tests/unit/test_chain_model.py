"""No loss and one effect, in every order of two commands, two replicas and a crash; and the code is what is walked."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.inbox import Views
from services.chassis import serving
from services.chassis.bus import Outgoing
from tests.model.chain import BROKEN, Chain, Command, Outcome, Rules, State, Step, beginning, explore
from tests.model.real import Documents, Replica, quiet
from tests.unit.deliveries import SYSTEM

TWO: dict[str, list[Command]] = {
    "one needs the other": [Command("a", "accept", 0), Command("b", "reply", 0)],
    "both want the same": [Command("a", "accept", 0), Command("b", "accept", 0)],
    "one sent twice": [Command("a", "accept", 0), Command("a", "accept", 0)],
    "each its own document": [Command("a", "accept", 0), Command("b", "accept", 1)],
}


@pytest.mark.parametrize("commands", TWO.values(), ids=TWO)
def test_whatever_happens_in_whatever_order_each_command_has_one_effect_and_one_outcome(
    commands: list[Command],
) -> None:
    """Every interleaving of two replicas and translation, with a crash between any two steps of any of them."""
    explored = explore(Chain(commands), beginning(commands))
    assert explored.wrong is None, explored.story
    assert explored.states > 1_000
    assert explored.ends > 0


@pytest.mark.parametrize("rules", BROKEN)
def test_the_walk_finds_what_goes_wrong_when_a_rule_is_left_out(rules: Rules) -> None:
    """Each rule is needed: without it there is a story that ends badly, and the shortest is told."""
    explored = [explore(Chain(commands, rules), beginning(commands)) for commands in TWO.values()]
    stories = [one for one in explored if one.wrong]
    assert stories
    assert all(one.story for one in stories)


class Walk:
    """The model and the code, side by side."""

    def __init__(self, commands: list[Command]) -> None:
        self.chain = Chain(commands)
        self.state = beginning(commands)
        self.documents = Documents()
        self.replicas = [Replica(self.documents) for _ in self.state.replicas]
        self.walked = Counter[str]()
        self.ids = dict[str, str]()
        """Under which message id a command's outcome was first told."""

    async def go(self, step: Step, after: State) -> None:
        """Do in the code what the model does."""
        who, what = step.who.split()[0], step.what
        if who == "replica":
            await self._do(int(step.who.split()[1]), step)
        self.walked[f"{who} {what}"] += 1
        self.state = after
        self._compare()

    async def _do(self, number: int, step: Step) -> None:
        replica, jobs = self.replicas[number], self.state.replicas[number]
        if step.what == "take":
            asked = [self.chain.commands[one] for one in step.of]
            await replica.take(*((one.key, one.asks, f"document-{one.place}") for one in asked))
        elif step.what == "crash":
            await replica.crash()
            self.replicas[number] = Replica(self.documents)
        elif step.what == "write":
            await replica.gates.pass_("write", step.of[1])
        else:
            before, told = [one for one in jobs[: step.of[0]] if one.stage == step.what], len(replica.session.published)
            await replica.gates.pass_(step.what, len(before))
            if step.what == "publish":
                self._told(jobs[step.of[0]].outcomes, replica.session.published[told:])

    def _told(self, expected: Sequence[Outcome], published: Sequence[Outgoing]) -> None:
        """What is published are the model's verdicts, each under the id that it had when it was told before."""
        views = [view for one in published for view in Views.model_validate_json(one.body).views]
        told = [(str(view.correlation_id), getattr(view.message, "status", "")) for view in views]
        assert sorted(told) == sorted((one.key, one.verdict) for one in expected)
        for view in views:
            assert self.ids.setdefault(str(view.correlation_id), view.message_id) == view.message_id

    def _compare(self) -> None:
        for place, document in enumerate(self.state.documents):
            stored = self.documents.stored.get(f"document-{place}", {})
            assert stored.get("rev", 0) == document.rev
            assert _keys(stored.get("history", ())) == [key for key, _ in document.history]
            assert _keys(stored.get("refused", ())) == list(document.refused)
        for replica, jobs in zip(self.replicas, self.state.replicas, strict=True):
            stands = [job.stage for job in jobs for _ in (job.drafts if job.stage == "write" else (job,))]
            waits = Counter(stands)
            if waits["acknowledge"]:  # one after the other
                waits["acknowledge"] = 1
            assert Counter(replica.gates.before) == waits
            assert len(replica.session.unacknowledged) == sum(len(job.deliveries) for job in jobs)

    async def end(self) -> None:
        """Stop what still runs."""
        for replica in self.replicas:
            await replica.crash()


def _keys(entries: object) -> list[str]:
    assert isinstance(entries, list | tuple)
    return [str(entry["key"]).removeprefix(f"{SYSTEM}/") for entry in entries]


async def walked(commands: list[Command], chance: Random) -> Counter[str]:
    """Walk one path from the beginning to where nothing is left to do."""
    walk = Walk(commands)
    await quiet()
    try:
        while following := list(walk.chain.steps(walk.state)):
            await walk.go(*chance.choice(following))
    finally:
        await walk.end()
    return walk.walked


@pytest.fixture
def looking_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing happens by itself in the middle of a walk."""
    monkeypatch.setattr(serving, "LOOK_FOR_QUEUES_EVERY", 3_600.0)


@pytest.mark.usefixtures("looking_rarely")
@pytest.mark.parametrize("commands", TWO.values(), ids=TWO)
def test_the_code_does_what_the_model_does(commands: list[Command]) -> None:
    """On any path, after each step the code stands where the model stands, has the same stored, and told the same.

    Every outcome has the verdict that the model gives it, and after a crash the id that it had before.
    """

    @settings(max_examples=60, deadline=None)
    @given(st.randoms(use_true_random=False))
    def on_a_path(chance: Random) -> None:
        asyncio.run(walked(commands, chance))

    on_a_path()


@pytest.mark.usefixtures("looking_rarely")
def test_the_paths_walked_hold_every_kind_of_step() -> None:
    """Or the comparison would be one of less than there is."""
    kinds = Counter[str]()
    for seed in range(40):
        kinds += asyncio.run(walked(TWO["both want the same"], Random(seed)))
    steps = {"take", "read", "write", "publish", "acknowledge", "crash"}
    assert {f"replica {step}" for step in steps} <= kinds.keys()
