"""The words that a replica holds in memory: those of the versions that were read last, up to a number of bytes."""

from sys import getsizeof
from typing import Final

from services.translation.area import AreaTexts

MOST: Final = 192 * 1024 * 1024
"""Bytes of texts: those of 200 areas in 26 languages are two thirds of it. With it a replica takes up to 384 MiB."""
MOST_VERSIONS: Final = 500
Key = tuple[str, int]
"""An area, and which version of it."""


class Held:
    """Versions of areas with their texts. One that is let go is read again when a case needs it."""

    def __init__(self, most: int = MOST) -> None:
        """Hold up to so many bytes; of what is read at the moment also more."""
        self._most = most
        self._versions: dict[Key, AreaTexts] = {}
        self._bytes: dict[Key, int] = {}

    def get(self, key: Key) -> AreaTexts | None:
        """Return a version if it is here; whatever else is here has not been read since."""
        found = self._versions.pop(key, None)
        if found:
            self._versions[key] = found
        return found

    def put(self, key: Key, found: AreaTexts) -> None:
        """Hold a version, with the languages that it has by now; let go of what nobody has read for longest."""
        self._versions.pop(key, None)
        self._versions[key] = found
        self._bytes[key] = sum(_bytes_of(texts) for texts in found.texts.values())
        while len(self._versions) > 1 and (
            sum(self._bytes.values()) > self._most or len(self._versions) > MOST_VERSIONS
        ):
            oldest = next(iter(self._versions))
            del self._versions[oldest], self._bytes[oldest]


def _bytes_of(texts: dict[str, str]) -> int:
    """The codes are shared by all languages."""
    return getsizeof(texts) + sum(map(getsizeof, texts.values()))
