"""The service's own database."""

from collections.abc import Mapping
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from services.chassis.stages import DatabaseTime

Document = dict[str, Any]
Collection = AsyncCollection[Mapping[str, Any]]
Database = AsyncDatabase[Mapping[str, Any]]

AT_ONCE = 16
"""Connections, and so operations at once: at 100 an operation's 99th percentile is ten times worse."""


def connect(url: str, database: str) -> Database:
    """Return the database. Writes wait for a majority and the journal; nothing is connected before the first use.

    Call it inside the event loop that will use it: the client belongs to one.
    """
    client: AsyncMongoClient[Mapping[str, Any]] = AsyncMongoClient(
        url,
        maxPoolSize=AT_ONCE,
        serverSelectionTimeoutMS=5_000,
        socketTimeoutMS=20_000,
        tz_aware=True,
        w="majority",
        journal=True,
        retryWrites=True,
        event_listeners=[DatabaseTime()],
    )
    return client[database]


async def answers(database: Database) -> bool:
    """Say whether the database answers."""
    try:
        await database.command("ping")
    except PyMongoError:
        return False
    return True
