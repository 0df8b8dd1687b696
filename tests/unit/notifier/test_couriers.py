"""Connections to a real SMTP server on loopback: few, encrypted, to whom the certificate says it is."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.local.mail import Mailbox
from deploy.local.ports import Ports
from services.notifier.smtp import Away, Couriers, Postponed, Refused, Server, Taken, couriers


def certificate(folder: Path, name: str, address: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself and for nobody but this address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


class Counting(Mailbox):
    """Counts who is connected at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.now += 1
        self.most = max(self.most, self.now)
        return responses

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802 - as above
        self.now -= 1
        return "221 bye"

    async def handle_RCPT(  # noqa: N802 - as above
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return {"late@x.example": "451 later", "gone@x.example": "550 no", "bye@x.example": "421 closing"}.get(
            address, "250 go on"
        )


@asynccontextmanager
async def listening(folder: Path, mailbox: Mailbox, **options: Any) -> AsyncIterator[int]:
    """An SMTP server on a free port."""
    (folder / "ports").mkdir(exist_ok=True)
    with closing(Ports(folder / "ports", ["smtp"])) as ports:
        controller = Controller(mailbox, hostname="127.0.0.1", port=ports["smtp"], **options)
        await asyncio.to_thread(controller.start)
        try:
            yield ports["smtp"]
        finally:
            await asyncio.to_thread(controller.stop)


def plain(port: int) -> Server:
    """Where it listens, for whoever wants no TLS."""
    return Server("127.0.0.1", port, tls=False)


def mail(address: str = "a@x.example") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "exchange@imi.example", address, "Hello"
    made.set_content("Hello")
    return made


def knows(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"notifier", b"geheim")
    return AuthResult(success=right)


async def test_many_mails_share_a_few_connections(tmp_path: Path) -> None:
    """However many wait, no more are open than were allowed; at the end none."""
    mailbox = Counting()
    async with listening(tmp_path, mailbox) as port, couriers(plain(port), "imi.example", 3) as made:
        replies = await asyncio.gather(*(made.send(mail(), "a@x.example") for _ in range(20)))
    assert all(isinstance(reply, Taken) for reply in replies)
    assert (len(mailbox.mails), mailbox.most, mailbox.now) == (20, 3, 0)


async def test_what_the_server_says_is_told_apart(tmp_path: Path) -> None:
    """4xx is for later, 5xx for good; 421 is for later, too, and after it there is another connection."""
    async with listening(tmp_path, Counting()) as port, couriers(plain(port), "imi.example", 1) as made:
        assert await made.send(mail(), "late@x.example") == Postponed("451 later")
        assert await made.send(mail(), "gone@x.example") == Refused("550 no")
        assert await made.send(mail(), "bye@x.example") == Postponed("421 closing")
        assert isinstance(await made.send(mail(), "a@x.example"), Taken)


# To aiosmtpd a connection that is encrypted from the beginning is none with TLS.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("tls", [False, True], ids=["STARTTLS", "TLS at once"])
async def test_the_login_goes_encrypted_to_whom_the_certificate_vouches_for(tmp_path: Path, tls: bool) -> None:
    """With the file of its authority it is taken; without, or with another's name in it, nothing is said."""
    known = certificate(tmp_path, "known", "127.0.0.1")
    other = certificate(tmp_path, "other", "127.0.0.2")
    for (pem, key), trusted, taken in ((known, known[0], True), (known, None, False), (other, other[0], False)):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem, key)
        mailbox = Mailbox()
        wraps: dict[str, Any] = {"ssl_context": context} if tls else {"tls_context": context, "require_starttls": True}
        login = {"authenticator": knows, "auth_required": True, "auth_require_tls": not tls}
        server = Server("127.0.0.1", 0, tls, "notifier", "geheim", encrypted=True, authorities=trusted)
        async with listening(tmp_path, mailbox, **wraps, **login) as port:
            assert await _is_taken(server, port) == taken
        assert len(mailbox.mails) == taken


async def test_without_encryption_nothing_is_said_where_it_is_demanded(tmp_path: Path) -> None:
    """Neither login nor mail: whoever listens in between could have taken the offer out."""
    mailbox = Mailbox()
    async with listening(tmp_path, mailbox) as port:
        assert not await _is_taken(Server("127.0.0.1", 0, tls=False, encrypted=True), port)
        assert await _is_taken(Server("127.0.0.1", 0, tls=False), port)
    assert len(mailbox.mails) == 1


async def _is_taken(server: Server, port: int) -> bool:
    made = Couriers(
        Server(
            server.host,
            port,
            server.tls,
            server.user,
            server.password,
            encrypted=server.encrypted,
            authorities=server.authorities,
        ),
        "imi.example",
        1,
    )
    try:
        return isinstance(await made.send(mail(), "a@x.example"), Taken)
    except Away:
        return False
    finally:
        await made.quit()
