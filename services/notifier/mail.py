"""An e-mail as it is sent: its headers, its two texts, and a calendar's file where it tells of a deadline. Pure."""

from binascii import b2a_qp
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address, HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from functools import cache
from typing import Final

from contracts.identity import derived_uuid
from services.notifier.entries import Method, calendar_of, entered_by, taken_away_by
from services.notifier.letters import Letter, Undeliverable, parts_of
from services.notifier.rendering import html, plain
from services.notifier.wording import Links, Page, Texts, Wording, language_of

_ENCODING: Final = "quoted-printable"


class NotAnAddress(ValueError):
    """No mail can be addressed to this."""


@dataclass(frozen=True, slots=True)
class Contact:
    """How an authority is written to: its addresses, its languages in its order, its state."""

    addresses: tuple[str, ...]
    languages: tuple[str, ...]
    country: str


class _Subject(UniqueUnstructuredHeader):
    """A subject that keeps its spaces. Python 3.11 loses one where it folds a line between two encoded words."""

    def fold(self, *, policy: Policy) -> str:
        """Return the whole field, each line ended."""
        encoded = Header(str(self), header_name="Subject").encode(linesep=policy.linesep)
        return f"Subject: {encoded}{policy.linesep}"


class _Headers(HeaderRegistry):
    """Which class a header has. Python's own makes a new one for each header of each mail."""

    @cache  # noqa: B019 - there is one registry, and a mail has some twenty headers
    def __getitem__(self, name: str) -> type:
        """Return the class for a name."""
        made: type = super().__getitem__(name)
        return made


def _policy() -> Policy:
    headers = _Headers()
    headers.map_to_type("subject", _Subject)  # type: ignore[arg-type]  # the registry adds BaseHeader
    return SMTP.clone(header_factory=headers)


_POLICY: Final = _policy()


class Writer:
    """Writes the mails. What it writes of the same letter to the same address differs in the date alone."""

    def __init__(self, texts: Texts, sender: Address, case_link: str, preferences_link: str | None = None) -> None:
        """`case_link` is where a case is opened, with `{case}` in place of its number."""
        self._texts = texts
        self._sender = sender
        self._links = Links(case_link, preferences_link)

    def write(self, letter: Letter, contact: Contact, address: str, now: datetime) -> EmailMessage:
        """Return the mail to one of the contact's addresses. Raises `NotAnAddress`."""
        language = language_of(letter, contact.languages, self._texts)
        wording = Wording(self._texts[language], language, contact.country, self._links)
        page, mail = wording.page(letter), EmailMessage(_POLICY)
        mail.set_content("", charset="utf-8", cte=_ENCODING)
        mail.add_alternative("", subtype="html", charset="utf-8", cte=_ENCODING)
        for part, text in zip(mail.iter_parts(), (plain(page), html(page)), strict=True):
            part.set_payload(_encoded(text))
        self._enter(mail, letter, wording, now)
        _set_boundaries(mail, letter.email_id(address))
        self._address(mail, letter, address, now)
        _describe(mail, page)
        return mail

    def _enter(self, mail: EmailMessage, letter: Letter, wording: Wording, now: datetime) -> None:
        """Attach the calendar's files. As parts of their own, for some programs show a mail's calendar and no text.

        A file that cancels may hold one entry alone (RFC 5546, 3.2.5).
        """
        sender, entered = self._sender.addr_spec, list(entered_by(letter))
        if entered:
            _attach(mail, calendar_of(entered, "PUBLISH", wording, sender, now), "PUBLISH", "deadline.ics")
        for number, entry in enumerate(taken_away_by(letter), start=1):
            _attach(mail, calendar_of([entry], "CANCEL", wording, sender, now), "CANCEL", f"cancelled-{number}.ics")

    def _address(self, mail: EmailMessage, letter: Letter, address: str, now: datetime) -> None:
        mail["From"] = self._sender
        mail["To"] = _address(address)
        mail["Date"] = format_datetime(now)
        mail["Message-ID"] = self._reference(letter.email_id(address))
        case = _case_of(letter)
        if case:  # never sent itself: it makes a mail program show all mails of a case together
            thread = self._reference(derived_uuid("case-thread", case))
            mail["In-Reply-To"] = thread
            mail["References"] = thread

    def _reference(self, identity: str) -> str:
        return f"<{identity}@{self._sender.domain}>"


def _describe(mail: EmailMessage, page: Page) -> None:
    mail["Subject"] = page.subject
    mail["Content-Language"] = page.language  # only now: setting the content clears such headers
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers it
    # For Exchange, which goes by its own. Not "All": that would keep back the reports of what does not arrive.
    mail["X-Auto-Response-Suppress"] = "RN, NRN, OOF, AutoReply"
    if page.preferences_link:
        # Only where preferences govern. A deadline binds whoever has it by law: nobody can ask not to be told of it.
        # Nor in one click (RFC 8058): a filter that tries links would silence an authority.
        mail["List-Unsubscribe"] = f"<{page.preferences_link}>"


def _encoded(text: str) -> str:
    """Return the text in its encoding: what Python sets a content by goes through it letter by letter."""
    return b2a_qp(text.encode()).decode("ascii")


def _attach(mail: EmailMessage, calendar: bytes, method: Method, name: str) -> None:
    """Attach a calendar's file, its method said twice (RFC 6047, 2.4)."""
    mail.add_attachment(
        calendar.decode(),
        subtype="calendar",
        charset="utf-8",
        cte="base64",
        params={"method": method},
        filename=name,
    )


def _set_boundaries(mail: EmailMessage, identity: str) -> None:
    """Name what separates the parts, so that a repeated mail is the same. No part holds it: `=_` is encoded in them."""
    several = (part for part in mail.walk() if part.is_multipart())
    for number, part in enumerate(several):
        part.set_boundary(f"=_{identity}-{number}")


def _case_of(letter: Letter) -> str | None:
    """Return the case that the letter is about, if there is but one."""
    if isinstance(letter, Undeliverable):
        return None
    told, due = parts_of(letter)
    cases = [*(one.case for one in told), *(one.case for one in due)]
    return cases[0] if len(set(cases)) == 1 else None


def _address(address: str) -> Address:
    """Return the address if it reads the same in a header and to a server: nothing quoted, no comment in it."""
    name, _, domain = address.rpartition("@")
    try:
        made = Address(username=name, domain=domain)
    except ValueError as error:
        raise NotAnAddress from error
    if not name or not domain or made.addr_spec != address:
        raise NotAnAddress
    return made
