"""The keys under which what is personal in cases is kept: one for each month, in a folder of its own.

The folder is no part of a database's backup: whoever has an old backup, and not the folder, can read nothing personal.
A month's key is wrapped (RFC 3394) by the root key, which a deployment keeps in a file or a secret store. Replicas
share the folder; the first that needs a month's key makes it. Nobody seals by a key that a loss of power could undo.
"""

import errno
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

KEY_BYTES: Final = 32
AT_HAND_S: Final = 300.0
"""Seconds for which a replica remembers a month's key after it was destroyed by another."""


class NoKey(RuntimeError):
    """A month's key should be there and is not, or no root key opens it: the folder is not the right one."""


class KeyStore(Protocol):
    """Where the months' keys are."""

    def key_of(self, month: str) -> bytes | None:
        """Return a month's key, nothing once it is destroyed. Raises `NoKey` when it should be there."""

    def made(self, month: str) -> bytes | None:
        """Return a month's key, made if nobody has made it yet; nothing once it is destroyed."""

    def months(self) -> list[str]:
        """Return the months that have a key."""

    def destroy(self, month: str) -> None:
        """Destroy a month's key for ever."""


class KeyFolder:
    """Months' keys as files of a folder."""

    def __init__(self, folder: Path, root_keys: Sequence[bytes]) -> None:
        """The first root key wraps; the others open what was wrapped before a rotation. Raises `ValueError`."""
        if not root_keys or any(len(key) != KEY_BYTES for key in root_keys):
            raise ValueError(f"a root key has {KEY_BYTES} bytes")
        self._folder = folder
        self._roots = tuple(root_keys)
        self._at_hand: dict[str, tuple[float, bytes]] = {}

    def key_of(self, month: str) -> bytes | None:
        """Return a month's key, nothing once it is destroyed. Raises `NoKey` when it should be there."""
        known = self._at_hand.get(month)
        if known and known[0] > time.monotonic() - AT_HAND_S:
            return known[1]
        self._at_hand.pop(month, None)
        if self._destroyed(month).exists():
            return None
        try:
            key = self._unwrapped((self._file(month)).read_bytes())
        except FileNotFoundError as error:
            raise NoKey(month) from error
        self._flush()  # another replica may just have made it
        self._at_hand[month] = (time.monotonic(), key)
        return key

    def made(self, month: str) -> bytes | None:
        """Return a month's key, made if nobody has made it yet; nothing once it is destroyed."""
        try:
            return self.key_of(month)
        except NoKey:
            if self._file(month).exists():
                raise
        self._write_first(self._file(month), self._wrapped(secrets.token_bytes(KEY_BYTES)))
        return self.key_of(month)

    def months(self) -> list[str]:
        """Return the months that have a key."""
        return sorted(file.stem for file in self._folder.glob("*.key"))

    def destroy(self, month: str) -> None:
        """Destroy a month's key for ever. The mark comes first: a crash in between leaves no key half there."""
        self._destroyed(month).touch(0o600)
        self._flush()
        for file in (self._file(month), *self._folder.glob(f"{month}.*.new")):
            file.unlink(missing_ok=True)
        self._flush()
        self._at_hand.pop(month, None)

    def rewrap(self) -> int:
        """Wrap all keys by the first root key, after a rotation; return how many. Repeating it does no harm."""
        for month in self.months():
            wrapped = self._wrapped(self._unwrapped(self._file(month).read_bytes()))
            fresh = self._beside(self._file(month), wrapped)
            fresh.replace(self._file(month))
        self._flush()
        return len(self.months())

    def _file(self, month: str) -> Path:
        return self._folder / f"{month}.key"

    def _destroyed(self, month: str) -> Path:
        return self._folder / f"{month}.destroyed"

    def _wrapped(self, key: bytes) -> bytes:
        from cryptography.hazmat.primitives.keywrap import aes_key_wrap  # noqa: PLC0415 - as below

        return aes_key_wrap(self._roots[0], key)

    def _unwrapped(self, wrapped: bytes) -> bytes:
        from cryptography.hazmat.primitives.keywrap import (  # noqa: PLC0415 - seven megabytes; not before a case
            InvalidUnwrap,
            aes_key_unwrap,
        )

        for root in self._roots:
            try:
                return aes_key_unwrap(root, wrapped)
            except InvalidUnwrap:
                continue
        raise NoKey("no root key opens it")

    def _write_first(self, file: Path, content: bytes) -> None:
        """Write the file unless it is there: whole or not at all, also when two do so at once."""
        fresh = self._beside(file, content)
        try:
            file.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink(missing_ok=True)

    def _beside(self, file: Path, content: bytes) -> Path:
        fresh = file.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        return fresh

    def _flush(self) -> None:
        """Have the disk know which files are there: that it has what is in them says nothing of their names."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        except OSError as error:
            if error.errno != errno.EINVAL:  # as file systems say whose folders need no flushing
                raise
        finally:
            os.close(folder)
