"""Mails to the SMTP server: a few connections for many, and what its replies mean."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path
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
_NOT_ABOUT_THE_MAIL: Final = {530, 534, 535, 538}
"""Authentication required, failed or to be done otherwise (RFC 4954). 421 may be about one recipient alone."""
_LONGEST_REPLY: Final = 200


class Away(Exception):
    """The server takes nothing from us now: unreachable, shutting down, or not accepting who we are."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The server has answered for the mail from now on."""

    reply: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """The server may take this mail later (4xx), or the connection broke over it, which may be the mail's fault.

    In that case the server may have taken it after all.
    """

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
    encrypted: bool = False
    """Whether nothing is said in the clear: without STARTTLS no login and no mail."""
    authorities: Path | None = None
    """The certificates that vouch for the server's; by default those that the machine trusts."""

    @classmethod
    def at(cls, url: str, *, encrypted: bool = False, authorities: Path | None = None) -> Self:
        """Read `smtp://[user:password@]host[:port]` or `smtps://`. Raises `ValueError` for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("not smtp://[user:password@]host:port")
        tls = parts.scheme == "smtps"
        user, password = (unquote(text) if text else None for text in (parts.username, parts.password))
        port = parts.port or (465 if tls else 25)
        return cls(parts.hostname, port, tls, user, password, encrypted=encrypted, authorities=authorities)

    def start_tls(self) -> bool | None:
        """Say whether to change over to TLS: if none is said, when the server offers it."""
        return False if self.tls else True if self.encrypted else None


class Courier:
    """Hands mails to the server, over a connection that the first one opens."""

    def __init__(self, server: Server, own_name: str, context: ssl.SSLContext) -> None:
        """`own_name` is the domain by which the server is greeted; `context` checks its certificate."""
        self._server = server
        self._own_name = own_name
        self._context = context
        self._open: SMTP | None = None

    async def send(self, mail: EmailMessage, address: str) -> Reply:
        """Hand over a mail to one address. Raises `Away`."""
        smtp = await self._connected()
        try:
            async with asyncio.timeout(SEND_WITHIN):
                reply = await _hand_over(smtp, mail, address)
        except Away:
            await self.quit()
            raise
        except (SMTPException, OSError) as error:
            self._close()
            return Postponed(_fault(error))
        if isinstance(reply, Postponed) and reply.reply.startswith("421"):
            await self.quit()  # the server closes it; whether it is away, the next connection tells
        return reply

    async def quit(self) -> None:
        """Say good-bye if there is a connection, and end it."""
        try:
            if self._open:
                async with asyncio.timeout(1):
                    await self._open.quit()
        except (SMTPException, OSError):
            pass  # it is ended anyway
        finally:
            self._close()

    async def _connected(self) -> SMTP:
        if self._open is None:
            smtp = self._client()
            try:
                async with asyncio.timeout(SEND_WITHIN):
                    await smtp.connect()
            except (SMTPException, OSError) as error:
                raise Away(_fault(error)) from error
            self._open = smtp
        return self._open

    def _client(self) -> SMTP:
        return SMTP(
            hostname=self._server.host,
            port=self._server.port,
            username=self._server.user,
            password=self._server.password,
            local_hostname=self._own_name,
            use_tls=self._server.tls,
            start_tls=self._server.start_tls(),
            tls_context=self._context,
            timeout=SEND_WITHIN,
        )

    def _close(self) -> None:
        smtp, self._open = self._open, None
        if smtp:
            smtp.close()


class Couriers:
    """Hands mails to the server over so many connections at the most; who finds none free waits for one."""

    def __init__(self, server: Server, own_name: str, connections: int) -> None:
        """`own_name` is the domain by which the server is greeted."""
        context = _context(server)
        self._all = [Courier(server, own_name, context) for _ in range(connections)]
        self._free = list(self._all)
        self._places = asyncio.Semaphore(connections)

    async def send(self, mail: EmailMessage, address: str) -> Reply:
        """Hand over a mail to one address. Raises `Away`."""
        async with self._places:
            courier = self._free.pop()  # the last one used: others are opened only when it is busy
            try:
                return await courier.send(mail, address)
            finally:
                self._free.append(courier)

    async def quit(self) -> None:
        """End all connections."""
        await asyncio.gather(*(courier.quit() for courier in self._all))


@asynccontextmanager
async def couriers(server: Server, own_name: str, connections: int) -> AsyncIterator[Couriers]:
    """Have couriers for as long as the block runs."""
    made = Couriers(server, own_name, connections)
    try:
        yield made
    finally:
        await made.quit()


def _context(server: Server) -> ssl.SSLContext:
    """Return what checks the server's certificate: made anew only when the file that vouches for it has changed."""
    changed = server.authorities.stat().st_mtime_ns if server.authorities else 0
    return _context_of(server.authorities, changed)


@lru_cache(maxsize=4)
def _context_of(authorities: Path | None, _changed: int) -> ssl.SSLContext:
    """Those that the machine trusts are a hundred and more: to read them takes longer than to write a mail."""
    return ssl.create_default_context(cafile=authorities)


async def _hand_over(smtp: SMTP, mail: EmailMessage, address: str) -> Reply:
    try:
        _, text = await smtp.send_message(mail, recipients=[address])
    except SMTPSenderRefused as error:
        # Our own address is not accepted: no fault of this mail, and true of all.
        raise Away(_fault(error)) from error
    except SMTPRecipientsRefused as error:
        return _verdict(error.recipients[0].code, error.recipients[0].message)
    except SMTPNotSupported as error:
        return Refused(error.message[:_LONGEST_REPLY])  # an address beyond ASCII, and a server that cannot
    except SMTPResponseException as error:
        return _verdict(error.code, error.message)
    return Taken(f"250 {text}"[:_LONGEST_REPLY])


def _fault(error: Exception) -> str:
    """Name a fault by its kind and code: a server's words may quote an address."""
    return f"{type(error).__name__} {getattr(error, 'code', '')}".strip()


def _verdict(code: int, text: str) -> Reply:
    if code in _NOT_ABOUT_THE_MAIL:
        raise Away(str(code))
    reply = f"{code} {text}"[:_LONGEST_REPLY]
    return Refused(reply) if 500 <= code <= 599 else Postponed(reply)
