"""A directory of Erlang's nodes that tells each node another way to the others.

It speaks the protocol of epmd (Erlang's distribution protocol, 12.1). Each node has an entrance of its own; there it
registers, and asks where the others are. It is told the port of a line that can be cut, so that two nodes can be
parted without a word to either.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Final, Self

ALIVE: Final = 120
ALIVE_ANSWER: Final = 118
PORT_OF: Final = 122
PORT_ANSWER: Final = 119
NAMES: Final = 110
_REGISTERED: Final = struct.Struct(">HBBHHH")
"""Port, kind of node, protocol, highest and lowest version, and the length of the name that follows."""
_MOST: Final = 1024


class Directory:
    """The entrance of one node. All entrances share `nodes`."""

    def __init__(self, port: int, nodes: dict[str, bytes], way: Callable[[str, int], int]) -> None:
        """`nodes` are the registered ones, as they registered; `way` gives what is told for a name and its port."""
        self._port = port
        self._nodes = nodes
        self._way = way
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End."""
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (size,) = struct.unpack(">H", await reader.readexactly(2))
            if not 0 < size <= _MOST:
                return
            asked = await reader.readexactly(size)
            if asked[0] == ALIVE:
                await self._register(asked[1:], reader, writer)
            else:
                writer.write(self._answer(asked[0], asked[1:]))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever asked has gone
        finally:
            writer.close()

    async def _register(self, said: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A node is registered for as long as its connection lasts."""
        (*_, length) = _REGISTERED.unpack_from(said)
        name = said[_REGISTERED.size : _REGISTERED.size + length].decode()
        self._nodes[name] = said
        creation = (hash(id(writer)) & 0x7FFFFFFF) | 4
        writer.write(struct.pack(">BBI", ALIVE_ANSWER, 0, creation))
        await writer.drain()
        try:
            await reader.read()
        finally:
            if self._nodes.get(name) is said:
                del self._nodes[name]

    def _answer(self, kind: int, said: bytes) -> bytes:
        if kind == NAMES:
            names = (f"name {name} at port {_REGISTERED.unpack_from(one)[0]}\n" for name, one in self._nodes.items())
            return struct.pack(">I", self._port) + "".join(names).encode()
        name = said.decode(errors="replace")
        if kind != PORT_OF or name not in self._nodes:
            return bytes((PORT_ANSWER, 1))
        found = self._nodes[name]
        port = self._way(name, _REGISTERED.unpack_from(found)[0])
        return bytes((PORT_ANSWER, 0)) + struct.pack(">H", port) + found[2:]
