"""Mails to the SMTP server: one connection for many, and what its replies mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

SEND_WITHIN: Final = 20.0
"""Seconds for a connection, and for a mail."""
_NOT_ABOUT_THE_MAIL: Final = {421, 454, 530, 534, 535, 538}
"""Service not available; authentication required, failed or to be done otherwise (RFC 5321, RFC 4954)."""
_LONGEST_REPLY: Final = 200


class Away(Exception):
    """The server takes nothing from us now: unreachable, shutting down, or not accepting who we are."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The server has answered for the mail from now on."""

    reply: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """The server may take this mail later (4xx)."""

    reply: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server will never take this mail (5xx)."""

    reply: str


Reply = Taken | Postponed | Refused


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is and how to log in to it."""

    host: str
    port: int
    tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def at(cls, url: str) -> Self:
        """Read `smtp://[user:password@]host[:port]` or `smtps://`. Raises `ValueError` for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("not smtp://[user:password@]host:port")
        tls = parts.scheme == "smtps"
        user, password = (unquote(text) if text else None for text in (parts.username, parts.password))
        return cls(parts.hostname, parts.port or (465 if tls else 25), tls, user, password)


class Courier:
    """Hands mails to the server, over a connection that the first one opens."""

    def __init__(self, server: Server, own_name: str) -> None:
        """`own_name` is the domain by which the server is greeted."""
        self._server = server
        self._own_name = own_name
        self._open: SMTP | None = None

    async def send(self, mail: EmailMessage, address: str) -> Reply:
        """Hand over one mail to one address. Raises `Away`; then the server may have taken it all the same."""
        try:
            async with asyncio.timeout(SEND_WITHIN):
                smtp = await self._connected()
            async with asyncio.timeout(SEND_WITHIN):
                return await _hand_over(smtp, mail, address)
        except (Away, SMTPException, OSError) as error:
            await self.close()
            code = getattr(error, "code", "")
            raise error if isinstance(error, Away) else Away(f"{type(error).__name__} {code}".strip()) from error

    async def close(self) -> None:
        """End the connection if there is one."""
        smtp, self._open = self._open, None
        if smtp:
            smtp.close()

    async def _connected(self) -> SMTP:
        if self._open is None:
            server = self._server
            smtp = SMTP(
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                local_hostname=self._own_name,
                use_tls=server.tls,
                start_tls=False if server.tls else None,  # None: when the server offers it
                timeout=SEND_WITHIN,
            )
            await smtp.connect()
            self._open = smtp
        return self._open

    async def quit(self) -> None:
        """Say good-bye if there is a connection, and end it."""
        try:
            if self._open:
                async with asyncio.timeout(1):
                    await self._open.quit()
        except (SMTPException, OSError):
            pass  # it is ended anyway
        finally:
            await self.close()


@asynccontextmanager
async def courier(server: Server, own_name: str) -> AsyncIterator[Courier]:
    """Have a courier for as long as the block runs."""
    made = Courier(server, own_name)
    try:
        yield made
    finally:
        await made.quit()


async def _hand_over(smtp: SMTP, mail: EmailMessage, address: str) -> Reply:
    try:
        _, text = await smtp.send_message(mail, recipients=[address])
    except SMTPSenderRefused as error:
        # Our own address is not accepted: no fault of this mail, and true of all.
        raise Away(f"{type(error).__name__} {error.code}") from error
    except SMTPRecipientsRefused as error:
        return _verdict(error.recipients[0].code, error.recipients[0].message)
    except SMTPNotSupported as error:
        return Refused(error.message[:_LONGEST_REPLY])  # an address beyond ASCII, and a server that cannot
    except SMTPResponseException as error:
        return _verdict(error.code, error.message)
    return Taken(f"250 {text}"[:_LONGEST_REPLY])


def _verdict(code: int, text: str) -> Reply:
    if code in _NOT_ABOUT_THE_MAIL:
        raise Away(str(code))
    reply = f"{code} {text}"[:_LONGEST_REPLY]
    return Refused(reply) if 500 <= code <= 599 else Postponed(reply)
