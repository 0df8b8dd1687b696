"""What a mail says, in which language, at whose time, and how it is addressed."""

import string
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from typing import get_args

import pytest

import services.notifier
from contracts.dates import NoticeKind
from contracts.languages import LANGUAGES, STATES, ZONES
from services.chassis import catalogue
from services.notifier.deadlines import Kind, Stage, Step
from services.notifier.letters import Due, Letter, Notices, Undeliverable
from services.notifier.mail import Contact, NotAnAddress, Writer
from services.notifier.notices import Told
from services.notifier.sentences import SENTENCES
from services.notifier.zones import zone_of

CASE = "7Q4M-0000-1111"
SUMMER, WINTER = datetime(2026, 7, 5, 20, 30, tzinfo=UTC), datetime(2026, 1, 5, 20, 30, tzinfo=UTC)
KINDS: tuple[Kind, ...] = ("acceptance", "answer", "clarification")
STAGES: tuple[Stage, ...] = ("reminder", "overdue", "escalated")
NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
TEXTS = catalogue.read_all(Path(services.notifier.__file__).parent / "locale", SENTENCES)
WRITER = Writer(TEXTS, Address("Exchange", addr_spec="exchange@imi.example"), "https://imi.example/cases/{case}")


def step(stage: Stage = "reminder", kind: Kind = "acceptance", due: datetime = SUMMER) -> Step:
    return Step(kind, stage, "HU-ABCD1234", due, due)


