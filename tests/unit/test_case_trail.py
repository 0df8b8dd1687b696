"""What a trail tells each reader of a case, and that it is no more than the case's view does."""

import re
from base64 import b64encode
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from contracts import own
from contracts.case import Happening
from contracts.casework import AttachFile, Content, SendRequest
from contracts.refusal import Refusal
from contracts.types import Message
from services.casework.case import Case, Entry
from services.casework.deadlines import next_of
from services.casework.knowledge import Area
from services.casework.lifecycle import decide
from services.casework.trail import trail_of
from services.casework.vault import FORGETTING, RENEWING
from services.casework.views import latest, readers_of, sees, view_of
from tests.unit.samples import (
    ACTIONS,
    AREA,
    CASE,
    COLLEAGUE,
    DE,
    HU,
    KNOWN,
    NOW,
    RECIPIENT,
    SENDER,
    STRANGER,
    Known,
    authority,
    case_of,
    request,
    rules,
    text,
)

Story = tuple[tuple[str, str], ...]
READERS = (SENDER, RECIPIENT, COLLEAGUE, DE, HU, STRANGER)
QUESTIONS = ("genuine", "why-not", "remarks")
PART = f"{CASE}.1"
TIME, GONE, PART_ANSWERED, PART_REFUSED = "time", "gone", "part answered", "part refused"
"""What happens by itself."""
START: Story = (("send", SENDER), ("message", SENDER), ("attach", SENDER))
ACCEPTED: Story = (*START, ("accept", RECIPIENT), ("message", RECIPIENT))
REPLIED: Story = (*ACCEPTED, ("reply", RECIPIENT))

STORIES: dict[str, Story] = {
    "approved": (
        ("send", SENDER), ("return", DE), ("attach", SENDER), ("save-draft", SENDER), ("send-draft", SENDER),
        ("approve", DE), ("accept", RECIPIENT),
    ),
    "discarded": (("send", SENDER), ("return", DE), ("discard", SENDER)),
    "modified": (*START, ("modify", SENDER), ("message", RECIPIENT), ("accept", RECIPIENT)),
    "withdrawn": (*START, ("withdraw", SENDER)),
    "refused": (*START, ("attach", RECIPIENT), ("refuse", RECIPIENT)),
    "corrected before acceptance": (*START, ("ask-correction", SENDER), ("consent", RECIPIENT), ("accept", RECIPIENT)),
    "corrected for the recipient": (*START, ("ask-correction", RECIPIENT), ("consent", SENDER), ("accept", RECIPIENT)),
    "corrected while answers are kept": (
        *ACCEPTED, ("save-answers", RECIPIENT), ("ask-correction", SENDER), ("consent", RECIPIENT),
        ("ask-correction", SENDER), ("ask-correction", RECIPIENT), ("reply", RECIPIENT),
    ),
    "handed on": (
        *ACCEPTED, ("assign", RECIPIENT), ("save-answers", RECIPIENT), ("attach", RECIPIENT), ("forward", RECIPIENT),
        ("message", SENDER), ("accept", COLLEAGUE), ("reply", COLLEAGUE),
    ),
    "answered in parts": (
        *ACCEPTED, ("split", RECIPIENT), ("reply", RECIPIENT), ("save-answers", RECIPIENT), (PART_ANSWERED, ""),
    ),
    "its part answered first": (*ACCEPTED, ("split", RECIPIENT), (PART_ANSWERED, ""), ("reply", RECIPIENT)),
    "answered in part, and handed on": (
        *ACCEPTED, ("split", RECIPIENT), ("reply", RECIPIENT), (PART_REFUSED, ""), ("forward", RECIPIENT),
        ("accept", COLLEAGUE), ("reply", COLLEAGUE),
    ),
    "clarified": (*REPLIED, ("ask", SENDER), ("save-answers", RECIPIENT), ("clarify", RECIPIENT), ("close", SENDER)),
    "referred": (*REPLIED, ("refer", SENDER), ("comment", HU), ("attach", SENDER), ("decide-closed", DE)),
    "standing still": (
        *START, (TIME, ""), (TIME, ""), ("message", DE), ("attach", RECIPIENT), ("accept", RECIPIENT),
        ("attach", RECIPIENT),
    ),
    "its recipient gone": (
        *ACCEPTED, ("save-answers", RECIPIENT), (GONE, RECIPIENT), ("message", SENDER), ("accept", HU), ("reply", HU),
    ),
    "its sender gone": (*ACCEPTED, (GONE, SENDER), ("reply", RECIPIENT)),
    "blocked": (*REPLIED, ("close", SENDER), (TIME, ""), ("unblock", RECIPIENT), (TIME, "")),
    "erased": (*ACCEPTED, ("ask-erasure", SENDER), ("consent", RECIPIENT)),
}  # fmt: skip


def words(said: BaseModel) -> set[str]:
    """The words in it, and the ids of files."""
    return set(re.findall(r"word-\d+|\b[0-9a-f]{32}\b", said.model_dump_json()))


