"""How a deadline stands in its reader's calendar: entered, changed, taken away."""

from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from typing import Any

import pytest

from contracts.dates import DeadlineKind, NoticeKind
from services.notifier.deadlines import Stage, Step
from services.notifier.letters import Due, Letter, Notices
from services.notifier.mail import Contact, Writer
from services.notifier.notices import Told
from services.notifier.sentences import SENTENCES
from tests.unit.notifier.shown import calendars_of, parsed

CASE, AUTHORITY = "7Q4M-0000-1111", "HU-ABCD1234"
NOW, DUE = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 9, 22, 59, 59, tzinfo=UTC)
DAY = timedelta(days=1)
CONTACT = Contact(("a@x.example",), ("en",), "HU")
WRITER = Writer({"en": SENTENCES}, Address(addr_spec="exchange@imi.example"), "https://imi.example/{case}")


def due(
    version: int = 1,
    at: datetime = DUE,
    kind: DeadlineKind = "answer",
    stage: Stage = "reminder",
    authority: str = AUTHORITY,
) -> Due:
    return Due(CASE, version, Step(kind, stage, authority, at, at))


def told(kind: NoticeKind, version: int, at: datetime | None = None, case: str = CASE) -> Told:
    return Told(f"{kind}/{version}", kind, case, AUTHORITY, version, at)


def events(letter: Letter) -> list[tuple[str, Any]]:
    """Each with its calendar's method."""
    mail = parsed(WRITER.write(letter, CONTACT, CONTACT.addresses[0], NOW))
    return [(method, event) for method, calendar in calendars_of(mail) for event in calendar.walk("VEVENT")]


def uid(letter: Letter) -> str:
    ((_, event),) = events(letter)
    return str(event["UID"])


def test_an_entry_says_what_is_due_when_and_where() -> None:
    """At the moment itself, in UTC, which every calendar shows by its own clock; and it keeps nobody busy."""
    ((method, event),) = events(due(version=4))
    assert method == "PUBLISH"
    assert (event["DTSTART"].dt, event["DTSTART"].to_ical()) == (DUE, b"20260309T225959Z")
    assert event["DTSTAMP"].dt == NOW
    assert event["SEQUENCE"] == 4
    assert event["SUMMARY"] == f"Answer request {CASE}"
    assert event["URL"] == f"https://imi.example/{CASE}"
    assert (event["ORGANIZER"], event["TRANSP"]) == ("mailto:exchange@imi.example", "TRANSPARENT")
    assert "ATTENDEE" not in event, "nobody is asked to accept or decline (RFC 5546, 3.2.1)"


def test_a_changed_date_changes_the_entry_that_is_there() -> None:
    """The same UID, a higher SEQUENCE; another deadline, another authority has another UID."""
    ((_, first),), ((_, second),) = events(due()), events(due(version=3, at=DUE + DAY))
    assert first["UID"] == second["UID"]
    assert (first["SEQUENCE"], second["SEQUENCE"]) == (1, 3)
    assert second["DTSTART"].dt == DUE + DAY
    assert len({uid(due()), uid(due(kind="acceptance")), uid(due(authority="DE-ABCD1234"))}) == 3


def test_the_notice_that_a_request_has_arrived_enters_what_its_reminder_does() -> None:
    """So the reminder leads to no second entry."""
    assert uid(Notices([told("arrived", 1, DUE)])) == uid(due(kind="acceptance"))
    assert uid(Notices([told("clarification-asked", 5, DUE)])) == uid(due(kind="clarification"))


def test_of_two_versions_in_one_mail_the_newer_is_entered() -> None:
    """A calendar's file has a UID once."""
    ((_, event),) = events(Notices([told("arrived", 1, DUE)], [due(2, DUE + DAY, "acceptance")]))
    assert (event["SEQUENCE"], event["DTSTART"].dt) == (2, DUE + DAY)


@pytest.mark.parametrize("stage", ["overdue", "escalated"])
def test_what_is_overdue_is_entered_in_no_calendar(stage: Stage) -> None:
    """Its day is past."""
    assert events(due(stage=stage)) == []


ENDS: list[tuple[NoticeKind, Due | Told, bool]] = [
    ("withdrawn", told("arrived", 1, DUE), True),
    ("withdrawn", due(kind="acceptance"), True),
    ("closed", due(), True),
    ("closed", due(kind="clarification"), True),
    ("decided", due(kind="clarification"), True),
    ("clarification-asked", due(), True),
    ("clarification-asked", due(kind="clarification"), False),
    ("closed", due(stage="overdue"), False),
    ("closed", told("arrived", 1, DUE, case="7Q4M-0000-2222"), False),
    ("message", due(), False),
]


@pytest.mark.parametrize(("kind", "before", "taken"), ENDS)
def test_what_ends_a_deadline_takes_away_what_was_entered(kind: NoticeKind, before: Due | Told, taken: bool) -> None:
    """By the UID it was entered with, SEQUENCE higher; what was not entered, or stays, is not touched."""
    cancelled = [event for method, event in events(Notices([told(kind, 7)], before=[before])) if method == "CANCEL"]
    assert [(event["UID"], event["SEQUENCE"], event["STATUS"]) for event in cancelled] == (
        [(uid(before if isinstance(before, Due) else Notices([before])), 7, "CANCELLED")] if taken else []
    )


def test_a_deadline_that_comes_again_is_entered_again_and_not_taken_away() -> None:
    """A second request for clarification sets a new date to the entry of the first."""
    letter = Notices([told("closed", 6), told("clarification-asked", 8, DUE + DAY)], before=[due(kind="clarification")])
    ((method, event),) = events(letter)
    assert (method, event["SEQUENCE"], event["DTSTART"].dt) == ("PUBLISH", 8, DUE + DAY)


@pytest.mark.parametrize("stage", ["reminder", "overdue"])
def test_what_a_mail_told_can_be_read_from_its_key(stage: Stage) -> None:
    """But for the case's version; the key of a notice is none of these."""
    one = due(version=0, stage=stage)
    assert Due.at(one.key) == one
    assert Due.at("1f0e4b3c-0000-8000-8000-000000000000") is None
