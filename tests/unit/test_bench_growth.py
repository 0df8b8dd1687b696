"""What grows is compared turn by turn, so that a machine that is busy for a while decides nothing."""

from typing import Any

import pytest

from bench.growth import compared, failures
from bench.rounds import Round

SMALL, LARGE = 0, 1_000
MEMORY = dict.fromkeys(("registry", "provisioner", "casework", "translation", "notifier"), 64.0)
BURST = {
    "commands_per_s_by_quarter": [1_000.0, 500.0, 480.0, 520.0],
    "unanswered": 0,
    "answered_twice": 0,
    "refused": 0,
    "peak_mb": MEMORY | {"mongodb": 900.0},
}
FLAT = {"slower": 1.0, "more_cpu": 1.0, "lost": 0}


def played(closed: int, cpu: float) -> Round:
    """A round of ten seconds."""
    return Round("exchange", closed, 10.0, {"casework": cpu, "load": 9.0}, {"casework": 90.0})


def result(**changes: Any) -> dict[str, Any]:
    """A result with nothing wrong, but for the changes."""
    idle = MEMORY | {"rabbitmq": 140.0}
    return {"idle_mb": idle, "idle_full_mb": idle, "cases": FLAT, "burst": BURST, **changes}


def test_a_busy_machine_slows_both_sizes_of_a_turn() -> None:
    """The first turn had half the machine: within it, the sizes are alike."""
    turns = [{SMALL: played(500, 8.0), LARGE: played(500, 8.0)}, {SMALL: played(1_000, 6.0), LARGE: played(1_000, 6.0)}]
    figures = compared(turns)
    assert (figures["slower"], figures["more_cpu"]) == (1.0, 1.0)


def test_what_takes_twice_the_processor_is_found_whatever_the_clock_says() -> None:
    """The load's own processor does not count."""
    figures = compared([{SMALL: played(900, 6.0), LARGE: played(900, 12.0)}] * 3)
    assert (figures["slower"], figures["more_cpu"]) == (1.0, 2.0)
    assert figures["cpu_ms_per_case"] == {"0": 6.0, "1000": 12.0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cases": FLAT | {"slower": 1.31}}, "with more cases 1.31 times slower"),
        ({"areas": FLAT | {"more_cpu": 1.4}}, "with more areas 1.4 times more processor"),
        ({"cases": FLAT | {"lost": 2}}, "cases: 2 lost or doubled"),
        ({"idle_mb": MEMORY | {"notifier": 70.1}}, "notifier has 70.1 MB idle"),
        ({"idle_full_mb": MEMORY | {"registry": 81.0}}, "registry has 81.0 MB idle, with everything stored"),
        ({"burst": BURST | {"commands_per_s_by_quarter": [300.0, 400.0, 400.0, 400.0]}}, "commands/s by quarters"),
        ({"burst": BURST | {"unanswered": 3}}, "3 commands unanswered"),
        ({"burst": BURST | {"refused": 20_000}}, "20000 commands refused"),
        ({"idle_mb": {name: MEMORY[name] for name in MEMORY if name != "casework"}}, "casework was not measured idle"),
        ({"burst": BURST | {"peak_mb": MEMORY | {"translation": 220.0}}}, "translation has 220.0 MB in a burst"),
    ],
)
def test_what_is_not_as_it_must_be_is_said(changes: dict[str, Any], words: str) -> None:
    """Each in a sentence; the servers' memory is theirs."""
    assert failures(result()) == []
    (said,) = failures(result(**changes))
    assert said.startswith(words)
