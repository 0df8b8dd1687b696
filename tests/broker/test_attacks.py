"""A connected system that wants harm, by its own valid account: each attack by its name, and a sample of shapes."""

import pytest

from bench.measure import programs
from tests.attack import confusion, fuzz, identity, journal, reach, rights
from tests.attack.named import ATTACKER, Attack
from tests.world import World

pytestmark = pytest.mark.servers

ATTACKS = [*reach.ATTACKS, *identity.ATTACKS, *rights.ATTACKS, *confusion.ATTACKS, *journal.ATTACKS]


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
async def test_an_attack_gains_nothing(world: World, attack: Attack) -> None:
    """Tried with a valid account against the real broker and services; `make attack` prints what each would gain."""
    await attack.run(world)


async def test_whatever_shape_a_message_has_it_has_one_outcome(world: World) -> None:
    """Bodies by the contracts' own schemas, twisted; `make attack` sends a hundred thousand of them."""
    before = programs()
    report = await fuzz.run(world, ATTACKER, count=600, seed=1)
    assert report.sent == 600
    assert not report.unanswered, report.unanswered
    assert not report.several
    assert programs() == before
