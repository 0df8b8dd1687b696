"""A service's database is lost and comes back from a backup, by `imi` alone: what the drills have in common."""

import asyncio
import base64
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from contracts.topology import OPERATOR
from contracts.types import Message
from deploy.local.exchange import Exchange
from tests.acceptance.test_command_line import imi
from tests.broker.raw import Json, RawSystem
from tests.world import World


@contextmanager
def mongo(exchange: Exchange) -> Iterator[MongoClient[dict[str, Any]]]:
    """The database server's administrator."""
    admin = exchange.addresses.mongo_admin
    with MongoClient[dict[str, Any]](exchange.addresses.mongo_url(admin.name, admin.password)) as client:
        yield client


def new_key(folder: Path) -> Path:
    """A file with a new key."""
    file = folder / "key"
    file.write_text(base64.b64encode(os.urandom(32)).decode())
    return file


@dataclass
class Drill:
    """One service's database is backed up, lost and restored. `folder` holds the key and the backup."""

    world: World
    service: str
    folder: Path
    made: Json = field(default_factory=dict)
    """What `imi backup` said."""

    async def imi(self, *arguments: str) -> Any:
        """What `imi` tells a program, with all that the operator has."""
        return await asyncio.to_thread(self._imi, *arguments)

    def _imi(self, *arguments: str) -> Any:
        exchange, service = self.world.exchange, self.service
        printed = imi(
            *arguments,
            "--json",
            IMI_URL=self.world.url(OPERATOR),
            IMI_MONGO_URL=exchange.addresses.mongo_url(service, exchange.passwords[service], service),
            IMI_BACKUP_KEY=str(self.folder / "key"),
        )
        return json.loads(printed) if printed.startswith(("{", "[")) else printed

    @property
    def file(self) -> str:
        """Where the backup is."""
        return str(self.folder / f"{self.service}.backup")

    @property
    def since(self) -> str:
        """Somewhat before the backup, by as much as a command may have waited."""
        return (datetime.fromisoformat(self.made["at"]) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")

    async def backup(self) -> None:
        """Write the backup."""
        self.made = await self.imi("backup", self.service, self.file)

    async def lose(self) -> None:
        """Stop the service; its database is no more."""
        exchange = self.world.exchange
        await asyncio.to_thread(exchange.stop, *exchange.of(self.service))
        with mongo(exchange) as client:
            client.drop_database(self.service)

    async def restore(self, settings: Mapping[str, str] | None = None) -> Json:
        """Put the backup back and start the service; return what `imi restore` said."""
        exchange = self.world.exchange
        restored: Json = await self.imi("restore", self.service, self.file, "--yes")
        await asyncio.to_thread(exchange.start, self.service, settings=settings)
        await asyncio.to_thread(exchange.wait_until_ready)
        return restored

    async def play_again(self) -> Mapping[str, int]:
        """Play the journal; return how many of each command."""
        played = await self.imi("journal", "replay", self.service, "--since", self.since, "--yes")
        return dict(played["commands"])

    async def reopen(self) -> None:
        """Take what systems send again."""
        assert await self.imi("reopen", self.service, "--yes") == {"reopened": True}


@dataclass
class Sent:
    """What the systems sent, and under which id each had its outcome first."""

    outcomes: dict[str, str] = field(default_factory=dict)

    async def by(self, system: RawSystem, command: Message) -> Json:
        """Send a command; return its outcome."""
        message_id = str(uuid.uuid4())
        await system.command(command.TYPE, command.model_dump(mode="json", exclude_none=True), message_id)
        outcome = await system.outcome(message_id)
        self.outcomes[message_id] = system.outcomes(message_id)[0][0]
        return outcome
