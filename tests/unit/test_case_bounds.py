"""However a case is filled: the database takes it in one document, and the broker each view of it in one message."""

import base64
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import bson
import pytest
from pydantic_core import to_json

from contracts import casework as do
from contracts import own
from contracts.refusal import Refusal
from contracts.topology import MAX_MESSAGE_SIZE
from contracts.types import Message, Part
from services.casework.case import Case, Child, Entry
from services.casework.doing import MOST_BYTES, MOST_SAID, MOST_STEPS
from services.casework.history import apply, case_from
from services.casework.keys import KeyFolder
from services.casework.lifecycle import decide
from services.casework.trail import trail_of
from services.casework.vault import Vault
from services.casework.views import view_of
from services.chassis.histories import Secret
from tests.unit.samples import (
    ACTIONS,
    ALLOCATOR,
    CASE,
    COLLEAGUE,
    HANDLER,
    KNOWN,
    NOW,
    RECIPIENT,
    SENDER,
    Known,
    case_in,
    history_until,
    text,
)

DOCUMENT = 16 * 1024 * 1024
"""Bytes that MongoDB takes in one document."""
ROOM = MAX_MESSAGE_SIZE // 2
"""Bytes of a view: what a machine translates of it and the labels of its codes come to it."""
LARGEST = 240_000
"""Characters of a file, in base64."""
WIDE, ESCAPED = "\N{GRINNING FACE}" * 4_000, "\x01" * 4_000
"""The texts that take most bytes: four a character, and six where JSON has to write a number for it."""


class Filled:
    """A case on its way to be as full as it gets, kept as it is stored."""

    def __init__(self, vault: Vault, state: str) -> None:
        self.vault = vault
        self.secret: Secret = None
        self.history = list[Entry]()
        self.known = Known()
        for entry in history_until(state):
            self._keep(entry)

    @property
    def case(self) -> Case:
        found = case_from(CASE, self.history)
        assert found
        return found

    def take(self, command: Message, case: Case) -> Case | Refusal:
        """Have the command carried out on the case as it is."""
        entry = decide(case, command, self.known, NOW)
        if isinstance(entry, Refusal):
            return entry
        self._keep(entry)
        return apply(case, self.history[-1])

    def fill(self, commands: Iterator[Message]) -> Case:
        """Carry out commands until one is refused because the case is full."""
        case: Case | Refusal = self.case
        while isinstance(case, Case):
            full, case = case, self.take(next(commands), case)
        assert case == Refusal("case-full")
        return full

    def _keep(self, entry: Entry) -> None:
        keyed = {"key": f"{'s' * 40}/{'m' * 128}", "digest": "d" * 32, **entry}
        self.secret, sealed = self.vault.sealed(CASE, self.secret, keyed)
        self.history.append({**keyed, **sealed, "link": "f" * 64})

    @property
    def stored(self) -> int:
        """Bytes of the document, as the database counts them."""
        return len(bson.encode({"_id": CASE, "history": [_without(entry) for entry in self.history]}))


def _without(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if name != "personal"}


def _bytes(part: Part) -> int:
    return len(to_json(part, exclude_none=True))


def file(number: int) -> do.AttachFile:
    """Another file as large as one may be."""
    content = base64.b64encode(f"%PDF-{number:06}".encode() + bytes(LARGEST // 4 * 3 - 11)).decode()
    return do.AttachFile(
        authority=RECIPIENT, case=CASE, name="a.pdf", media_type="application/pdf", content=content, user=HANDLER
    )


def message(words: str) -> do.SendMessage:
    """A message of the recipient's."""
    return do.SendMessage(authority=RECIPIENT, case=CASE, text=text(words), user=HANDLER)


def assign(number: int) -> do.AssignHandlers:
    """The recipient names as many as it may, by the longest names."""
    users = tuple(f"{number:04}{one:04}" + "\N{GRINNING FACE}" * 72 for one in range(50))
    return do.AssignHandlers(authority=RECIPIENT, case=CASE, users=users, user=ALLOCATOR)


def answers(words: str) -> do.SaveAnswers:
    """The recipient keeps answers, in the place of those before."""
    return do.SaveAnswers(authority=RECIPIENT, case=CASE, answers={"why-not": text(words)}, user=HANDLER)


FILLERS: dict[str, Callable[[], Iterator[Message]]] = {
    "wide messages": lambda: itertools.repeat(message(WIDE)),
    "messages that JSON escapes": lambda: itertools.repeat(message(ESCAPED)),
    "short messages": lambda: itertools.repeat(message("x")),
    "files, and then names in the clear": lambda: itertools.chain(map(file, range(20)), map(assign, itertools.count())),
    "files, and then messages": lambda: itertools.chain(map(file, range(20)), itertools.repeat(message(ESCAPED))),
    "answers put in each other's place": lambda: itertools.repeat(answers(ESCAPED)),
}


@pytest.mark.parametrize("filler", FILLERS)
def test_a_case_fits_one_document_and_each_view_one_message_whatever_fills_it(tmp_path: Path, filler: str) -> None:
    """Also after all of it was written anew to put something right: none can be filled past what servers take.

    What machine translation may add to a view, and the labels of its codes, have room besides.
    """
    filled = Filled(Vault(KeyFolder(tmp_path, [bytes(32)])), "accepted")
    full = filled.fill(FILLERS[filler]())
    assert full.version >= MOST_STEPS or full.size >= MOST_BYTES or full.said >= MOST_SAID
    for reader in (SENDER, RECIPIENT):
        assert _bytes(view_of(full, reader, filled.history[-1], 1)) < ROOM
        assert _bytes(trail_of(full, filled.history, reader, 1, whole=True)) < ROOM
    asked = decide(replace(full, said=0, size=0, version=1), ACTIONS["ask-correction"](SENDER), filled.known, NOW)
    assert not isinstance(asked, Refusal)
    filled._keep(asked)
    put_right = filled.take(ACTIONS["consent"](RECIPIENT), filled.case)
    assert isinstance(put_right, Case)
    assert filled.stored < DOCUMENT * 0.9
    assert _bytes(view_of(put_right, RECIPIENT, filled.history[-1], 1)) < ROOM


def test_files_leave_room_for_what_is_said(tmp_path: Path) -> None:
    """As many and as large as there may be: what is in them is in no view."""
    filled = Filled(Vault(KeyFolder(tmp_path, [bytes(32)])), "accepted")
    for number in range(20):
        filled.take(file(number), filled.case)
    case = filled.case
    assert len(case.files) == 20
    assert case.said < MOST_SAID // 10
    assert isinstance(filled.take(message(WIDE), case), Case)


def test_what_a_part_answers_is_not_put_to_a_case_that_is_full() -> None:
    """Else its parts could fill it past what the database takes."""
    known = Known()
    first = case_in("accepted")
    part = Child(f"{CASE}.1", KNOWN[COLLEAGUE].side, ("why-not",), "2026-04-01")
    parent = replace(first, children=(part,))
    known.cases[part.id] = replace(first, id=part.id, state="replied", answers={"why-not": "x"})
    moved = own.ChildMoved(case=CASE, child=part.id, child_version=3)
    assert not isinstance(decide(parent, moved, known, NOW), Refusal)
    full = replace(parent, size=MOST_BYTES)
    assert decide(full, moved, known, NOW) == Refusal("case-full")
    passed = own.TimePassed(case=CASE, kind="answer", due=full.answer_due or NOW.at)
    late = replace(NOW, at=passed.due + timedelta(days=1))
    assert not isinstance(decide(full, passed, known, late), Refusal), "what the exchange must do it always may"
