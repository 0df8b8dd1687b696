"""Every e-mail in every language, as the programs of its readers take it."""

import re

import pytest

from contracts.languages import LANGUAGES, LAST_RESORT
from services.notifier.sentences import SENTENCES
from services.notifier.wording import codes_of
from tests.unit.notifier.shown import SNAPSHOTS, Reading, calendars_of, expected, mails, summary, text_of
from tools.mails import letters

ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "div", "main", "footer"),
    *("h1", "section", "p", "table", "tr", "th", "td", "a"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_mails_say_is_what_they_are_known_to_say(language: str) -> None:
    """No word changes unseen. `make mails-known` writes the files anew: look at the difference."""
    assert summary(language) == (SNAPSHOTS / f"{language}.txt").read_text()


def test_the_html_is_what_it_is_known_to_be() -> None:
    """As above, and there are no other files."""
    files = dict(expected())
    assert set(SNAPSHOTS.iterdir()) == set(files)
    assert [path.name for path, content in files.items() if path.read_text() != content] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mail_can_be_read_without_fault(language: str) -> None:
    """Parsed without a defect, in lines that every server takes; plain text and HTML, and nothing left to fill in."""
    for name, mail in mails(language).items():
        assert [defect for part in mail.walk() for defect in part.defects] == [], name
        assert max(map(len, mail.as_bytes().splitlines())) <= 78, name
        assert mail["Content-Language"] == language
        assert not set("{}") & set(mail["Subject"] + text_of(mail, "plain")), name
        assert all(SENTENCES[code] for code in codes_of(letters()[name]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_html_says_what_the_plain_text_does_and_fetches_nothing(language: str) -> None:
    """A page of a heading, words, facts and real links: no picture, no script, nothing from elsewhere, no tracking."""
    for name, mail in mails(language).items():
        html, plain = text_of(mail, "html"), text_of(mail, "plain")
        reading = Reading(html)
        assert set(reading.elements) <= ELEMENTS, name
        assert reading.elements.count("h1") == 1
        assert ("lang", language) in reading.attributes
        assert ("dir", "ltr") in reading.attributes
        assert reading.words[0] == " ".join(mail["Subject"].split())
        assert re.findall(r"https?://[^\s\"<>]+", html) == reading.links, "no address but a link's"
        assert reading.links == re.findall(r"https?://\S+", plain), "the same links in the same order"
        assert not {"src", "srcset", "background", "onload"} & {attribute for attribute, _ in reading.attributes}
        assert not re.search(r"url\(|@import|expression\(", html)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_calendar_can_be_read(language: str) -> None:
    """One method, the same in the part and in the file; one entry for each deadline, each whole."""
    for name, mail in mails(language).items():
        for method, calendar in calendars_of(mail):
            events = calendar.walk("VEVENT")
            assert calendar["METHOD"] == method
            assert len({event["UID"] for event in events}) == len(events) > 0, name
            assert {str(event["STATUS"]) for event in events} == {"CONFIRMED" if method == "PUBLISH" else "CANCELLED"}
            assert calendar.errors == []
            assert [event.errors for event in events if event.errors] == []


def test_what_awaits_something_until_a_date_comes_with_a_calendar() -> None:
    """Reminders, and notices that ask for something; not what is overdue, not what asks for nothing."""
    found = {name: [method for method, _ in calendars_of(mail)] for name, mail in mails(LAST_RESORT).items()}
    assert {name: methods for name, methods in found.items() if methods} == {
        "reminder.acceptance": ["PUBLISH"],
        "reminder.answer": ["PUBLISH"],
        "reminder.clarification": ["PUBLISH"],
        "notice.arrived": ["PUBLISH"],
        "notice.clarification-asked": ["PUBLISH"],
        "notice.forwarded": ["PUBLISH"],
        "notice.closed.taken-away": ["CANCEL", "CANCEL"],
        "notices": ["PUBLISH"],
        "digest": ["PUBLISH"],
    }


COLOURS = [
    ("words", "#1c2430", "#ffffff"),
    ("labels", "#4d5866", "#ffffff"),
    ("footer", "#4d5866", "#f2f4f7"),
    ("link", "#0b57a4", "#f2f4f7"),
    ("button", "#ffffff", "#0b57a4"),
    ("words in the dark", "#e8eaed", "#1f242b"),
    ("labels in the dark", "#b4bcc6", "#1f242b"),
    ("footer in the dark", "#b4bcc6", "#14171c"),
    ("link in the dark", "#8ab8ff", "#14171c"),
    ("button in the dark", "#10151c", "#8ab8ff"),
]


@pytest.mark.parametrize(("words", "ground"), [colour[1:] for colour in COLOURS], ids=[colour[0] for colour in COLOURS])
def test_words_stand_out_from_their_ground(words: str, ground: str) -> None:
    """At least as much as WCAG 2.2 asks of small letters (1.4.3), in light and in dark."""
    html = text_of(mails(LAST_RESORT)["digest"], "html")
    assert {words, ground} <= set(re.findall(r"#[0-9a-f]{6}", html))
    lighter, darker = sorted(map(luminance, (words, ground)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
