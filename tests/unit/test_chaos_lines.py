"""The lines that `make chaos` cuts: a proxy between two ports, and the directory that leads nodes to it."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.chaos.directory import ALIVE, ALIVE_ANSWER, NAMES, PORT_ANSWER, PORT_OF, Directory
from tests.chaos.proxy import Proxy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    """A server that sends back what it gets; gives its port."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def said(streams: Streams, text: bytes) -> bytes:
    """Say something, and return as much of what comes back."""
    reader, writer = streams
    writer.write(text)
    async with asyncio.timeout(5):
        return await reader.readexactly(len(text))


async def test_a_line_passes_on_what_is_said_in_both_directions() -> None:
    """Whole, and to the first far end that takes connections."""
    async with echoing() as far, Proxy(free_port(), [free_port(), far]) as line:
        for _ in range(2):
            async with connected(line.port) as streams:
                assert await said(streams, b"x" * 100_000) == b"x" * 100_000


async def test_a_closed_line_breaks_connections_and_refuses_others_until_it_is_opened() -> None:
    """Both ends see it; opened again, it serves."""
    async with echoing() as far, Proxy(free_port(), [far]) as line:
        async with connected(line.port) as streams:
            assert await said(streams, b"before") == b"before"
            await line.close()
            with pytest.raises(ConnectionResetError):
                await said(streams, b"after")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", line.port)
        await line.open()
        async with connected(line.port) as streams:
            assert await said(streams, b"again") == b"again"
    assert line.connections == 0


async def test_a_silent_line_keeps_connections_and_delivers_late() -> None:
    """Nothing comes while it is silent, not even an end; what was said meanwhile comes afterwards."""
    async with echoing() as far, Proxy(free_port(), [far]) as line, connected(line.port) as streams:
        assert await said(streams, b"before") == b"before"
        line.silence()
        waiting = asyncio.create_task(said(streams, b"meanwhile"))
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        await line.open()
        assert await waiting == b"meanwhile"


async def test_a_line_whose_far_ends_are_gone_breaks_the_connection() -> None:
    """Nobody waits for what does not exist."""
    async with Proxy(free_port(), [free_port()]) as line, connected(line.port) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)


def registration(name: str, port: int) -> bytes:
    """What a node says when it registers."""
    return struct.pack(">HBBHHH", port, 77, 0, 6, 5, len(name)) + name.encode() + struct.pack(">H", 0)


async def asked(port: int, kind: int, text: bytes = b"") -> bytes:
    """Ask the directory something, and return its answer."""
    async with connected(port) as (reader, writer):
        writer.write(struct.pack(">HB", len(text) + 1, kind) + text)
        async with asyncio.timeout(5):
            return await reader.read()


async def test_a_node_is_told_another_way_to_a_node_for_as_long_as_that_is_registered() -> None:
    """Each entrance has ways of its own; what a node said of itself is told as it was."""
    nodes = dict[str, bytes]()
    straight, around = free_port(), free_port()
    said_of_itself = registration("imi-1", 4000)
    async with (
        Directory(straight, nodes, lambda _, port: port),
        Directory(around, nodes, lambda _, port: port + 1),
    ):
        async with connected(straight) as (reader, writer):
            writer.write(struct.pack(">HB", len(said_of_itself) + 1, ALIVE) + said_of_itself)
            answer = await reader.readexactly(6)
            assert answer[:2] == bytes((ALIVE_ANSWER, 0))
            for entrance, port in ((straight, 4000), (around, 4001)):
                told = await asked(entrance, PORT_OF, b"imi-1")
                assert told == bytes((PORT_ANSWER, 0)) + struct.pack(">H", port) + said_of_itself[2:]
            assert await asked(straight, PORT_OF, b"imi-2") == bytes((PORT_ANSWER, 1))
            names = await asked(straight, NAMES)
            assert names == struct.pack(">I", straight) + b"name imi-1 at port 4000\n"
        async with asyncio.timeout(5):
            while nodes:  # noqa: ASYNC110 - the directory tells nobody
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("nonsense", [b"", b"\0", b"\0\0", b"\xff\xff", b"\0\1\1", b"\0\2z"])
async def test_nonsense_ends_nothing_but_its_own_connection(nonsense: bytes) -> None:
    """Whatever is asked, the next one is answered."""
    port = free_port()
    async with Directory(port, {}, lambda _, there: there):
        async with connected(port) as (_, writer):
            writer.write(nonsense)
            writer.write_eof()
        assert await asked(port, PORT_OF, b"imi-2") == bytes((PORT_ANSWER, 1))
