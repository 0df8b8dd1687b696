"""Mails that come back: what is believed of a report, and what becomes of an address that no mail reaches."""

import mailbox
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from services.notifier.bounces import Bounces
from services.notifier.reports import Report, report_of
from tests.unit.notifier.keeping import AUTHORITY, NOW, Keeping, Server, sending

EMAIL = "0f3a2b1c-8f7e-8d6c-9b5a-0123456789ab"
REPORT = """\
From: MAILER-DAEMON@x.example
To: exchange@imi.example
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

No such user. {words}
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.x.example

Final-Recipient: rfc822; a@x.example
Action: {action}
Status: {status}
--b
Content-Type: {returned}

Message-ID: {message_id}
Subject: Please accept request 7Q4M-0000-1111

--b--
"""
GOOD = {
    "words": "",
    "action": "failed",
    "status": "5.1.1",
    "returned": "message/rfc822",
    "message_id": f"<{EMAIL}@imi.example>",
}


def report(**changes: str) -> bytes:
    """A report that is all right, but for the changes."""
    return REPORT.format(**{**GOOD, **changes}).encode()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({}, "5.1.1", id="no such address"),
        pytest.param({"returned": "text/rfc822-headers"}, "5.1.1", id="the headers alone"),
        pytest.param({"action": "Failed", "status": "5.7.1 (refused)"}, "5.7.1", id="as servers write it"),
        pytest.param({"status": "4.4.7"}, "4.4.7", id="tried for too long"),
        pytest.param({"action": "delayed", "status": "4.4.1"}, None, id="not yet"),
        pytest.param({"action": "delivered", "status": "2.0.0"}, None, id="arrived"),
        pytest.param({"status": "5"}, None, id="no status"),
        pytest.param({"message_id": f"<{EMAIL}@other.example>"}, None, id="not our domain"),
        pytest.param({"message_id": "<1@imi.example>"}, None, id="not a mail of ours"),
        pytest.param({"message_id": ""}, None, id="no identity"),
    ],
)
def test_a_report_names_a_mail_of_ours_and_says_that_it_failed(changes: dict[str, str], status: str | None) -> None:
    """Whatever else it says is not looked at."""
    expected = Report(EMAIL, status) if status else None
    assert report_of(report(**changes), "imi.example") == expected
    assert not expected or expected.permanent == expected.status.startswith("5")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"Subject: on holiday\n\nBack on Monday",
        report().replace(b"multipart/report", b"multipart/mixed"),
        report().replace(b"message/delivery-status", b"text/plain"),
        report().replace(b'boundary="b"', b""),
        b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\n" * 1000,
    ],
)
def test_what_is_no_report_says_nothing(content: bytes) -> None:
    """Anybody may write to that address, anything."""
    assert report_of(content, "imi.example") is None


def filled(folder: Path, kind: str, *contents: bytes) -> Path:
    """A mailbox with these messages in it."""
    path = folder / "box"
    box = mailbox.Maildir(path) if kind == "Maildir" else mailbox.mbox(path)
    for content in contents:
        box.add(content)
    box.close()
    return path


def left(path: Path) -> int:
    """How many messages are in a mailbox."""
    box = mailbox.Maildir(path, create=False) if path.is_dir() else mailbox.mbox(path, create=False)
    try:
        return len(box)
    finally:
        box.close()


@dataclass
class Sent(Keeping):
    """A store that remembers one mail, to the first address."""

    certain: bool = True

    async def came_back(self, email_id: str, status: str) -> tuple[str, str, bool] | None:
        return (AUTHORITY, "a@x.example", self.certain) if email_id == EMAIL else None


@pytest.mark.parametrize("kind", ["Maildir", "mbox"])
@pytest.mark.parametrize(
    ("contents", "marked", "told"),
    [
        pytest.param([report()], {"a@x.example": "5.1.1"}, ["coordinator told"], id="no such address"),
        pytest.param([report(status="4.4.7")], {}, ["coordinator told"], id="tried for too long: may work again"),
        pytest.param([report(message_id=f"<{EMAIL[:-1]}c@imi.example>")], {}, [], id="a mail that we never sent"),
        pytest.param([b"Subject: on holiday\n\nBack on Monday"], {}, [], id="no report"),
        pytest.param([report(), report(words="Again.")], {"a@x.example": "5.1.1"}, ["coordinator told"] * 2, id="two"),
        pytest.param([], {}, [], id="nothing"),
    ],
)
async def test_an_address_from_which_mails_come_back_is_marked_and_its_coordinator_told(
    tmp_path: Path, kind: str, contents: list[bytes], marked: dict[str, str], told: list[str]
) -> None:
    """And the mailbox is empty; a mail that we never sent changes nothing."""
    keeping, path = Sent(), filled(tmp_path, kind, *contents)
    await bounces(keeping, path).turn()
    assert (keeping.marked, keeping.ended, left(path)) == (marked, told, 0)


async def test_a_report_of_a_mail_whose_identity_others_can_work_out_marks_no_address(tmp_path: Path) -> None:
    """Another party to the case could have written it: the coordinator is told, and mails go on."""
    keeping = Sent(certain=False)
    await bounces(keeping, filled(tmp_path, "Maildir", report())).turn()
    assert (keeping.marked, keeping.ended) == ({}, ["coordinator told"])


@pytest.mark.parametrize("kind", ["message/rfc822", "multipart/mixed; boundary=x"])
async def test_a_message_without_an_end_is_taken_out_like_any_other(tmp_path: Path, kind: str) -> None:
    """Whoever nests thousands of messages in one neither stops the reading nor hides what is behind it."""
    nested = f"Content-Type: {kind}\n\n".encode() * 2_000
    keeping, path = Sent(), filled(tmp_path, "Maildir", b"Content-Type: multipart/report\n\n" + nested, report())
    await bounces(keeping, path).turn()
    assert (keeping.marked, left(path)) == ({"a@x.example": "5.1.1"}, 0)


async def test_an_address_that_has_been_put_right_meanwhile_is_not_marked(tmp_path: Path) -> None:
    """The report is about one that is no longer written to."""
    keeping = Sent(contact=None)
    await bounces(keeping, filled(tmp_path, "Maildir", report())).turn()
    assert (keeping.marked, keeping.ended) == ({}, [])


async def test_a_mailbox_that_is_not_there_yet_is_an_empty_one(tmp_path: Path) -> None:
    """The mail server makes it when the first mail comes back."""
    await bounces(Sent(), tmp_path / "none").turn()


def bounces(keeping: Keeping, path: Path) -> Bounces:
    def clock() -> datetime:
        return NOW

    return Bounces(path, keeping.store, sending(keeping, Server()).post, "imi.example", clock)