def received(
    what: Step, *languages: str, country: str = "HU", address: str = "iroda@hivatal.example", writer: Writer = WRITER
) -> EmailMessage:
    """The mail after it was written out and read in again, as its reader's program does."""
    mail = writer.write(Due(CASE, 1, what), Contact((address,), languages, country), address, NOW)
    parsed = message_from_bytes(mail.as_bytes(policy=policy.SMTP), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def plain(mail: EmailMessage) -> str:
    """Its plain text."""
    part = mail.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_mail_is_whole_in_every_language(stage: Stage, kind: Kind, language: str) -> None:
    """Subject and text name the case, nothing is left to fill in, and the language is the reader's."""
    mail = received(step(stage, kind), language)
    text = plain(mail)
    assert mail["Content-Language"] == language
    assert CASE in mail["Subject"]
    assert f"https://imi.example/cases/{CASE}" in text
    assert text.count(CASE) == 2
    assert not set("{}") & set(mail["Subject"] + text)
    assert len([line for line in text.splitlines() if line]) == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_subjects_arrive_as_they_were_written(language: str) -> None:
    """No letter and no space is lost on the way, in lines that every server takes (RFC 5322, 2.1.1)."""
    for what in (step(stage, kind) for stage in STAGES for kind in KINDS):
        mail = WRITER.write(Due(CASE, 1, what), Contact((), (language,), "HU"), "iroda@hivatal.example", NOW)
        assert received(what, language)["Subject"] == str(mail["Subject"])
        assert max(map(len, mail.as_bytes().splitlines())) <= 78


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_translations_fill_in_what_the_english_text_does(language: str) -> None:
    """No translation drops the date, or asks for something that there is not."""
    for code, text in TEXTS[language].items():
        assert _fields(text) == _fields(SENTENCES[code]), code


def _fields(text: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize(
    ("languages", "written"),
    [
        (("fr", "de"), "fr"),
        (("xx", "de"), "de"),
        (("half", "fr"), "fr"),
        (("xx", "half"), "en"),
        ((), "en"),
    ],
)
def test_the_first_language_that_has_every_text_is_taken(languages: tuple[str, ...], written: str) -> None:
    """A mail is never half in one language and half in another; in the end it is English."""
    half = {code: text for code, text in SENTENCES.items() if code != "footer"}
    some = {language: TEXTS[language] for language in ("en", "fr", "de")}
    writer = Writer({**some, "half": half}, Address(addr_spec="a@imi.example"), "{case}")
    assert received(step(), *languages, writer=writer)["Content-Language"] == written


@pytest.mark.parametrize(
    ("country", "language", "due", "expected"),
    [
        ("HU", "hu", SUMMER, ("2026. július 5.", "22:30", "közép-európai nyári idő")),
        ("HU", "hu", WINTER, ("2026. január 5.", "21:30", "közép-európai téli idő")),
        ("PT", "pt", SUMMER, ("5 de julho de 2026", "21:30", "Hora de verão da Europa Ocidental")),
        ("IE", "en", SUMMER, ("5 July 2026", "21:30", "Irish Standard Time")),
        ("IE", "en", WINTER, ("5 January 2026", "20:30", "Greenwich Mean Time")),
        ("EL", "en", SUMMER, ("5 July 2026", "23:30", "Eastern European Summer Time")),
        ("CY", "en", WINTER, ("5 January 2026", "22:30", "Eastern European Standard Time")),
        ("IS", "en", SUMMER, ("5 July 2026", "20:30", "Greenwich Mean Time")),
        ("FI", "fi", datetime(2026, 7, 5, 21, 30, tzinfo=UTC), ("6. heinäkuuta 2026", "0.30", "Itä-Euroopan kesäaika")),
    ],
)
def test_a_deadline_is_told_in_the_time_of_the_readers_state(
    country: str, language: str, due: datetime, expected: tuple[str, ...]
) -> None:
    """Date, time and the name of that time are what the reader's clock and calendar say, in the reader's language."""
    text = plain(received(step(due=due), language, country=country))
    assert [part for part in expected if part not in text] == []


def test_every_state_has_its_time() -> None:
    """None of the 30 states lacks a zone, and each zone is in the time zone database."""
    assert set(ZONES) == set(STATES)
    assert all(zone_of(state).key == ZONES[state] for state in STATES)


def test_headers_say_who_to_whom_and_that_nobody_wrote_it() -> None:
    """A mail program threads the case, an absence note stays away, and the date is that of the sending."""
    mail = received(step(), "hu")
    assert mail["From"] == "Exchange <exchange@imi.example>"
    assert mail["To"] == "iroda@hivatal.example"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{Due(CASE, 1, step()).email_id('iroda@hivatal.example')}@imi.example>"
    assert mail["References"].endswith("@imi.example>")


def test_a_repeated_mail_is_the_same_to_the_last_letter() -> None:
    """Whatever receives it twice can tell that it is one."""
    mails = [
        WRITER.write(Due(CASE, 1, step()), Contact((), ("hu",), "HU"), "iroda@hivatal.example", NOW) for _ in range(2)
    ]
    assert mails[0].as_bytes() == mails[1].as_bytes()


def test_headers_keep_answers_of_machines_away_and_have_a_case_s_mails_stand_together() -> None:
    """Reports of what does not arrive are not kept away; a mail about several cases belongs to none."""
    mail = received(step(), "hu")
    assert set(mail["X-Auto-Response-Suppress"].split(", ")) == {"RN", "NRN", "OOF", "AutoReply"}
    assert mail["In-Reply-To"] == mail["References"]
    several = Notices(
        [Told("1", "message", CASE, "HU-ABCD1234"), Told("2", "message", "7Q4M-0000-2222", "HU-ABCD1234")]
    )
    mail = WRITER.write(several, Contact((), ("hu",), "HU"), "iroda@hivatal.example", NOW)
    assert mail["In-Reply-To"] is mail["References"] is None


GOVERNED: list[tuple[Letter, bool]] = [
    (Due(CASE, 1, step()), False),
    (Due(CASE, 1, step("overdue")), False),
    (Notices([], [Due(CASE, 1, step("overdue"))]), False),
    (Notices([Told("1", "arrived", CASE, "HU-ABCD1234", 1, SUMMER)]), False),
    (Notices([Told("1", "registration-approved", None, "HU-ABCD1234")]), False),
    (Undeliverable("1", "HU-ABCD1234"), False),
    (Notices([Told("1", "message", CASE, "HU-ABCD1234")]), True),
    (Notices([], [Due(CASE, 1, step())], daily=True), True),
]


@pytest.mark.parametrize(("letter", "governed"), GOVERNED)
def test_only_what_preferences_govern_leads_to_them(letter: Letter, governed: bool) -> None:
    """In the footer and in the header, for which there is no doing it in one click; and only where there is a page."""
    page, contact = "https://imi.example/preferences", Contact((), ("en",), "HU")
    with_page = Writer(TEXTS, Address(addr_spec="a@imi.example"), "https://imi.example/{case}", page)
    mail = with_page.write(letter, contact, "iroda@hivatal.example", NOW)
    assert mail["List-Unsubscribe"] == (f"<{page}>" if governed else None)
    assert (page in plain(mail)) is governed
    assert mail["List-Unsubscribe-Post"] is None
    assert WRITER.write(letter, contact, "iroda@hivatal.example", NOW)["List-Unsubscribe"] is None


SUBJECTS: list[tuple[Letter, str]] = [
    (Notices([Told("1", "arrived", CASE, "A", 1, SUMMER)]), f"Please accept request {CASE} by 5 July 2026"),
    (Notices([Told("1", "message", CASE, "A")]), f"A message has arrived in case {CASE}"),
    (Notices([Told("1", "message", CASE, "A")], daily=True), "Daily summary from the exchange: 1"),
    (Notices([], [Due(CASE, 1, step("overdue"))]), f"Overdue: request {CASE} was to be accepted by 5 July 2026"),
    (
        Notices([Told("1", "message", CASE, "A")], [Due(CASE, 1, step())], daily=True),
        "Next deadline: 5 July 2026 \u2013 Daily summary from the exchange: 2",
    ),
    (
        Notices([], [Due(CASE, 1, step()), Due(CASE, 1, step("overdue")), Due(CASE, 1, step("escalated"))]),
        "Overdue: 2 \u2013 Notices from the exchange: 3",
    ),
]


@pytest.mark.parametrize(("letter", "subject"), SUBJECTS)
def test_the_subject_begins_with_what_matters(letter: Letter, subject: str) -> None:
    """What is to be done and by when; of several things, how much is overdue or which date is the next."""
    mail = WRITER.write(letter, Contact((), ("en",), "HU"), "iroda@hivatal.example", NOW)
    assert mail["Subject"] == subject


def test_a_repetition_has_the_same_message_id_and_nothing_else_has() -> None:
    """A mail program shows a repeated mail once; reminder and overdue mail belong to one conversation."""
    mails = [
        received(step(), "hu"),
        received(step("overdue"), "hu"),
        received(step(kind="answer"), "hu"),
        received(step(due=WINTER), "hu"),
        received(step(), "hu", address="other@hivatal.example"),
    ]
    assert received(step(), "fr")["Message-ID"] == mails[0]["Message-ID"]
    assert len({mail["Message-ID"] for mail in mails}) == len(mails)
    assert len({mail["References"] for mail in mails}) == 1


@pytest.mark.parametrize(
    "address", ["a(b)@x.example", "a@", "@x.example", "", "a@b@x.example", "a@x.example\r\nBcc: b@y"]
)
def test_what_is_no_address_is_not_written_to(address: str) -> None:
    """Nothing that a mail program or server might read as another address, or as another header, is put on a mail."""
    with pytest.raises(NotAnAddress):
        received(step(), "hu", address=address)


def test_addresses_beyond_ascii_are_kept() -> None:
    """An internationalised address (RFC 6531) is addressed as it is."""
    contact = Contact(("jörg@x.example",), ("de",), "DE")
    mail = WRITER.write(Due(CASE, 1, step()), contact, "jörg@x.example", NOW)
    assert mail["To"].addresses[0].addr_spec == "jörg@x.example"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_notice_is_told_in_every_language(language: str) -> None:
    """One line and one link for each thing that happened; alone it is the subject, too."""
    kinds: tuple[NoticeKind, ...] = get_args(NoticeKind)
    contact = Contact(("iroda@hivatal.example",), (language,), "HU")
    told = [Told(kind, kind, f"7Q4M-0000-{number:04}", "HU-ABCD1234") for number, kind in enumerate(kinds)]
    together = WRITER.write(Notices(told), contact, contact.addresses[0], NOW)
    text = plain(together)
    assert together["Content-Language"] == language
    assert str(len(kinds)) in together["Subject"]
    assert all(text.count(str(one.case)) == 2 for one in told)
    assert not set("{}") & set(together["Subject"] + text)
    assert "References" not in together
    for one in told:
        alone = WRITER.write(Notices([one]), contact, contact.addresses[0], NOW)
        assert one.case in alone["Subject"]
        assert alone["References"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_coordinator_is_told_whom_mails_do_not_reach(language: str) -> None:
    """By the authority's number, and no address."""
    contact, letter = Contact(("iroda@hivatal.example",), (language,), "HU"), Undeliverable("1", "HU-ABCD1234")
    mail = WRITER.write(letter, contact, contact.addresses[0], NOW)
    assert mail["Content-Language"] == language
    assert "HU-ABCD1234" in mail["Subject"]
    assert "HU-ABCD1234" in plain(mail)
    assert "@" not in plain(mail)