def worded(body: Message, word: str) -> Message:
    """The command, with a word in all that is typed in it which stands in no other command."""
    fields = type(body).model_fields
    said: dict[str, Any] = {name: text(word) for name in ("text", "reason", "comment") if name in fields}
    if "particulars" in fields and not getattr(body, "erase", False):
        said["particulars"] = {"holder": text(word), "born": "1980-01-01"}
    if "answers" in fields:
        said["answers"] = {"genuine": "yes", "remarks": text(word)}
    if isinstance(body, Content | SendRequest):
        said |= {"questions": QUESTIONS, "wished_date": date(2026, 4, 1)}
    if isinstance(body, AttachFile):
        content = b64encode(word.encode()).decode()
        said |= {"name": f"{word}.txt", "media_type": "text/plain", "content": content}
    return body.model_copy(update=said)


class Told:
    """A case that goes on, and what each reader was shown of it after each step."""

    def __init__(self, *, approval: bool = False) -> None:
        """Nothing has happened."""
        workflow = {"refusal": True, "approval": approval}
        self.known = Known(in_force=Area(AREA.code, AREA.version, rules(workflow=workflow)))
        self.now = NOW
        self.history: list[Entry] = []
        self.seen: list[dict[str, set[str]]] = []
        self.typed: dict[str, set[str]] = {}

    @property
    def case(self) -> Case:
        """As it is now."""
        return case_of(self.history)

    def tries(self, action: str, by: str) -> bool:
        """Whether one more step is allowed: if so, it is taken."""
        case, word = self.case if self.history else None, f"word-{len(self.history)}"
        entry = decide(case, self._body(action, by, word), self.known, self.now)
        self.known.authorities = dict(KNOWN)
        if isinstance(entry, Refusal):
            return False
        if entry["what"] in {*FORGETTING, RENEWING}:  # nobody has the key any more
            self.history = [{name: one for name, one in old.items() if name != "personal"} for old in self.history]
        self.history.append({"key": f"system/{len(self.history)}", "link": "", **entry})
        if entry["by"] and entry["what"] != "corrected":
            self.typed.setdefault(entry["by"], set()).update({word, entry.get("file", word)})
        self.seen.append({reader: self.shown(reader) for reader in READERS})
        return True

    def _body(self, action: str, by: str, word: str) -> Message:
        if action == "send":
            return worded(request(), word)
        if action == TIME:
            kind, due = next_of(self.case) or ("delete", self.now.at)
            self.now = replace(self.now, at=max(self.now.at, due))
            return own.TimePassed(case=CASE, kind=kind, due=due)
        if action == GONE:
            self.known.authorities[by] = authority(by, active=False, successor=None)
            return own.AuthorityGone(case=CASE, authority=by, authority_version=2)
        if action in (PART_ANSWERED, PART_REFUSED):
            state = "replied" if action == PART_ANSWERED else "refused"
            answers = {"why-not": {"text": word, "language": "de"}}
            there = KNOWN[COLLEAGUE].side
            self.known.cases[PART] = replace(self.case, id=PART, recipient=there, state=state, answers=answers)
            return own.ChildMoved(case=CASE, child=PART, child_version=3)
        return worded(ACTIONS[action](by), word)

    def shown(self, reader: str) -> set[str]:
        """The words that the case's view has for a reader now."""
        return words(view_of(self.case, reader, latest(self.case, self.history, reader), 1))

    def told(self, reader: str) -> list[tuple[int, str, set[str]]]:
        """What the trail tells a reader now of each step: its place, what it was, the words."""
        proof = trail_of(self.case, self.history, reader, 1, whole=True)
        return [(int(step.command.split("/")[1]), step.what, words(step)) for step in proof.steps]

    def allowed(self, reader: str, place: int) -> set[str]:
        """The words that the trail may tell a reader now of the step at this place."""
        if self.case.blocked or self.case.erased:
            return set()
        then = self.seen[place][reader] if sees(self.case, reader) == "all" else set()
        return self.typed.get(reader, set()) | self.seen[-1][reader] | then

    def check(self) -> None:
        """The trail says to nobody more than it may."""
        for reader in self.case.parties:
            for place, what, said in self.told(reader):
                assert said <= self.allowed(reader, place), (reader, what, place)


def told_until(story: Story, *, steps: int | None = None) -> Told:
    """A case as it went, so far."""
    told = Told(approval=("return", DE) in story)
    for action, by in story[:steps]:
        assert told.tries(action, by), action
    return told


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_trail_says_no_more_than_the_view_does_or_did_but_for_what_its_reader_typed(story: Story) -> None:
    """After each step, to whoever has part in the case; of a blocked case it says nothing."""
    told = Told(approval=("return", DE) in story)
    for action, by in story:
        assert told.tries(action, by), action
        told.check()


