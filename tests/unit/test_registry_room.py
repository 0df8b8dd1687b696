"""How long the history of an authority or a system grows: what a party repeats ends before what others need does."""

import itertools
from typing import Any, get_args

import pytest
from pydantic_core import to_json

from contracts.directory import AuthorityHappening, SystemHappening
from contracts.refusal import Refusal
from contracts.registry import DecideChange, GrantAccess, Register, Scope
from contracts.sentences import REFUSALS
from contracts.topology import MAX_MESSAGE_SIZE
from services.registry.authority import Entry, authority_from
from services.registry.lifecycle import LIFECYCLE
from services.registry.room import MOST, MOST_BY_COORDINATORS, within
from tests.unit.registering import NATIONAL, SUBJECT, command_of, decided

OWN = {"applied", "updated", "change-proposed", "access-granted", "rotated"}
COORDINATORS = {"access-withdrawn", "reinstated", "system-assigned"}
WHATEVER = sorted({*get_args(AuthorityHappening), *get_args(SystemHappening)})


def history(size: int) -> list[dict[str, Any]]:
    """A history that takes so many bytes, more or less: in a few entries, and in two bytes a letter."""
    return [{"what": "updated", "details": "ő" * (size // 8)} for _ in range(4)]


@pytest.mark.parametrize("what", WHATEVER)
def test_what_a_party_repeats_ends_first_and_what_ends_its_rights_never_does(what: str) -> None:
    """In between lies what coordinators repeat; a new history has room for everything."""
    entry = {"what": what}
    full = Refusal("history-full", "of")
    assert within([], entry, "of") == entry
    assert within(history(MOST - 1000), entry, "of") == entry
    assert within(history(MOST), entry, "of") == (full if what in OWN else entry)
    assert within(history(MOST_BY_COORDINATORS - 1000), entry, "of") == (full if what in OWN else entry)
    assert within(history(MOST_BY_COORDINATORS), entry, "of") == (full if what in OWN | COORDINATORS else entry)


def test_an_entry_counts_before_it_is_added() -> None:
    """So no history is longer than the limit by what one command holds."""
    large = {"what": "updated", "details": "x" * (MOST // 2)}
    assert within([large], large, "authority") == Refusal("history-full", "authority")


def test_nothing_that_is_always_taken_is_repeated_without_something_that_is_not() -> None:
    """Else it could fill a document by itself: no way leads from a status back to it by such steps alone."""
    free = [step for step in LIFECYCLE if step.what not in OWN | COORDINATORS and step.of]
    # A decision on a change leaves the status; it ends what was proposed, and to propose is not free.
    leads = {(before, step.leads_to) for step in free for before in step.of if step.command is not DecideChange}
    reached = set(leads)
    while more := {(a, d) for (a, b), (c, d) in itertools.product(reached, leads) if b == c} - reached:
        reached |= more
    assert [pair for pair in reached if pair[0] == pair[1]] == []


def test_what_is_told_of_an_authority_whose_history_is_full_fits_into_a_message() -> None:
    """Even of one that was granted area upon area, with keywords that take as much as any do in JSON."""
    scope = Scope(competences=tuple(f"{number:064}" for number in range(200)), keywords=("\x01" * 80,) * 50)
    first = decided(command_of(Register), None)
    assert not isinstance(first, Refusal)
    entries: list[Entry] = [first]
    for number in itertools.count():
        grant = command_of(GrantAccess, NATIONAL).model_copy(update={"area": f"area-{number}", "scope": scope})
        entry = decided(grant, authority_from(SUBJECT.id, entries))
        assert not isinstance(entry, Refusal)
        if isinstance(within(entries, entry, "to"), Refusal):
            break
        entries.append(entry)
    full = authority_from(SUBJECT.id, entries)
    assert full
    assert len(full.access) > 30
    assert MAX_MESSAGE_SIZE // 2 < len(to_json(full.state())) < MAX_MESSAGE_SIZE


def test_every_refusal_has_a_sentence() -> None:
    """Those of this module, and that of an update that changes nothing."""
    assert {"history-full", "unchanged"} <= REFUSALS.keys()
