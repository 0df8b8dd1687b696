"""Addresses of servers, and whom to trust there."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

_TRUSTING: Final[Mapping[str, Mapping[str, str]]] = {
    "amqps": {"cafile": "{ca}"},
    "https": {"cafile": "{ca}"},
    "mongodb": {"tls": "true", "tlsCAFile": "{ca}"},
    "mongodb+srv": {"tls": "true", "tlsCAFile": "{ca}"},
}


def trusting(url: str, ca: str) -> str:
    """Return the address with the file of the authorities of which one must have signed the server's certificate.

    What the address says of it itself stays. Raises `ValueError`, without quoting it, when it is not encrypted.
    """
    parts = urlsplit(url)
    added = _TRUSTING.get(parts.scheme)
    if added is None:
        raise ValueError("with a certificate authority only amqps://, https:// or mongodb:// will do")
    query = {name: value.format(ca=ca) for name, value in added.items()} | dict(parse_qsl(parts.query))
    if query.get("tls", "true") != "true":
        raise ValueError("with a certificate authority the address must not turn encryption off")
    return parts._replace(path=parts.path or "/", query=urlencode(query, safe="/")).geturl()
