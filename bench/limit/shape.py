"""What a case is made of, to a broker and a database: so many messages of such a size, so many writes.

Taken from what the services themselves count while they are measured, and from the database's own counters.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import httpx
from pydantic import BaseModel
from pymongo import MongoClient

from deploy.local.exchange import Exchange

_STREAMS: Final = {"casework.all_dates.v1": "dates", "inbox.outcome.v1": "inbox", "inbox.case.v1": "inbox"}
"""Where a message of each type goes; the views of cases are the rest."""
_QUEUES: Final = {"commands": 10, "inbox": 10}
_PUBLISHED: Final = re.compile(r'imi_published(?P<what>_bytes)?_total\{type="(?P<type>[^"]+)"\} (?P<value>\S+)')
_WRITES: Final = ("insert", "update")


class Stream(BaseModel):
    """Messages of one kind, in so many queues."""

    name: str
    queues: int
    per_case: float
    bytes: int


class Shape(BaseModel):
    """One whole case."""

    streams: list[Stream]
    inserts: float
    updates: float
    document_bytes: int
    """What a stored case takes, divided by the writes that made it."""

    @property
    def writes(self) -> float:
        """How many there are."""
        return self.inserts + self.updates


@dataclass(frozen=True)
class Counted:
    """What had been published and written at a moment."""

    messages: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By stream: how many, how many bytes."""
    writes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def now(cls, exchange: Exchange) -> Self:
        """Ask the services that a case passes, and the database."""
        messages = dict[str, tuple[float, float]]()
        for replica in (one for name in ("casework", "translation") for one in exchange.of(name)):
            for stream, number, size in published(
                httpx.get(f"{replica.url}/metrics", trust_env=False).raise_for_status().text
            ):
                before = messages.get(stream, (0.0, 0.0))
                messages[stream] = before[0] + number, before[1] + size
        with _database(exchange) as client:
            done = client.admin.command("serverStatus")["opcounters"]
            made = client["casework"]["cases"].estimated_document_count()
        # The server counts a case that is made by a write of a revision as an update.
        return cls(messages, {"insert": done["insert"] + made, "update": done["update"] - made})

    def shape(self, before: Self, cases: int, commands: tuple[int, int], exchange: Exchange) -> Shape:
        """Return what each of so many cases came to since `before`; `commands` are their number and bytes."""
        messages = {name: self._since(before, name) for name in self.messages} | {"commands": commands}
        streams = [
            Stream(name=name, queues=_QUEUES.get(name, 1), per_case=number / cases, bytes=round(size / number))
            for name, (number, size) in messages.items()
            if number
        ]
        inserts, updates = (max(0.0, self.writes[name] - before.writes[name]) / cases for name in _WRITES)
        with _database(exchange) as client:
            stored = client["casework"].command("collStats", "cases")["avgObjSize"]
        return Shape(streams=streams, inserts=inserts, updates=updates, document_bytes=round(stored / 4))

    def _since(self, before: Self, name: str) -> tuple[float, float]:
        (number, size), (old, old_size) = self.messages[name], before.messages.get(name, (0.0, 0.0))
        return number - old, size - old_size


def published(text: str) -> Iterator[tuple[str, float, float]]:
    """Yield (stream, messages, bytes) of what a service says that it has published."""
    for found in _PUBLISHED.finditer(text):
        stream, value = _STREAMS.get(found["type"], "views"), float(found["value"])
        yield (stream, 0.0, value) if found["what"] else (stream, value, 0.0)


def _database(exchange: Exchange) -> MongoClient[dict[str, Any]]:
    admin = exchange.addresses.mongo_admin
    return MongoClient(exchange.addresses.mongo_url(admin.name, admin.password))
