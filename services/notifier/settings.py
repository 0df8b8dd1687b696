"""The notifier's settings."""

import re
from datetime import timedelta
from email.headerregistry import Address
from email.policy import SMTP
from typing import Final

from pydantic import Field, SecretStr, field_validator

from services.chassis.settings import ServiceSettings
from services.notifier.smtp import Server

_URL: Final = re.compile(r"https?://[!#-;=?-~]+")
"""ASCII without blanks, quotation marks and angle brackets: as it is, it can stand in a header (RFC 2369)."""


class Settings(ServiceSettings):
    """Besides the common ones: where mails go, who they are from, and when."""

    smtp_url: SecretStr
    """`smtp://[user:password@]host[:port]` (with STARTTLS when the server offers it), or `smtps://` for TLS at once."""
    mail_from: str
    """The sender's address, with a name before it or without. Its domain stands in every Message-ID."""
    case_link: str
    """Where a case is opened; `{case}` stands for its number."""
    preferences_link: str | None = None
    """Where an authority says which e-mails it wants; without it no e-mail speaks of that."""
    gather_for: timedelta = Field(default=timedelta(minutes=1), ge=timedelta(0))
    """How long what has happened waits for more to tell the same authority in one mail."""
    poll_every: timedelta = Field(default=timedelta(seconds=1), gt=timedelta(0))
    """How long to rest when nothing is due."""
    mails_per_turn: int = Field(default=100, ge=1)
    """Steps taken over one connection to the SMTP server before it is opened anew."""
    give_up_after: timedelta = timedelta(days=5)
    """How long a mail is tried that the server postpones or no address is known for (RFC 5321, 4.5.4.1: 4-5 days)."""

    @field_validator("smtp_url")
    @classmethod
    def _is_a_server(cls, url: SecretStr) -> SecretStr:
        Server.at(url.get_secret_value())
        return url

    @field_validator("mail_from")
    @classmethod
    def _is_an_address(cls, sender: str) -> str:
        sender_of(sender)
        return sender

    @field_validator("case_link")
    @classmethod
    def _has_a_place_for_the_case(cls, link: str) -> str:
        if "{case}" not in link:
            raise ValueError("no {case} in it")
        return link

    @field_validator("preferences_link")
    @classmethod
    def _stands_in_a_header(cls, link: str | None) -> str | None:
        if link and not _URL.fullmatch(link):
            raise ValueError("not an address of a page: https://...")
        return link or None


def sender_of(text: str) -> Address:
    """Return the one address that `text` holds. Raises `ValueError` when it is not exactly one."""
    header = SMTP.header_factory("From", text)
    addresses: tuple[Address, ...] = getattr(header, "addresses", ())
    if len(addresses) != 1 or header.defects or not addresses[0].domain:
        raise ValueError("not an e-mail address")
    return addresses[0]
