"""The notifier's settings."""

import re
from datetime import timedelta
from email.headerregistry import Address
from email.policy import SMTP
from pathlib import Path
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
    smtp_encrypted: bool = False
    """Whether a server without TLS gets neither login nor mails: to be set wherever the way to it is not ours."""
    smtp_authorities: Path | None = None
    """A file of certificates that vouch for the server's, in place of those that the machine trusts."""
    smtp_connections: int = Field(default=4, ge=1, le=100)
    """Connections that a replica has at the most, and so mails that it sends side by side."""
    domain_rate: float = Field(default=10.0, gt=0, le=1000, allow_inf_nan=False)
    """Mails a second to one domain, all replicas together."""
    lease: timedelta = Field(default=timedelta(seconds=90), ge=timedelta(seconds=5))
    """After which another replica takes over what one has begun. A mail may take 40 seconds."""
    calendar: Path | None = None
    """A file of official lists of public holidays, the same as casework's (docs/deadlines.md)."""
    bounces: Path | None = None
    """The mailbox (a Maildir, or a file in mbox format) to which mails come back that could not be delivered."""
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
    """Steps taken before the connections to the SMTP server are opened anew."""
    give_up_after: timedelta = Field(default=timedelta(days=2), gt=timedelta(0))
    """How long a mail is tried that the server postpones or no address is known for; then its coordinator is told."""

    @field_validator("smtp_url")
    @classmethod
    def _is_a_server(cls, url: SecretStr) -> SecretStr:
        Server.at(url.get_secret_value())
        return url

    def server(self) -> Server:
        """Return where mails go."""
        url = self.smtp_url.get_secret_value()
        return Server.at(url, encrypted=self.smtp_encrypted, authorities=self.smtp_authorities)

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
