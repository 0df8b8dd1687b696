"""A server in the form of LibreTranslate's API, on loopback, for as long as a block runs."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Say = Callable[[dict[str, Any], asyncio.StreamWriter, asyncio.Event], Awaitable[None]]
"""Answers what was asked; the event is set when the server ends."""


@asynccontextmanager
async def translating_as(say: Say) -> AsyncIterator[str]:
    """Give its address."""
    closing = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length"))
            await say(json.loads(await reader.readexactly(length)), writer, closing)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has had enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/translate"
    finally:
        closing.set()
        server.close()
        await server.wait_closed()
