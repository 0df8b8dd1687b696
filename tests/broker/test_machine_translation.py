"""Machine translation on real servers: it stands beside the original, and a service that hangs holds no message up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contracts.types import FreeText
from deploy.local.exchange import Exchange
from tests.translating import translating_as
from tests.world import World, update

pytestmark = pytest.mark.servers

HANGS = "Diese Angabe wird nie übersetzt, denn der Dienst bleibt stehen."
COMMENT = "Der Nachweis wurde von der zuständigen Behörde ausgestellt."


async def say(asked: dict[str, Any], writer: asyncio.StreamWriter, closing: asyncio.Event) -> None:
    """Say in which languages it was asked, or nothing at all."""
    if asked["q"] == HANGS:
        await closing.wait()
    body = json.dumps({"translatedText": f"{asked['source']} to {asked['target']}"}).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await writer.drain()


@asynccontextmanager
async def translating(exchange: Exchange, url: str) -> AsyncIterator[None]:
    """For as long as the block runs, translation has that service."""
    await asyncio.to_thread(_replace, exchange, {"IMI_MACHINE_TRANSLATION_URL": url})
    try:
        yield
    finally:
        await asyncio.to_thread(_replace, exchange, {})


def _replace(exchange: Exchange, settings: dict[str, str]) -> None:
    exchange.stop(*exchange.of("translation"))
    exchange.start("translation", settings=settings)
    exchange.wait_until_ready()


async def test_a_translation_stands_beside_the_original_and_is_waited_for_no_longer_than_it_is_worth(
    world: World,
) -> None:
    """Both sides read everything of both cases; one text has a translation, marked in the reader's words."""
    async with translating_as(say) as url, translating(world.exchange, url), world.both() as (asking, answering):
        for text, made in ((COMMENT, "de to hu"), (HANGS, None)):
            sent = await asking.do(world.request(comment=FreeText(text=text, language="de")))
            assert sent.case
            assert sent.case.comment
            assert sent.case.comment.machine_translation is None
            accepted = await answering.do(world.accept(sent.case.id))
            assert accepted.case
            comment = accepted.case.comment
            assert comment
            assert (comment.text, comment.language) == (text, "de")
            if made is None:
                assert comment.machine_translation is None
            else:
                assert comment.machine_translation
                assert comment.machine_translation.text == made
                assert comment.machine_translation.label.text == "Gépi fordítás, nem kötelező érvényű"
            assert (await update(asking, sent.case.id, accepted.case.version)).comment
