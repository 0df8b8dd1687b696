"""What every e-mail says, in short, as the files in `snapshots/` keep it: `python -m tests.unit.notifier.shown`.

One file for each language has all mails: the subject, the plain text, what the HTML says besides, the calendar's
entries. The HTML itself is the same in every language but for its words: a few whole ones are kept in English.
"""

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from icalendar import Calendar

from contracts.languages import LANGUAGES, LAST_RESORT
from tools.mails import letters, write, writer

SNAPSHOTS: Final = Path(__file__).with_name("snapshots")
WHOLE: Final = ("reminder.answer", "notice.closed", "digest", "undeliverable")
"""Mails whose HTML is kept as it is."""


class Reading(HTMLParser):
    """An HTML text as its reader's program takes it: the words, the elements, where links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, "elements are closed in their order"

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"title", "style"} & set(self._open):
            self.words.append(" ".join(data.split()))


def parsed(mail: EmailMessage) -> EmailMessage:
    """The mail after it was written out and read in again, as its reader's program does."""
    read = message_from_bytes(mail.as_bytes(policy=policy.SMTP), policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


def text_of(mail: EmailMessage, kind: str) -> str:
    """Its text, `plain` or `html`."""
    part = mail.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


def calendars_of(mail: EmailMessage) -> list[tuple[str, Any]]:
    """Its calendars, each with the method that its part names."""
    parts = [part for part in mail.iter_attachments() if part.get_content_type() == "text/calendar"]
    return [
        (str(part["Content-Type"].params["method"]), Calendar.from_ical(part.get_content().encode())) for part in parts
    ]


@cache
def mails(language: str) -> dict[str, EmailMessage]:
    """All mails in a language, by name, as their readers get them."""
    made_by = writer()
    return {name: parsed(write(made_by, letter, language)) for name, letter in letters().items()}


def summary(language: str) -> str:
    """What the mails of a language say."""
    made = mails(language)
    footer = text_of(made["undeliverable"], "plain").splitlines()[-1]
    blocks = ("\n".join(line for line in _lines(name, mail) if line != footer) for name, mail in made.items())
    return "\n\n".join((f"At the end of each: {footer}", *blocks)) + "\n"


def _lines(name: str, mail: EmailMessage) -> Iterator[str]:
    plain = [line for line in text_of(mail, "plain").splitlines() if line]
    words = Reading(text_of(mail, "html")).words
    yield f"== {name}"
    yield f"Subject: {mail['Subject']}"
    yield from plain
    yield "HTML: " + " | ".join(word for word in words if word != mail["Subject"] and word not in plain)
    for method, calendar in calendars_of(mail):
        for event in calendar.walk("VEVENT"):
            yield f"{method} {event['SEQUENCE']} {event['DTSTART'].dt:%Y-%m-%dT%H:%MZ} {event['SUMMARY']}"


def expected() -> Iterator[tuple[Path, str]]:
    """Every file in `snapshots/`, and what it holds."""
    for language in LANGUAGES:
        yield SNAPSHOTS / f"{language}.txt", summary(language)
    for name in WHOLE:
        yield SNAPSHOTS / f"{name}.html", text_of(mails(LAST_RESORT)[name], "html")


if __name__ == "__main__":
    SNAPSHOTS.mkdir(exist_ok=True)
    for file, content in expected():
        file.write_text(content)
