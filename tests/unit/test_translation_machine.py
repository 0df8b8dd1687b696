"""Machine translation: what a service outside says, or fails to say, holds nothing up and does no harm."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.translation import machine as module
from services.translation.freetext import Said
from services.translation.libretranslate import LibreTranslate
from services.translation.machine import Machine, NoTranslation
from tests.translating import translating_as

TEXT = "Der Nachweis ist echt."
MADE = "A bizonyítvány valódi."


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    """An HTTP answer."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@asynccontextmanager
async def service(*parts: bytes, then_wait: bool = False) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A server that says the same to everybody; gives its address, and what it was asked."""
    asked: list[dict[str, Any]] = []

    async def say(one: dict[str, Any], writer: asyncio.StreamWriter, closing: asyncio.Event) -> None:
        asked.append(one)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if then_wait:
            await closing.wait()

    async with translating_as(say) as url:
        yield url, asked


async def translated(url: str, key: str | None = None, within: float = 10) -> str:
    """What the adapter makes of the text."""
    adapter = LibreTranslate(url, key, within)
    try:
        return await adapter(TEXT, "de", "hu")
    finally:
        await adapter.close()


async def test_a_text_is_asked_for_in_the_form_of_the_api() -> None:
    """With the key, where there is one; the translation comes back."""
    async with service(answer(json.dumps({"translatedText": f" {MADE}\n"}).encode())) as (url, asked):
        assert await translated(url, "secret") == MADE
        assert await translated(url) == MADE
    fields = {"q": TEXT, "source": "de", "target": "hu", "format": "text"}
    assert [{key: one[key] for key in one if key != "head"} for one in asked] == [
        fields | {"api_key": "secret"},
        fields,
    ]


WRONG = {
    "an error": answer(b'{"error": "busy"}', "500 Internal Server Error"),
    "too many questions": answer(b'{"error": "slow down"}', "429 Too Many Requests"),
    "another place": answer(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"),
    "no JSON": answer(b"<html>"),
    "no text": answer(b"{}"),
    "an empty text": answer(b'{"translatedText": "  "}'),
    "something else than a text": answer(b'{"translatedText": ["x"]}'),
    "an enormous answer": answer(b'{"translatedText": "' + b"x" * 200_000 + b'"}'),
    "a text that is too long": answer(b'{"translatedText": "' + b"x" * 20_000 + b'"}'),
    "half an answer": answer(b'{"translatedText": "x"}')[:-5],
    "something packed": answer(b"\x1f\x8b\x08", headers="Content-Encoding: gzip\r\n"),
    "no HTTP": b"hello\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
async def test_whatever_is_no_translation_is_none(said: bytes) -> None:
    """It is told as one kind of failure, in which nothing of the text or the answer stands."""
    async with service(said) as (url, _):
        with pytest.raises(NoTranslation) as raised:
            await translated(url)
    assert TEXT not in str(raised.value)


@pytest.mark.parametrize("parts", [(), (b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n", b'{"tr')], ids=["no", "half"])
async def test_a_service_that_is_too_slow_is_not_waited_for(parts: tuple[bytes, ...]) -> None:
    """Whether it says nothing, or begins and does not end."""
    async with service(*parts, then_wait=True) as (url, _):
        with pytest.raises(NoTranslation):
            await translated(url, within=0.05)


async def test_a_service_that_is_not_there_is_none() -> None:
    """Nobody listens."""
    with pytest.raises(NoTranslation):
        await translated("http://127.0.0.1:1/translate")


# What is at hand, under way, and left alone


class Service:
    """Translates when it is let; counts."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.may = asyncio.Event()
        self.fails = False
        self.now = 1000.0

    async def __call__(self, text: str, source: str, target: str) -> str:
        self.asked.append((text, source, target))
        await self.may.wait()
        if self.fails:
            raise NoTranslation
        return f"{target}:{text}"

    def machine(self) -> Machine:
        return Machine(self, clock=lambda: self.now)


async def until(holds: Callable[[], bool]) -> None:
    """Return when it holds."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - there is no one event to wait for
            await asyncio.sleep(0)


def fill(machine: Machine, text: str = TEXT, *languages: str) -> tuple[bool, dict[str, Any]]:
    """Whether all is there, and what stands beside the text."""
    said = Said(text, "de", {})
    return machine.fill([said], languages or ("hu",)), said.holder


async def test_a_translation_stands_beside_the_text_once_it_is_made() -> None:
    """Until then it is under way; it is asked for once, and marked."""
    service = Service()
    machine = service.machine()
    assert fill(machine) == (False, {})
    assert fill(machine) == (False, {})
    service.may.set()
    await until(lambda: fill(machine)[0])
    label = {"code": "machine-translation"}
    assert fill(machine)[1] == {"machine_translation": {"text": f"hu:{TEXT}", "language": "hu", "label": label}}
    assert service.asked == [(TEXT, "de", "hu")]
    await machine.end()


async def test_nothing_is_translated_for_a_reader_of_its_language() -> None:
    """Be it the reader's second."""
    service = Service()
    assert fill(service.machine(), TEXT, "hu", "de") == (True, {})
    assert service.asked == []


async def test_a_failure_is_waited_for_no_longer() -> None:
    """And tried again when the case is told of later."""
    service = Service()
    service.fails = True
    service.may.set()
    machine = service.machine()
    assert not fill(machine)[0]
    await until(lambda: fill(machine) == (True, {}))
    service.fails = False
    service.now += module.PATIENCE + 1
    assert fill(machine, "something else") == (False, {})
    await until(lambda: fill(machine, "something else")[0])
    assert fill(machine) == (False, {})
    await until(lambda: fill(machine)[0])
    assert fill(machine)[1]
    await machine.end()


async def test_a_service_that_fails_is_left_alone_and_then_tried_with_one_text() -> None:
    """As long as it fails, messages go out without waiting; one success, and all is as before."""
    service = Service()
    service.fails = True
    service.may.set()
    machine = service.machine()
    for number in range(5):
        fill(machine, f"text {number}")
        await until(lambda number=number: fill(machine, f"text {number}")[0])  # type: ignore[misc]
    asked = len(service.asked)
    assert fill(machine, "while it is left alone") == (True, {})
    assert len(service.asked) == asked
    service.now += 31
    service.may.clear()
    assert fill(machine, "the trial") == (False, {})
    assert fill(machine, "beside the trial") == (True, {})
    service.fails = False
    service.may.set()
    await until(lambda: fill(machine, "the trial")[0])
    assert fill(machine, "afterwards") == (False, {})
    await machine.end()


async def test_what_waits_and_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it messages go out without; the oldest is forgotten, and everything within an hour."""
    monkeypatch.setattr(module, "_REMEMBERED", 10)
    service = Service()
    machine = service.machine()
    under_way = [not fill(machine, f"text {number}")[0] for number in range(60)]
    assert under_way == [True] * 50 + [False] * 10
    service.may.set()
    await until(lambda: not machine._under_way)
    assert len(machine._made) == 10
    assert fill(machine, "text 49")[1]
    service.now += 3601
    fill(machine, "later")
    await until(lambda: fill(machine, "later")[0])
    assert len(machine._made) == 1
    await machine.end()


async def test_what_is_under_way_ends_with_the_process() -> None:
    """Nothing is left running."""
    service = Service()
    machine = service.machine()
    fill(machine)
    await machine.end()
    assert machine._under_way == {}
