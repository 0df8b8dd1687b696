"""Any sequence of commands, by anybody, and whatever time does: a case is always one that the rules allow."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from contracts import own
from contracts.refusal import Refusal
from contracts.types import Message
from services.casework.case import DRAFTS, ENDED, Case, Entry
from services.casework.deadlines import next_of, pending
from services.casework.history import apply, case_from
from services.casework.knowledge import Area, Now
from services.casework.lifecycle import STEPS, decide
from services.casework.views import readers_of, sees, view_of
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
    request,
    rules,
)

PEOPLE = (SENDER, RECIPIENT, COLLEAGUE, STRANGER, DE, HU)
MANUAL_DATES = ("acceptance", "answer", "clarification")


class Story(RuleBasedStateMachine):
    """A case in which everybody tries everything."""

    commands = Bundle("commands")

    def __init__(self) -> None:
        """Nothing has happened."""
        super().__init__()
        self.history: list[Entry] = []
        self.case: Case | None = None
        self.now: Now = NOW
        self.known = Known()

    @initialize(approval=st.booleans(), refusal=st.booleans())
    def send(self, approval: bool, refusal: bool) -> None:
        """An area with some switches; a request in it."""
        workflow = {"approval": approval, "refusal": refusal}
        self.known.in_force = Area(AREA.code, AREA.version, rules(workflow=workflow))
        self.known.authorities = {**KNOWN}
        self._try(request(), None)
        assert self.case

    @rule(action=st.sampled_from(list(ACTIONS)), by=st.sampled_from(PEOPLE))
    def somebody_tries(self, action: str, by: str) -> None:
        """Only who takes part gets as far as the table: the desk turns others away."""
        assert self.case
        if self.case.is_party(by):
            self._try(ACTIONS[action](by), by)

    @rule(days=st.integers(1, 300))
    def time_passes(self, days: int) -> None:
        """Casework tells itself of the first date that has come."""
        self.now = replace(self.now, at=self.now.at + timedelta(days=days))
        for _ in range(4):
            assert self.case
            following = next_of(self.case)
            if not following or following[1] > self.now.at:
                return
            before = self.case.version
            self._try(own.TimePassed(case=CASE, kind=following[0], due=following[1]), None)
            assert self.case.version == before + 1, "a date that has come is dealt with"

    @rule(gone=st.sampled_from([RECIPIENT, COLLEAGUE, SENDER]), successor=st.sampled_from([None, COLLEAGUE]))
    def an_authority_goes(self, gone: str, successor: str | None) -> None:
        """It is suspended for a moment, and its cases are looked for."""
        self.known.authorities[gone] = authority(gone, active=False, successor=successor)
        self._try(own.AuthorityGone(case=CASE, authority=gone, authority_version=2), None)
        self.known.authorities[gone] = KNOWN[gone]

    def _try(self, body: Message, by: str | None) -> None:
        before = self.case
        entry = decide(before, body, self.known, self.now)
        if isinstance(entry, Refusal):
            return
        self.history.append(entry)
        self.case = apply(before, entry) if before else case_from(CASE, self.history)
        if before:
            self._check_step(before, body, by, entry)

    def _check_step(self, before: Case, body: Message, by: str | None, entry: Entry) -> None:
        assert self.case
        assert self.case.version == before.version + 1
        fitting = [
            row for row in STEPS if row.action is type(body) and before.state in row.of and row.what == entry["what"]
        ]
        assert any(self.case.state == (row.leads_to or before.state) for row in fitting), "as a row of the table says"
        assert by is None or before.is_party(by), "nobody else has changed it"

    @invariant()
    def it_is_what_its_history_tells(self) -> None:
        """Replayed from nothing, entry by entry."""
        if self.case:
            assert case_from(CASE, self.history) == self.case

    @invariant()
    def an_open_case_has_somebody_whose_turn_it_is_and_a_date_to_come(self) -> None:
        """Whose turn it is takes part; and if nobody does anything, time will."""
        case = self.case
        if case is None:
            return
        assert (case.turn is None) == (case.state in ENDED)
        if case.open:
            assert case.turn in case.parties
            assert pending(case)

    @invariant()
    def nobody_reads_what_is_not_for_him(self) -> None:
        """A recipient nothing before it is sent, and nothing personal before it accepts; a stranger a summary."""
        case = self.case
        if case is None:
            return
        entry = self.history[-1]
        assert STRANGER not in readers_of(case, entry)
        assert sees(case, STRANGER) == "summary"
        if case.state in DRAFTS:
            assert RECIPIENT not in readers_of(case, entry)
        if case.recipient and case.state == "awaiting-acceptance":
            shown: Any = view_of(case, case.recipient.authority, entry, 1)
            assert (shown.particulars, shown.comment) == (None, None)
        if case.erased:
            for reader in case.parties:
                assert "Planted" not in view_of(case, reader, entry, 1).model_dump_json()


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
