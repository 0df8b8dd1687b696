"""The mails that arrive, and what each tells: by its plain text, where a case's link stands below each sentence."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import services.notifier
from deploy.local.exchange import CASE_LINK, Exchange
from services.chassis.catalogue import read_all
from services.notifier.sentences import SENTENCES
from tests.chaos.record import Mail, Record

_LOOK_EVERY: Final = 0.2
_LINK: Final = re.compile(re.escape(CASE_LINK).replace(r"\{case\}", "([0-9A-Z-]{14})"))
_NOTICE: Final = "notice."
_TEXTS: Final = read_all(Path(services.notifier.__file__).parent / "locale", SENTENCES)


@asynccontextmanager
async def noting_mails(exchange: Exchange, record: Record, clock: Callable[[], float]) -> AsyncIterator[None]:
    """Note the mails that arrive while the block runs."""
    seen = len(exchange.mailbox.mails)

    def note() -> None:
        nonlocal seen
        for mail in exchange.mailbox.mails[seen:]:
            record.mails.append(read(mail, clock()))
            seen += 1

    async def often() -> None:
        while True:
            note()
            await asyncio.sleep(_LOOK_EVERY)

    noting = asyncio.create_task(often())
    try:
        yield
    finally:
        noting.cancel()
        await asyncio.gather(noting, return_exceptions=True)
        note()


def read(mail: EmailMessage, at: float) -> Mail:
    """Return what is to be noted of a mail. What is no notice is noted by its sentence."""
    body = mail.get_body(("plain",))
    lines = str(body.get_content()).splitlines() if body else []
    told = tuple(_told(lines, _notices(str(mail["Content-Language"]))))
    return Mail(at, str(mail["Message-ID"]), str(mail["To"]), told)


def _told(lines: list[str], notices: dict[str, str]) -> Iterator[tuple[str, str]]:
    for sentence, line in pairwise(["", *lines]):
        for case in _LINK.findall(line):
            said = sentence.replace(case, "{case}")
            # What is to be done until when may follow in the same line.
            yield case, next((kind for text, kind in notices.items() if said.startswith(text)), said)


@cache
def _notices(language: str) -> dict[str, str]:
    """Return the kinds of notices by their sentences."""
    return {text: code.removeprefix(_NOTICE) for code, text in _TEXTS[language].items() if code.startswith(_NOTICE)}
