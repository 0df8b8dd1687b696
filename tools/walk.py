"""The walk of `docs/examples/walk`, on a real exchange: each command as its file has it, each answer beside its file.

Only the dates differ from run to run: each is replaced by the one that stands in the files. `python -m tools.walk`
starts an exchange of its own and writes the answers down anew, after the messages themselves have changed.
"""

import asyncio
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from client import publishing
from client.legislation import load
from client.system import System
from contracts.topology import OPERATOR, exchange_of, inbox_of
from deploy.local.exchange import exchange
from tools.examples import Example
from tools.examples import walk as examples

PASSWORD: Final = "example-password-do-not-use"  # noqa: S105 - of the examples, whose hash is published
AREA: Final = Path(__file__).parent.parent / "legislation" / "professional-qualifications"
WISHED_DATE: Final = "2026-03-23"
MOMENTS: Final = (
    "2026-03-09T23:59:59Z",  # acceptance due: the end of that day in Ireland
    "2026-03-02T09:15:00Z",  # sent
    "2026-03-04T14:02:00Z",  # accepted
    "2026-03-18T10:40:00Z",  # replied
    "2026-03-19T08:30:00Z",  # closed
)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_PATIENCE_S: Final = 30


@dataclass
class Dates:
    """Which date of this run stands for which date of the files."""

    wished: str = field(default_factory=lambda: (datetime.now(UTC) + timedelta(days=21)).date().isoformat())
    moments: dict[str, str] = field(default_factory=dict)

    def of_this_run(self, body: Mapping[str, Any]) -> bytes:
        """Return the body of a command as it can be sent today."""
        return json.dumps(body, ensure_ascii=False).replace(WISHED_DATE, self.wished).encode()

    def of_the_files(self, body: bytes) -> dict[str, Any]:
        """Return the body of an answer with the dates that its file has."""
        text = _MOMENT.sub(lambda found: self._documented(found[0]), body.decode())
        result: dict[str, Any] = json.loads(text.replace(self.wished, WISHED_DATE))
        return result

    def _documented(self, moment: str) -> str:
        if moment not in self.moments:
            self.moments[moment] = MOMENTS[len(self.moments)]
        return self.moments[moment]


class Party:
    """One system of the walk, connected with nothing but AMQP."""

    def __init__(self, name: str, url: str) -> None:
        """Nothing is connected yet."""
        self.name = name
        self._url = url
        self._exchange: AbstractExchange | None = None
        self._arrived: list[AbstractIncomingMessage] = []
        self._news = asyncio.Event()

    async def connect(self, stack: AsyncExitStack) -> Self:
        """Connect until `stack` closes, and begin to read the inbox."""
        connection = await stack.enter_async_context(await aio_pika.connect(self._url))
        channel = await connection.channel(on_return_raises=True)
        self._exchange = await channel.get_exchange(exchange_of(self.name), ensure=False)
        inbox = await channel.get_queue(inbox_of(self.name), ensure=False)
        await inbox.consume(self._take)
        return self

    async def send(self, command: Example, body: bytes) -> None:
        """Send a command with the properties of its file."""
        assert self._exchange
        message = aio_pika.Message(body, **command.properties)
        await self._exchange.publish(message, routing_key=command.type, mandatory=True)

    async def read(self, expected: Example) -> AbstractIncomingMessage:
        """Return the next message of the expected type, and of the expected correlation if it has one."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                for message in self._arrived:
                    if _fits(message, expected):
                        self._arrived.remove(message)
                        return message
                self._news.clear()
                await self._news.wait()

    async def _take(self, message: AbstractIncomingMessage) -> None:
        await message.ack()
        self._arrived.append(message)
        self._news.set()


def _fits(message: AbstractIncomingMessage, expected: Example) -> bool:
    return (message.type, message.correlation_id) == (expected.type, expected.properties.get("correlation_id"))


async def happen(url_of: Callable[[str, str], str], operator_password: str) -> list[tuple[Example, Example]]:
    """Have the walk happen; return each message of the files that is read, and beside it what was really read.

    `url_of` gives the address by which a system connects with a password. Doing it again does nothing twice.
    """
    async with System(url_of(OPERATOR, operator_password)) as operator:
        await publishing.publish(operator, load(AREA))
    dates, parties, read = Dates(), dict[str, Party](), list[tuple[Example, Example]]()
    async with AsyncExitStack() as stack:
        for example in examples():
            name = example.system
            if name not in parties:
                url = url_of(name, operator_password if name == OPERATOR else PASSWORD)
                parties[name] = await Party(name, url).connect(stack)
            if example.is_command:
                await parties[name].send(example, dates.of_this_run(example.body))
            else:
                message = await parties[name].read(example)
                read.append((example, replace(example, body=dates.of_the_files(message.body))))
    return read


def main() -> None:
    """Write the answers down."""
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="walk-", dir=".local") as folder, exchange(Path(folder)) as running:
        for _, real in asyncio.run(happen(running.amqp_url, running.passwords[OPERATOR])):
            real.path.write_text(real.text())


if __name__ == "__main__":
    main()
