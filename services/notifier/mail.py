"""An e-mail as its reader reads it: case number, deadline and link, never personal data. Pure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address, HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from functools import cache
from typing import Final

from babel import Locale
from babel.dates import format_date, format_time

from contracts.identity import derived_uuid
from contracts.languages import LAST_RESORT
from services.notifier.deadlines import Step
from services.notifier.letters import Due, Letter, Notices, Undeliverable
from services.notifier.zones import name_of_zone, zone_of

Texts = Mapping[str, Mapping[str, str]]
"""Texts by language and code."""

_LOCALES: Final = {"pt": "pt_PT", "en": "en_IE"}


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


def _policy() -> Policy:
    headers = HeaderRegistry()
    headers.map_to_type("subject", _Subject)  # type: ignore[arg-type]  # the registry adds BaseHeader
    return SMTP.clone(header_factory=headers)


_POLICY: Final = _policy()


class Writer:
    """Writes the mails."""

    def __init__(self, texts: Texts, sender: Address, case_link: str) -> None:
        """`case_link` is where a case is opened, with `{case}` in place of its number."""
        self._texts = texts
        self._sender = sender
        self._case_link = case_link

    def write(self, letter: Letter, contact: Contact, address: str, now: datetime) -> EmailMessage:
        """Return the mail to one of the contact's addresses. Raises `NotAnAddress`."""
        if isinstance(letter, Due):
            return self._deadline(letter, contact, address, now)
        if isinstance(letter, Undeliverable):
            return self._undeliverable(letter, contact, address, now)
        return self._notices(letter, contact, address, now)

    def _deadline(self, letter: Due, contact: Contact, address: str, now: datetime) -> EmailMessage:
        case, step = letter.case, letter.step
        language = self._language({f"{_code(step)}.subject", f"{_code(step)}.body"}, contact)
        text, fields = self._texts[language], self._fields(case, step, contact, language)
        mail = self._addressed(letter.email_id(address), case, address, now)
        mail["Subject"] = text[f"{_code(step)}.subject"].format_map(fields)
        paragraphs = [text[code].format_map(fields) for code in (f"{_code(step)}.body", "open", "footer")]
        return _written(mail, paragraphs, language)

    def _notices(self, letter: Notices, contact: Contact, address: str, now: datetime) -> EmailMessage:
        told, due = letter.told, letter.due
        summary = "digest.subject" if letter.daily else "notices.subject"
        bodies = (f"{_code(one.step)}.body" for one in due)
        language = self._language({summary, *(f"notice.{one.kind}" for one in told), *bodies}, contact)
        text = self._texts[language]
        lines = [text[f"notice.{one.kind}"].format(case=one.case) for one in told]
        for one in due:
            fields = self._fields(one.case, one.step, contact, language)
            lines.append(text[f"{_code(one.step)}.body"].format_map(fields))
        cases = [*(one.case for one in told), *(one.case for one in due)]
        mail = self._addressed(letter.email_id(address), cases[0] if len(set(cases)) == 1 else None, address, now)
        alone = len(lines) == 1 and not due
        mail["Subject"] = lines[0].rstrip(".") if alone else text[summary].format(count=len(lines))
        links = [text["open"].format(link=self._link(case)) if case else "" for case in cases]
        paragraphs = [f"{line}\n{link}".rstrip() for line, link in zip(lines, links, strict=True)]
        return _written(mail, [*paragraphs, text["footer"]], language)

    def _undeliverable(self, letter: Undeliverable, contact: Contact, address: str, now: datetime) -> EmailMessage:
        language = self._language({"undeliverable.subject", "undeliverable.body"}, contact)
        text, mail = self._texts[language], self._addressed(letter.email_id(address), None, address, now)
        mail["Subject"] = text["undeliverable.subject"].format(authority=letter.about)
        return _written(mail, [text["undeliverable.body"].format(authority=letter.about), text["footer"]], language)

    def _language(self, codes: Set[str], contact: Contact) -> str:
        """Return the first language of the contact's that has every text: no mail is half in one, half in another."""
        needed = {*codes, "open", "footer"}
        whole = (language for language in contact.languages if needed <= self._texts.get(language, {}).keys())
        return next(whole, LAST_RESORT)

    def _fields(self, case: str, step: Step, contact: Contact, language: str) -> dict[str, str]:
        local, locale = step.due.astimezone(zone_of(contact.country)), _locale(language)
        return {
            "case": case,
            "date": format_date(local, "long", locale),
            "time": format_time(local, "short", locale=locale),
            "zone": name_of_zone(local, locale),
            "link": self._link(case),
        }

    def _link(self, case: str) -> str:
        return self._case_link.replace("{case}", case)

    def _addressed(self, mail_id: str, case: str | None, address: str, now: datetime) -> EmailMessage:
        mail = EmailMessage(_POLICY)
        mail["From"] = self._sender
        mail["To"] = _address(address)
        mail["Date"] = format_datetime(now)
        mail["Message-ID"] = f"<{mail_id}@{self._sender.domain}>"
        if case:  # never sent itself: it makes a mail program show all mails of a case together
            mail["References"] = f"<{derived_uuid('case-thread', case)}@{self._sender.domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers it
        return mail


def _written(mail: EmailMessage, paragraphs: Sequence[str], language: str) -> EmailMessage:
    mail.set_content("\n\n".join(paragraphs) + "\n", charset="utf-8", cte="quoted-printable")
    mail["Content-Language"] = language  # only now: setting the content clears such headers
    return mail


def _code(step: Step) -> str:
    return step.stage if step.stage == "escalated" else f"{step.stage}.{step.kind}"


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


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(_LOCALES.get(language, language))
