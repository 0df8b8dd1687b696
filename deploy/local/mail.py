"""A real SMTP server for tests and demonstrations: it keeps what it is given, and delivers nothing."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.certificates import Certificates


class Mailbox:
    """All mails that arrived, in their order."""

    def __init__(self) -> None:
        """Empty."""
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 kept"

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to one address."""
        return [mail for mail in self.mails if address in str(mail["To"])]


@contextmanager
def mail_server(mailbox: Mailbox, port: int, certificates: Certificates | None = None) -> Iterator[str]:
    """Serve SMTP on loopback, in a thread; gives the URL. With certificates it speaks TLS alone."""
    context = None
    if certificates:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.certificate, certificates.key)
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, ssl_context=context)
    controller.start()
    try:
        yield f"{'smtps' if context else 'smtp'}://127.0.0.1:{port}"
    finally:
        controller.stop()
