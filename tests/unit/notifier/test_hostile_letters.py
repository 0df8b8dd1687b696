"""E-mails hold codes, numbers and dates: nothing that anybody typed gets in, and nothing in them can do harm."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.dates import Dates, Deadline, Notice, NoticeKind
from services.notifier.deadlines import Step, plan_of
from services.notifier.letters import Due, Letter, Notices, Undeliverable
from services.notifier.mail import Contact, Writer
from services.notifier.notices import Told, told_by
from services.notifier.wording import shown
from tests.unit.notifier.shown import Reading, calendars_of, parsed, text_of
from tools.mails import writer

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ADDRESS, AUTHORITY = "iroda@hivatal.example", "HU-ABCD1234"
WRITER: Writer = writer()
PLANTED = "erika-mustermann"
HEADERS = [
    "MIME-Version", "Content-Type", "From", "To", "Date", "Message-ID", "In-Reply-To", "References", "Subject",
    "Content-Language", "Auto-Submitted", "X-Auto-Response-Suppress",
]  # fmt: skip


def read(letter: Letter, *languages: str) -> EmailMessage:
    return parsed(WRITER.write(letter, Contact((ADDRESS,), languages or ("en",), "HU"), ADDRESS, NOW))


def all_of(mail: EmailMessage) -> str:
    """Everything in it that can be read: headers, texts, calendars."""
    parts = [str(part.get_content()) for part in mail.walk() if not part.is_multipart()]
    return "\n".join([*(f"{name}: {value}" for name, value in mail.items()), *parts])


# What somebody typed


def planted() -> Iterator[Letter]:
    """Every letter that a case's dates can lead to, with words planted where the contract lets a sender put any."""
    deadlines = tuple(
        Deadline(kind=kind, authority=AUTHORITY, due=NOW + timedelta(days=5), coordinators=("HU-ABCD0000",))
        for kind in ("acceptance", "answer", "clarification")
    )
    notices = tuple(Notice(kind=kind, authority=AUTHORITY) for kind in get_args(NoticeKind))
    dates = Dates(case="7Q4M-0000-1111", version=1, area=PLANTED, at=NOW, deadlines=deadlines, notices=notices)
    steps = [Due(dates.case, dates.version, step) for step in plan_of(dates, NOW).steps]
    told = list(told_by(dates))
    yield from steps
    yield from (Notices([one]) for one in told)
    yield Notices(told, steps, daily=True, batch=PLANTED, before=[*told, *steps])
    yield Undeliverable(PLANTED, AUTHORITY)


@pytest.mark.parametrize("language", ["en", "el", "fi"])
def test_no_mail_holds_what_a_sender_may_type(language: str) -> None:
    """The code of an area is the only word of a sender's that reaches the notifier, and no mail says it."""
    assert all(PLANTED not in all_of(read(letter, language)) for letter in planted())


@pytest.mark.parametrize("place", [(), ("deadlines", 0), ("notices", 0)])
def test_dates_with_anything_beside_codes_and_dates_are_no_dates(place: tuple[Any, ...]) -> None:
    """Free text has no field in what casework tells the notifier, and no field can be added."""
    deadline, notice = Deadline(kind="answer", authority=AUTHORITY, due=NOW), Notice(kind="closed", authority=AUTHORITY)
    dates = Dates(
        case="7Q4M-0000-1111", version=1, area="services", at=NOW, deadlines=(deadline,), notices=(notice,)
    ).model_dump(mode="json")
    inner = dates
    for step in place:
        inner = inner[step]
    inner["remarks"] = "Erika Mustermann"
    with pytest.raises(ValidationError):
        Dates.model_validate(dates)


@pytest.mark.parametrize("field", ["case", "area"])
def test_a_case_or_an_area_is_no_place_for_words(field: str) -> None:
    """Neither a number nor a code has blanks, letters of a name, or line breaks."""
    dates = {"case": "7Q4M-0000-1111", "area": "services", "version": 1, "at": NOW, "deadlines": ()}
    with pytest.raises(ValidationError):
        Dates.model_validate(dates | {field: "Erika Mustermann"})


def test_what_a_letter_is_made_of_has_no_field_for_words() -> None:
    """Whoever adds a field here says in this table what it may hold."""
    fields = {kind.__name__: {field.name for field in dataclasses.fields(kind)} for kind in (Due, Step, Told, Notices)}
    assert fields["Due"] == {"case", "version", "step"}, "a number, a number, a step"
    assert fields["Step"] <= {"kind", "stage", "authority", "due", "at", "number", "urgent"}, "codes, numbers, dates"
    told = {"id", "kind", "case", "authority", "version", "due", "area", "traceparent"}
    assert fields["Told"] == told, "codes, numbers, dates, and digits that say where a trace is"
    assert fields["Notices"] == {"told", "due", "daily", "batch", "before"}, "of these; `batch` is never shown"
    assert {field.name for field in dataclasses.fields(Undeliverable)} == {"id", "about"}, "numbers"


