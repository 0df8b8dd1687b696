"""Machine translation of free text, where a deployment has a service for it. Nothing ever waits for it for long.

What was made is kept in memory alone, for a while and by a digest: it is personal data, and a case's keys, by which
everything else that was said is sealed and one day gone, are casework's.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from hashlib import blake2b
from typing import Final

import structlog

from services.chassis.logs import where
from services.translation.freetext import Said
from services.translation.metrics import MACHINE_TRANSLATIONS

PATIENCE: Final = 2.0
"""Seconds for which a message waits for its translations."""
ASK_AGAIN_AFTER: Final = 0.1
_AT_ONCE: Final = 4
_MOST_WAITING: Final = 50
"""Texts that are being translated or wait for it; what comes beyond goes without."""
_REMEMBERED: Final = 2_000
_FORGOTTEN_AFTER: Final = 3600.0
_FAILURES: Final = 5
"""So many in a row, and the service is left alone."""
_LEFT_ALONE_FOR: Final = 30.0

log = structlog.get_logger()

Ask = Callable[[str, str, str], Awaitable[str]]
"""Translate a text from one language into another. Raises `NoTranslation`."""


class NoTranslation(Exception):
    """The service gave none: it was away, too slow, or said what it should not."""


class Machine:
    """Translations at hand, and those that are under way."""

    def __init__(
        self,
        ask: Ask,
        close: Callable[[], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked yet; `close` is called in the end."""
        self._ask = ask
        self._close = close
        self._clock = clock
        self._salt = secrets.token_bytes(16)
        self._made: dict[bytes, tuple[float, str | None]] = {}
        self._under_way: dict[bytes, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._failures = 0
        self._left_alone_until = 0.0

    def fill(self, texts: Iterable[Said], languages: tuple[str, ...]) -> bool:
        """Put its translation beside each text that no language of the reader has; say whether all are there.

        What is not there is asked for. What the service could not make counts as there: nobody waits for it.
        """
        waiting = False
        for said in texts:
            if said.language in languages:
                continue
            key = self._key(said, languages[0])
            _, made = self._made.get(key, (0.0, None))
            if made:
                label = {"code": "machine-translation"}
                said.holder["machine_translation"] = {"text": made, "language": languages[0], "label": label}
            elif key not in self._made:
                waiting |= self._begin(key, said, languages[0])
        return not waiting

    async def end(self) -> None:
        """Ask for nothing more."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._under_way.clear()  # one that had not begun has not taken itself out
        if self._close:
            await self._close()

    def _begin(self, key: bytes, said: Said, target: str) -> bool:
        """Say whether the translation is under way."""
        if key in self._under_way:
            return True
        trying = self._failures >= _FAILURES
        most = 1 if trying else _MOST_WAITING
        if self._clock() < self._left_alone_until or len(self._under_way) >= most:
            MACHINE_TRANSLATIONS.labels("not asked").inc()
            return False
        self._under_way[key] = asyncio.create_task(self._make(key, said.text, said.language, target))
        return True

    async def _make(self, key: bytes, text: str, source: str, target: str) -> None:
        try:
            async with self._turn:
                made = await self._ask(text, source, target)
        except Exception as error:  # noqa: BLE001 - whatever it is, messages go out without
            if not isinstance(error, NoTranslation):
                log.error("translation failed", where=where(error))  # noqa: TRY400 - never the words of an error
            self._failed()
            self._keep(key, None)
        else:
            MACHINE_TRANSLATIONS.labels("made").inc()
            self._failures = 0
            self._keep(key, made)
        finally:
            self._under_way.pop(key, None)

    def _failed(self) -> None:
        MACHINE_TRANSLATIONS.labels("failed").inc()
        self._failures += 1
        if self._failures >= _FAILURES:
            self._left_alone_until = self._clock() + _LEFT_ALONE_FOR

    def _keep(self, key: bytes, made: str | None) -> None:
        """Keep it for a while; what is older, or too much, goes. A failure is kept for as long as a message waits."""
        now = self._clock()
        self._made.pop(key, None)
        self._made[key] = (now, made)
        old = [one for one, (at, text) in self._made.items() if at + (_FORGOTTEN_AFTER if text else PATIENCE) < now]
        for one in [*old, *list(self._made)[: max(0, len(self._made) - len(old) - _REMEMBERED)]]:
            self._made.pop(one, None)

    def _key(self, said: Said, target: str) -> bytes:
        """Salted anew in each process: what is kept of a text tells nobody what it was."""
        words = f"{said.language} {target} {said.text}".encode(errors="replace")
        return blake2b(words, digest_size=16, key=self._salt).digest()
