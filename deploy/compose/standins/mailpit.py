#!/usr/bin/env python3
"""Stands in for Mailpit where its image cannot be had: SMTP with a login on 1025, what came on 8025.

It knows what docker-compose.yml and a demonstration use of Mailpit, and nothing more: the variable
MP_SMTP_AUTH_FILE, the command `readyz`, and GET of /, /readyz, /api/v1/messages and /api/v1/message/ID.
"""

import email
import email.policy
import html
import json
import os
import sys
import urllib.request
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

KEPT = 1_000

Mail = dict[str, Any]
mails: list[Mail] = []


class Inbox:
    """Takes what is sent."""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep it, and forget the oldest."""
        message = email.message_from_bytes(envelope.original_content or b"", policy=email.policy.default)
        mails.append(described(message, envelope))
        del mails[:-KEPT]
        return "250 OK"


def described(message: EmailMessage, envelope: Envelope) -> Mail:
    """Return the message with Mailpit's names."""
    body = message.get_body(("plain",))
    return {
        "ID": os.urandom(11).hex(),
        "From": {"Name": "", "Address": envelope.mail_from},
        "To": [{"Name": "", "Address": address} for address in envelope.rcpt_tos],
        "Subject": str(message["subject"] or ""),
        "Date": str(message["date"] or ""),
        "Text": body.get_content() if body else "",
    }


class Page(BaseHTTPRequestHandler):
    """Shows what came."""

    def do_GET(self) -> None:
        """Answer one of the few addresses."""
        found = self.answer()
        self.send_response(404 if found is None else 200)
        self.end_headers()
        self.wfile.write((found or "").encode())

    def answer(self) -> str | None:
        """Return the body for the address, None where there is none."""
        newest = mails[::-1]
        match self.path.partition("?")[0].strip("/").split("/"):
            case [""]:
                return "".join(map(shown, newest))
            case ["readyz"]:
                return "ok"
            case ["api", "v1", "messages"]:
                return json.dumps({"total": len(newest), "messages": newest})
            case ["api", "v1", "message", number]:
                return next((json.dumps(m) for m in newest if number in {m["ID"], "latest"}), None)
        return None

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def shown(mail: Mail) -> str:
    """Return a part of the page."""
    return f"<h3>{html.escape(mail['Subject'])}</h3><pre>{html.escape(mail['Text'])}</pre>"


def login(*asked: object) -> AuthResult:
    """Let in those in the file, one `user:password` a line."""
    data = asked[-1]
    known = Path(os.environ["MP_SMTP_AUTH_FILE"]).read_bytes().split()
    # Not `handled`: aiosmtpd itself says no; else it says nothing, and the client waits for minutes.
    return AuthResult(success=isinstance(data, LoginPassword) and b":".join(data) in known, handled=False)


def main() -> None:
    """Serve until a signal ends it, or, with `readyz`, say whether the other one serves."""
    if sys.argv[1:] == ["readyz"]:
        urllib.request.urlopen("http://127.0.0.1:8025/readyz", timeout=4).close()
        return
    controller = Controller(
        Inbox(),
        hostname="0.0.0.0",  # noqa: S104 - its container's own
        port=1025,
        authenticator=login,
        auth_required=True,
        auth_require_tls=False,
    )
    controller.start()
    ThreadingHTTPServer(("", 8025), Page).serve_forever()


if __name__ == "__main__":
    main()
