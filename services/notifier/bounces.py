"""The mailbox to which mails come back: it is read, emptied, and whoever no mail reaches is marked."""

import asyncio
import hashlib
import mailbox
from collections.abc import Set
from itertools import islice
from pathlib import Path
from typing import Final

import structlog

from services.chassis.faults import outlast
from services.notifier import metrics
from services.notifier.posting import Clock, Post
from services.notifier.reports import report_of
from services.notifier.store import Store

log = structlog.get_logger()

EVERY: Final = 15.0
"""Seconds after which a replica looks again."""
AT_ONCE: Final = 20
_LARGEST: Final = 1024 * 1024


class Bounces:
    """Reads the mailbox. Several replicas may: what one has read the others find read, or read once more."""

    def __init__(self, folder: Path, store: Store, post: Post, domain: str, clock: Clock) -> None:
        """`folder` is a Maildir, or a file in mbox format; `domain` that of our Message-IDs."""
        self._folder = folder
        self._store = store
        self._post = post
        self._domain = domain
        self._clock = clock

    async def turn(self) -> None:
        """Read what is there, and take it out when it has been dealt with. Raises `OSError` and `mailbox.Error`."""
        while waiting := await asyncio.to_thread(self._waiting):
            for content in waiting.values():
                await self._read(content)
            await asyncio.to_thread(self._remove, waiting.keys())
            if len(waiting) < AT_ONCE:
                return

    async def _read(self, content: bytes) -> None:
        report = await asyncio.to_thread(report_of, content, self._domain)
        if report is None:
            metrics.BOUNCES.labels("other").inc()
            return
        ours = await outlast(lambda: self._store.emails.came_back(report.email_id, report.status))
        if ours is None:
            metrics.BOUNCES.labels("unknown").inc()
            return
        metrics.BOUNCES.labels("address" if report.permanent else "mail").inc()
        authority, address, certain = ours
        reader = await outlast(lambda: self._store.readers.reader(authority))
        if reader is None or address not in reader.contact.addresses:
            return  # it has been put right meanwhile
        if report.permanent and certain:
            await outlast(lambda: self._store.readers.mark(reader, address, report.status, self._clock()))
        await self._post.tell_coordinator(reader, address)
        log.info("mail came back", authority=authority, status=report.status)

    def _waiting(self) -> dict[str, bytes]:
        """Return messages under the names by which they are taken out."""
        if self._folder.is_dir():
            box = mailbox.Maildir(self._folder, create=False)
            return {key: _content(box, key) for key in islice(box.keys(), AT_ONCE)}
        if not self._folder.exists():
            return {}  # nothing has come back yet
        with self._file() as file:
            contents = (_content(file, key) for key in islice(file.keys(), AT_ONCE))
            return {_digest(content): content for content in contents}

    def _remove(self, names: Set[str]) -> None:
        if self._folder.is_dir():
            box = mailbox.Maildir(self._folder, create=False)
            for name in names:
                box.discard(name)
            return
        with self._file() as file:
            file.lock()  # while we wait for it nothing is lost, and what comes meanwhile stays
            try:
                for key in file.keys():  # noqa: SIM118 - a mailbox iterates over its messages
                    if _digest(_content(file, key)) in names:
                        file.remove(key)
                file.flush()
            finally:
                file.unlock()

    def _file(self) -> "_Closing":
        return _Closing(self._folder, create=False)


class _Closing(mailbox.mbox):
    """A mailbox file that is closed in the end."""

    def __enter__(self) -> "_Closing":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _content(box: mailbox.Mailbox[mailbox.Message], key: str) -> bytes:
    """Return a message, or nothing of one that is too large for a report or has been taken out meanwhile."""
    try:
        with box.get_file(key) as file:
            content: bytes = file.read(_LARGEST + 1)
    except (KeyError, FileNotFoundError):
        return b""
    return content if len(content) <= _LARGEST else b""


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
