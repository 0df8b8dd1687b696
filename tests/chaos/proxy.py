"""A line between two ports of this machine that can be cut."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Self

CONNECT_WITHIN: Final = 5.0
"""Seconds for which one of the far ends is tried."""


class Proxy:
    """Passes connections on to the first of the far ends that takes them, beginning with another each time.

    *Closed*, it refuses connections and breaks those that there are; *silent*, it keeps them and lets nothing through,
    as a cable does that was pulled out: what was sent meanwhile arrives when it is put back.
    """

    def __init__(self, port: int, far: Sequence[int] = ()) -> None:
        """Nothing listens before `open`. The far ends may be named later, in `far`."""
        self.port = port
        self.far = tuple(far)
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._passing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close for good."""
        await self.close()

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._passing)

    async def open(self) -> None:
        """Let everything through, and take connections; nothing changes where that is so."""
        self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    def silence(self) -> None:
        """Let nothing through from now on, and say nothing of it."""
        self._flowing.clear()

    async def close(self) -> None:
        """Refuse connections, and break those that there are."""
        if self._server:
            self._server.close()
            self._server = None
        passing = list(self._passing)
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._passing.add(task)
        try:
            await self._pass(reader, writer)
        except asyncio.CancelledError:
            if self._server:  # not we who close it
                raise
        finally:
            self._passing.discard(task)
            _abort(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        far = await self._reach()
        if far is None:
            return
        far_reader, far_writer = far
        both = [asyncio.ensure_future(one) for one in (self._pump(reader, far_writer), self._pump(far_reader, writer))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            _abort(far_writer)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        self._turn += 1
        for number in range(len(self.far)):
            port = self.far[(self._turn + number) % len(self.far)]
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_WITHIN):
                    return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    """Break a connection at once: whoever is at its other end sees it gone, not finished."""
    with suppress(OSError):
        at_once = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()
