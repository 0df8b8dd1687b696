"""An attack that was not made, or of which there was less than is said, is no attack that gained nothing."""

import dataclasses
import json
import os
import pickle
import socket
from typing import Any

import pytest

from bench.measure import Usage, peaks
from contracts.types import Message
from tests.attack.__main__ import RSS_MB, WATCHED, Result
from tests.attack.excess import BEYOND, WORST, Excess, Worst, least, under_way
from tests.attack.named import refused
from tests.attack.rights import CASE_COMMANDS, COORDINATORS, NOBODY, about, example
from tests.attack.shapes import NO_UTF8, PROPERTIES

SOUND = Result(messages=600, fuzzed=600, rss_mb=dict.fromkeys(WATCHED, 100), case_ms=2.0, no_case_ms=2.0)


def test_of_a_run_in_which_all_is_well_nothing_is_said() -> None:
    """It ends with 0."""
    assert not list(SOUND.failures())


@pytest.mark.parametrize(
    "changes",
    [
        {"gained": ["its cases"]},
        {"restarted": ["casework"]},
        {"fuzzed": 599},
        {"unanswered": 1},
        {"doubled": 1},
        {"rss_mb": {}},
        {"rss_mb": dict.fromkeys(WATCHED - {"provisioner"}, 100)},
        {"rss_mb": {**SOUND.rss_mb, "casework": RSS_MB + 1}},
        {"lacking": ["a hundred times the fair rate: 10.0 a second instead of 1000.0"]},
        {"worst_ratio": 4.1},
        {"polite_unanswered": 1},
        {"case_ms": 3.0},
    ],
    ids=json.dumps,
)
def test_a_run_ends_with_1_when_anything_is_not_as_it_should_be(changes: dict[str, Any]) -> None:
    """What was gained or lost, and what nobody looked at."""
    assert list(dataclasses.replace(SOUND, **changes).failures())


def attempt(error: Exception | None) -> None:
    """Try something that ends so."""
    with refused(OSError, "NOT_ALLOWED"):
        if error:
            raise error


@pytest.mark.parametrize(
    ("error", "told"),
    [(None, AssertionError), (OSError("gone"), AssertionError), (KeyError("NOT_ALLOWED"), KeyError)],
    ids=["nobody refused it", "another reason", "another error"],
)
def test_what_ends_in_another_way_than_it_has_to_was_not_refused(
    error: Exception | None, told: type[Exception]
) -> None:
    """A broker that is away, or a command that could do nothing anyway, shows no right that is missing."""
    with pytest.raises(told):
        attempt(error)
    attempt(OSError("NOT_ALLOWED - access to another's inbox refused"))


@pytest.mark.parametrize(
    ("had", "lacks"),
    [
        (Excess(1000.0, 10, lasted=True), False),
        (Excess(800.0, 10, lasted=True), False),
        (Excess(799.9, 10, lasted=True), True),
        (Excess(1000.0, 9, lasted=True), True),
        (Excess(1000.0, 10, lasted=False), True),
    ],
    ids=["as it should be", "enough", "too slow", "too few connections", "ended before the others did"],
)
def test_others_that_were_not_beside_the_whole_excess_prove_nothing(had: Excess, lacks: bool) -> None:
    """Four fifths of the rate, all of the connections, to the end."""

    async def attack(*_: object) -> None: ...

    assert bool(Worst(attack, per_s=1000.0, held=10).lacks(had)) is lacks


def test_of_several_rounds_the_least_counts() -> None:
    """One without the attack is enough for the median of what the others had to be that of calm."""
    rounds = [Excess(1000.0, 0, lasted=True), Excess(5.0, 10, lasted=True), Excess(900.0, 10, lasted=False)]
    assert least(rounds) == Excess(5.0, 0, lasted=False)
    assert least([]) is None


def test_an_attack_that_ends_at_once_is_told() -> None:
    """As from a system that cannot even connect."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        name, url = next(iter(WORST)), f"amqp://de-other:x@127.0.0.1:{nobody.getsockname()[1]}/imi"
        with under_way(name, url) as excess:
            had = excess()
    assert had == Excess(0.0, 0, lasted=False)
    assert WORST[name].lacks(had)


def test_every_excess_is_of_some_extent() -> None:
    """None passes without anything that it did."""
    assert all(one.per_s or one.held for one in (WORST | BEYOND).values())


@pytest.mark.parametrize("kind", COORDINATORS, ids=[kind.TYPE for kind in COORDINATORS])
def test_what_only_a_coordinator_may_is_tried_with_bodies_that_are_right(kind: type[Message]) -> None:
    """Refused for its form, it would never come to where its rights are looked at."""
    for subject in (NOBODY, ("HU-ABCDEFGH", "hu-hivatal")):
        kind.model_validate_json(json.dumps(about(kind, *subject, by="DE-ABCDEFGH")))


@pytest.mark.parametrize("kind", CASE_COMMANDS, ids=[kind.TYPE for kind in CASE_COMMANDS])
def test_cases_of_others_are_tried_with_bodies_that_are_right(kind: type[Message]) -> None:
    """The same."""
    kind.model_validate_json(json.dumps({**example(kind), "authority": "DE-ABCDEFGH", "case": "0000-0000-0000"}))


def test_what_is_no_utf8_goes_out_as_it_is() -> None:
    """Also when another process has made it."""
    again = pickle.loads(pickle.dumps(PROPERTIES["correlated by no UTF-8"]))  # noqa: S301 - our own
    assert again["correlation_id"].encode("utf-8") == NO_UTF8.encode() == b"\xff" * 255


def test_the_most_memory_that_a_process_had_is_no_less_than_what_it_has() -> None:
    """A process that has ended is left out."""
    pids = {"this": os.getpid(), "nobody's": 2**22 + 1}
    assert peaks(pids).keys() == {"this"}
    assert peaks(pids)["this"] >= Usage.now(pids).rss["this"] - 2**20
