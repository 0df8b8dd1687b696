"""What is personal in a case, sealed under the case's own key (Regulation (EU) 1024/2012, Art. 14).

Each case has a data key, sealed by the key of the month in which it was made; the sealed key is the case's `secret`.
Without it, or without the month's key, nobody can read what was sealed: not in older backups either.
"""

import json
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from services.casework.keys import KEY_BYTES, KeyStore
from services.chassis.histories import Entry, Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORGETTING: Final = frozenset({"discarded", "erased", "deleted"})
"""What destroys a case's key."""
RENEWING: Final = "corrected"
"""What puts another key in its place: entries before it can be read no more."""
_ANOTHER_KEY: Final = FORGETTING | {RENEWING}
_NONCE_BYTES: Final = 12


class Vault:
    """Seals and opens the entries of cases."""

    def __init__(self, keys: KeyStore) -> None:
        """`keys` are those of the months."""
        self._keys = keys

    def opened(self, document_id: str, secret: Secret, history: Sequence[Entry]) -> list[Entry]:
        """Return the entries with what is personal in them, as far as the case still has a key.

        Raises `InvalidTag` when what is stored is not what was sealed, `NoKey` when the month's key is missing.
        """
        first = max((place for place, one in enumerate(history) if one["what"] in _ANOTHER_KEY), default=0)
        if not secret or not any("sealed" in entry for entry in history[first:]):
            return list(history)
        key = self._data_key(document_id, secret)
        if key is None:
            return list(history)
        cipher = _cipher(key)
        return [_opened(cipher, document_id, entry) if place >= first else entry for place, entry in enumerate(history)]

    def sealed(self, document_id: str, secret: Secret, entry: Entry) -> tuple[Secret, Entry]:
        """Return the entry as it is to be stored, and the case's secret from then on."""
        personal, rest = entry.get("personal"), {name: one for name, one in entry.items() if name != "personal"}
        if entry["what"] in FORGETTING:
            return None, rest
        if not personal:
            return secret, rest
        if secret is None or entry["what"] == RENEWING:
            secret, key = self._new(document_id, entry["at"])
        else:
            key = self._data_key(document_id, secret)
        if key is None:  # the month's key is gone, and with it what was there: what comes now is not kept either
            return secret, rest
        words = json.dumps(personal, ensure_ascii=False, separators=(",", ":")).encode()
        return secret, {**rest, "sealed": _seal(key, words, document_id)}

    def _new(self, document_id: str, at: datetime) -> tuple[Secret, bytes | None]:
        month = at.astimezone(UTC).strftime("%Y-%m")
        wrapping = self._keys.made(month)
        if wrapping is None:
            raise RuntimeError(f"the key of {month} is destroyed already")
        key = secrets.token_bytes(KEY_BYTES)
        return {"month": month, "key": _seal(wrapping, key, document_id)}, key

    def _data_key(self, document_id: str, secret: Secret) -> bytes | None:
        assert secret
        wrapping = self._keys.key_of(secret["month"])
        return _open(_cipher(wrapping), secret["key"], document_id) if wrapping else None


def _cipher(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - seven megabytes; not before a case

    return AESGCM(key)


def _seal(key: bytes, words: bytes, document_id: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher(key).encrypt(nonce, words, document_id.encode())


def _open(cipher: "AESGCM", sealed: bytes, document_id: str) -> bytes:
    return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], document_id.encode())


def _opened(cipher: "AESGCM", document_id: str, entry: Entry) -> Entry:
    if "sealed" not in entry:
        return entry
    personal: dict[str, Any] = json.loads(_open(cipher, entry["sealed"], document_id))
    return {**entry, "personal": personal}