# What could do harm

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
"""Whatever JSON in UTF-8 may hold."""

HOSTILE = [
    ("markup", "<script>alert(1)</script><img src=https://evil.example/x>"),
    ("attribute", '"><a href="https://evil.example">'),
    ("header", "7Q4M\r\nBcc: victim@example.org\r\n\r\nbody"),
    ("line separators", "7Q4M\u2028Bcc: x\u2029\x85\x0b\x0c\x1e"),
    ("template", "{case} {0.__class__} {{ 7*7 }} {% for %} %(x)s"),
    ("length", "A" * 100_000),
    ("combining", "a" + "\u0301" * 5_000),
    ("direction", "7Q4M\u202e1111-0000\u202c\u2066\u2069"),
    ("right to left", "שלום עליכם"),
    ("null", "7Q4M\x00\x7f"),
    ("encoded word", "=?utf-8?q?Bcc=3A_x?="),
    ("calendar", "7Q4M\r\nEND:VEVENT\r\nBEGIN:VALARM;:,\\n"),
    ("path", "../../admin?x=1#y"),
    ("empty", ""),
]


def letters_about(words: str) -> list[Letter]:
    """Letters with these words wherever a text stands."""
    due = Due(words, 1, Step("answer", "reminder", AUTHORITY, NOW, NOW))
    told = [Told("1", "arrived", words, AUTHORITY, 1, NOW), Told("2", "message", words, AUTHORITY)]
    closed = Told("3", "closed", words, AUTHORITY, 2)
    return [due, Notices(told[:1]), Notices([*told, closed], before=[due]), Undeliverable("1", words)]


def harmless(letter: Letter) -> None:
    """Say what is the case with every mail, whatever it is about."""
    mail = read(letter)
    assert {*mail.keys()} <= {*HEADERS, "List-Unsubscribe"}
    assert len(mail.keys()) == len({*mail.keys()})
    assert [defect for part in mail.walk() for defect in part.defects] == []
    assert max(map(len, mail.as_bytes().splitlines())) <= 998, "RFC 5322, 2.1.1"
    assert (mail["To"], mail["From"]) == (ADDRESS, "Information exchange <exchange@imi.example>")
    assert mail["Subject"].isprintable() or "\u2068" in mail["Subject"]
    assert len(mail["Subject"]) < 500
    reading = Reading(text_of(mail, "html"))
    assert not {"script", "img", "iframe", "form", "input"} & set(reading.elements)
    assert all(link.startswith("https://imi.example/") for link in reading.links)
    assert all(len(calendar.walk()) == 1 + len(calendar.walk("VEVENT")) for _, calendar in calendars_of(mail))


@pytest.mark.parametrize("words", [one[1] for one in HOSTILE], ids=[one[0] for one in HOSTILE])
def test_whatever_a_number_is_made_of_a_mail_is_a_mail(words: str) -> None:
    """No header, no element, no link, no calendar's component that is not ours; nothing endless, nothing hidden."""
    for letter in letters_about(words):
        harmless(letter)


@settings(max_examples=30, deadline=None)
@given(TEXT)
def test_no_text_at_all_breaks_a_mail(words: str) -> None:
    """As above, of any text, whatever is in it."""
    for letter in letters_about(words):
        harmless(letter)


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_what_is_shown_is_one_line_of_bounded_length(words: str) -> None:
    """Without control, format and unassigned characters, but for those that keep another direction to itself."""
    seen = shown(words).removeprefix("\u2068").removesuffix("\u2069")
    assert len(seen) <= 201
    assert seen.splitlines() in ([], [seen])
    assert seen.isprintable()
    assert shown(shown(words)) == shown(words)


@settings(max_examples=50, deadline=None)
@given(
    st.from_regex(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}(\.[1-9][0-9]?)?", fullmatch=True),
    st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive
    st.sampled_from(["acceptance", "answer", "clarification"]),
    st.sampled_from(sorted(WRITER._texts)),
    st.integers(0, 2**31 - 1),
)
def test_headers_of_any_deadline_arrive_as_they_were_written(
    case: str, due: datetime, kind: Any, language: str, version: int
) -> None:
    """Subject, thread and identity come through unchanged, and the entry is that of the deadline, to the second."""
    letter = Due(case, version, Step(kind, "reminder", AUTHORITY, due, due))
    written = WRITER.write(letter, Contact((ADDRESS,), (language,), "HU"), ADDRESS, NOW)
    mail = parsed(written)
    assert [(name, str(value)) for name, value in mail.items() if name in HEADERS[2:]] == [
        (name, str(value)) for name, value in written.items() if name in HEADERS[2:]
    ]
    assert case in mail["Subject"]
    assert mail["Message-ID"] == f"<{letter.email_id(ADDRESS)}@imi.example>"
    ((_, calendar),) = calendars_of(mail)
    (event,) = calendar.walk("VEVENT")
    assert (event["DTSTART"].dt, event["SEQUENCE"]) == (due.replace(microsecond=0), version)
