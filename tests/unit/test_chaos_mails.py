"""What `make chaos` reads in an e-mail is what the notifier wrote."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.headerregistry import Address
from pathlib import Path

import pytest

import services.notifier
from contracts.languages import LANGUAGES
from deploy.local.exchange import CASE_LINK
from services.chassis import catalogue
from services.notifier.deadlines import Step
from services.notifier.letters import Due, Notices
from services.notifier.mail import Contact, Writer
from services.notifier.notices import AWAITS, Told
from services.notifier.sentences import SENTENCES
from tests.chaos.mails import read
from tests.chaos.record import TOLD

NOW = datetime(2026, 11, 29, 9, tzinfo=UTC)
CASE, OTHER = "AAAA-BBBB-CCCC", "DDDD-EEEE-FFFF"
KINDS = [kind for kinds in TOLD.values() for kind in kinds]
TEXTS = catalogue.read_all(Path(services.notifier.__file__).parent / "locale", SENTENCES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_notice_is_told_from_the_others_in_every_language(language: str) -> None:
    """In the order of the mail, each with its case; what is no notice is noted by its words, not taken for one."""
    until = NOW + timedelta(days=5)
    told = [
        Told(str(number), kind, case, "HU-AAAAAAAA", due=until if kind in AWAITS else None)  # type: ignore[arg-type]
        for number, (kind, case) in enumerate((kind, case) for kind in KINDS for case in (CASE, OTHER))
    ]
    late = Due(CASE, 1, Step("answer", "reminder", "HU-AAAAAAAA", until, NOW))
    writer = Writer(
        TEXTS, Address("Exchange", addr_spec="exchange@imi.example"), CASE_LINK, "https://imi.example/wishes"
    )
    contact = Contact(("office@hu.example",), (language,), "HU")
    written = writer.write(Notices(told, [late]), contact, "office@hu.example", NOW)
    arrived = message_from_bytes(written.as_bytes(), policy=policy.default)
    mail = read(arrived, 7.0)
    assert (mail.at, mail.to, mail.id) == (7.0, "office@hu.example", written["Message-ID"])
    reminder, *notices = mail.told
    assert notices == [(one.case, one.kind) for one in told]
    assert reminder[0] == CASE
    assert reminder[1] not in KINDS
