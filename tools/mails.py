"""Write every e-mail, in every language, as files to look at: `python -m tools.mails FOLDER [LANGUAGE ...]`.

For each mail the plain text, the HTML and the whole message. What they are about is made up.
"""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from typing import Final, get_args

import services.notifier
from contracts.dates import DeadlineKind, NoticeKind
from contracts.languages import LANGUAGES, OFFICIAL
from services.chassis import catalogue
from services.notifier.deadlines import Stage, Step
from services.notifier.letters import Due, Letter, Notices, Undeliverable
from services.notifier.mail import Contact, Writer
from services.notifier.notices import AWAITS, RegistrationKind, Told
from services.notifier.sentences import SENTENCES

NOW: Final = datetime(2026, 7, 1, 9, tzinfo=UTC)
DUE: Final = datetime(2026, 7, 5, 20, 30, tzinfo=UTC)
ADDRESS: Final = "office@authority.example"
KINDS: Final[tuple[DeadlineKind, ...]] = ("acceptance", "answer", "clarification")
STAGES: Final[tuple[Stage, ...]] = ("reminder", "overdue", "escalated")


def letters() -> Mapping[str, Letter]:
    """Return one letter of each kind that there is, by name."""
    return dict(_letters())


def writer() -> Writer:
    """Return who writes them, with all texts."""
    texts = catalogue.read_all(Path(services.notifier.__file__).parent / "locale", SENTENCES)
    sender = Address("Information exchange", addr_spec="exchange@imi.example")
    return Writer(texts, sender, "https://imi.example/cases/{case}", "https://imi.example/preferences")


def write(made_by: Writer, letter: Letter, language: str) -> EmailMessage:
    """Return the mail that somebody gets who reads this language."""
    states = [state for state, official in OFFICIAL.items() if language in official]
    contact = Contact((ADDRESS,), (language,), states[0])
    return made_by.write(letter, contact, ADDRESS, NOW)


def _letters() -> Iterator[tuple[str, Letter]]:
    for stage in STAGES:
        for kind in KINDS:
            yield f"{stage}.{kind}", _due(stage, kind)
    for notice in get_args(NoticeKind):
        yield f"notice.{notice}", Notices([_told(notice)])
    for registration in get_args(RegistrationKind):
        yield f"notice.{registration}", Notices([Told(registration, registration, None, "HU-ABCD1234")])
    ended = (_due("reminder", "answer"), _told("clarification-asked"))
    yield "notice.closed.taken-away", Notices([_told("closed", version=9)], before=ended)
    several = [_told("accepted", "7Q4M-0000-1112"), _told("arrived", "7Q4M-0000-1113"), _told("message")]
    yield "notices", Notices(several)
    yield (
        "digest",
        Notices(several, [_due("reminder", "answer"), _due("reminder", "acceptance", "7Q4M-0000-1114")], daily=True),
    )
    yield "digest.one", Notices(several[:1], daily=True)
    late = [_due("overdue", kind, f"7Q4M-0000-112{number}") for number, kind in enumerate(KINDS)]
    yield "gathered", Notices([], [*late, _due("escalated", "answer")])
    yield "undeliverable", Undeliverable("1", "HU-ABCD1234")


def _due(stage: Stage, kind: DeadlineKind, case: str = "7Q4M-0000-1111") -> Due:
    return Due(case, 3, Step(kind, stage, "HU-ABCD1234", DUE, DUE, 2))


def _told(kind: NoticeKind, case: str = "7Q4M-0000-1111", version: int = 3) -> Told:
    due = DUE + timedelta(days=7) if kind in AWAITS else None
    return Told(f"{kind}/{case}", kind, case, "HU-ABCD1234", version, due)


def main() -> None:
    """Write the files."""
    folder, languages = Path(sys.argv[1]), sys.argv[2:] or LANGUAGES
    made_by = writer()
    for language in languages:
        for name, letter in letters().items():
            mail, place = write(made_by, letter, language), folder / language
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{name}.eml").write_bytes(mail.as_bytes())
            for kind, suffix in (("plain", "txt"), ("html", "html")):
                part = mail.get_body((kind,))
                assert part
                (place / f"{name}.{suffix}").write_text(part.get_content())


if __name__ == "__main__":
    main()
