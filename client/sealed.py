"""A file that only the holder of a key can read, and in which nothing can be changed, swapped or cut off unseen.

A line that says what it is, then a header, then chunks, each sealed by AES-256-GCM under a key of the file's own (HKDF
of the holder's key and the file's salt). A chunk's nonce is its number and whether it is the last; the header is part
of what each is authenticated with.
"""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC: Final = b"IMI sealed 1\n"
CHUNK: Final = 1024 * 1024
_TAG: Final = 16
_SALT: Final = 32


class NotReadable(Exception):
    """Not such a file, not this key, or not as it was written."""


def read_key(file: Path) -> bytes:
    """Return the 32 bytes that a file holds in base64. Raises `NotReadable`."""
    try:
        key = base64.b64decode(file.read_text().strip(), validate=True)
    except ValueError as error:
        raise NotReadable("the key is not base64") from error
    if len(key) != 32:
        raise NotReadable("the key has not 32 bytes")
    return key


class Sealing:
    """Writes such a file. Without `close` it is one that was cut off, and nobody will read it."""

    def __init__(self, file: IO[bytes], key: bytes, header: Mapping[str, Any]) -> None:
        """Write what stands before the chunks. The header can be read without the key."""
        salt = os.urandom(_SALT)
        text = json.dumps({**header, "salt": base64.b64encode(salt).decode()}).encode() + b"\n"
        self._file, self._waiting, self._number = file, bytearray(), 0
        self._aes, self._head = AESGCM(_derived(key, salt)), MAGIC + text
        file.write(self._head)

    def write(self, content: bytes) -> None:
        """Add to what the file says."""
        self._waiting += content
        while len(self._waiting) > CHUNK:
            self._seal(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]

    def close(self) -> None:
        """Write the last chunk."""
        self._seal(bytes(self._waiting), last=True)

    def _seal(self, content: bytes, *, last: bool) -> None:
        self._file.write(self._aes.encrypt(_nonce(self._number, last=last), content, self._head))
        self._number += 1


def header_of(file: IO[bytes]) -> dict[str, Any]:
    """Return the header, unproven, and stand behind it. Raises `NotReadable`."""
    if file.read(len(MAGIC)) != MAGIC:
        raise NotReadable("no sealed file of this version")
    try:
        header: dict[str, Any] = json.loads(file.readline(65_536))
        base64.b64decode(header["salt"], validate=True)
    except (ValueError, KeyError, TypeError) as error:
        raise NotReadable("no header") from error
    return header


def opened(file: IO[bytes], key: bytes) -> Iterator[bytes]:
    """Yield what the file says, chunk by chunk, each proven. Raises `NotReadable` at the first that does not hold."""
    file.seek(0)
    header = header_of(file)
    size = file.tell()
    file.seek(0)
    head = file.read(size)
    aes, number = AESGCM(_derived(key, base64.b64decode(header["salt"]))), 0
    sealed, following = file.read(CHUNK + _TAG), b""
    while sealed:
        following = file.read(CHUNK + _TAG)
        try:
            yield aes.decrypt(_nonce(number, last=not following), sealed, head)
        except InvalidTag as error:
            raise NotReadable("another key, or not as it was written") from error
        sealed, number = following, number + 1
    if not number:
        raise NotReadable("cut off")


def _derived(key: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, b"imi sealed file").derive(key)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])