def test_the_stories_have_every_step_that_there_is() -> None:
    """So that none goes untried."""
    happened = {entry["what"] for story in STORIES.values() for entry in told_until(story).history}
    assert happened == set(get_args(Happening))


@pytest.mark.parametrize("seed", range(12))
def test_nor_does_it_whatever_else_happens(seed: int) -> None:
    """Anybody does anything that is allowed, in any order."""
    chance = Random(seed)
    told = Told(approval=chance.random() < 1 / 4)
    assert told.tries("send", SENDER)
    tries = [(action, by) for action in (*ACTIONS, TIME, GONE, PART_ANSWERED, PART_REFUSED) for by in READERS]
    for _ in range(25):
        chance.shuffle(tries)
        if not any(told.case.is_party(by) and told.tries(action, by) for action, by in tries):
            break
    told.check()


READ: dict[str, tuple[str, int | None, str, str, set[str]]] = {
    "before acceptance the recipient reads nothing of the request": ("withdrawn", 2, RECIPIENT, "sent", set()),
    "nor of a message": ("withdrawn", 2, RECIPIENT, "message", set()),
    "nor of what it consented to": ("corrected before acceptance", 5, RECIPIENT, "corrected", set()),
    "from then on it does": ("corrected before acceptance", None, RECIPIENT, "corrected", {"word-0", "word-3"}),
    "of a request only as it was when it accepted": ("modified", None, RECIPIENT, "modified", {"word-3"}),
    "and not as it had been": ("modified", None, RECIPIENT, "sent", set()),
    "the sender reads all that it said": ("modified", None, SENDER, "sent", {"word-0"}),
    "the sender reads no answer that is kept": ("answered in parts", 7, SENDER, "answered", set()),
    "not even of a part": ("its part answered first", 7, SENDER, "child-moved", set()),
    "the recipient reads both": ("its part answered first", 7, RECIPIENT, "child-moved", {"word-6"}),
    "with the reply the sender reads the part's": ("its part answered first", None, SENDER, "child-moved", {"word-6"}),
    "and never what was put aside": ("answered in part, and handed on", None, SENDER, "answered", set()),
    "a reply that was clarified stays": ("clarified", None, SENDER, "replied", {"word-5"}),
    "who was called for a standstill reads nothing": ("standing still", None, DE, "sent", set()),
    "who was called for a reply reads the request": ("referred", None, HU, "sent", {"word-0"}),
    "of a blocked case the sender reads nothing": ("blocked", 8, SENDER, "sent", set()),
    "nor the recipient": ("blocked", 8, RECIPIENT, "replied", set()),
}


@pytest.mark.parametrize(("story", "steps", "reader", "what", "read"), READ.values(), ids=READ)
def test_a_trail_says_what_its_reader_may_read(
    story: str, steps: int | None, reader: str, what: str, read: set[str]
) -> None:
    """Of the last step of its kind, after so many steps."""
    assert [said for _, one, said in told_until(STORIES[story], steps=steps).told(reader) if one == what][-1:] == [read]


def test_before_acceptance_nobody_who_may_not_read_a_file_hears_that_it_came() -> None:
    """Not by its trail, its view, or a list; from then on the recipient does. Whoever put it there always does."""
    told = told_until(STORIES["refused"], steps=3)
    attached = told.history[-1]
    assert readers_of(told.case, attached) == (SENDER,)
    for reader in (RECIPIENT, STRANGER):
        assert latest(told.case, told.history, reader)["what"] == "message"
    assert "attached" not in [what for _, what, _ in told.told(RECIPIENT)]
    assert trail_of(told.case, told.history, RECIPIENT, 1, whole=True).case.event.code == "message"
    assert told.tries("attach", RECIPIENT)
    assert readers_of(told.case, told.history[-1]) == (SENDER, RECIPIENT)
    assert told.tries("accept", RECIPIENT)
    assert [what for _, what, _ in told.told(RECIPIENT)].count("attached") == 2


def test_why_a_request_was_returned_stays_on_the_senders_side() -> None:
    """The recipient, whom nothing had reached then, reads of it neither in its trail nor in the case."""
    told = told_until(STORIES["approved"])
    returned = told.history[1]
    assert returned["what"] == "returned"
    for reader, hears in ((SENDER, True), (RECIPIENT, False)):
        assert ("returned" in [what for _, what, _ in told.told(reader)]) is hears
        assert ("word-1" in told.shown(reader)) is hears
    assert set(readers_of(told_until(STORIES["approved"], steps=2).case, returned)) == {SENDER}


def test_who_takes_a_case_over_reads_the_answers_of_its_parts_once_it_has_accepted() -> None:
    """They may be personal, and came while nobody had accepted."""
    told = told_until((*ACCEPTED, ("split", RECIPIENT), (GONE, RECIPIENT), (PART_ANSWERED, "")))
    assert told.shown(HU) == set()
    assert told.tries("accept", HU)
    assert f"word-{len(ACCEPTED) + 2}" in told.shown(HU)
