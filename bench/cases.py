"""The cases between the simulated systems: every message that arrives leads to the next command."""

import asyncio
import itertools
import random
import re
import secrets
import time
from collections.abc import Iterator
from typing import Final

from bench.count import Tally
from bench.frames import Delivered
from bench.plan import Load, Player, Replies, about, replies, request
from bench.simulated import Simulated
from contracts.casework import AcceptRequest, CloseCase, Reply, SendRequest
from contracts.inbox import CaseUpdate, Outcome

_SHOWN: Final = re.compile(rb'"case":\{"id":"([0-9A-Z-]{14})","epoch":\d+,"version":(\d+)')
"""Where a message has the case and its version: cheaper than to parse it. Free text cannot have bare quotes."""

_KINDS: Final = {Outcome.TYPE, CaseUpdate.TYPE}


class Refusal(Exception):
    """A command of ours was not carried out."""


class Cases:
    """As many open cases as wanted, each that closes making room for the next; or as many a second as wanted."""

    def __init__(self, load: Load) -> None:
        """Nothing is sent before `connect` and `begin`. `failed` gets what goes wrong."""
        self.load = load
        self.tally = Tally()
        self.begun = self.closed = self.sent = self.sent_bytes = 0
        self.latencies: list[float] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.idle = asyncio.Event()
        self._systems: dict[str, Simulated] = {}
        self._requests = itertools.cycle(_requests(load))
        self._replies = {one.system: replies(one) for one in (*load.asking, *load.answering)}
        self._ids = (f"{secrets.token_hex(8)}-{number:019d}" for number in itertools.count())
        self._draining = False

    async def connect(self) -> None:
        """Connect all systems."""
        for player in (*self.load.asking, *self.load.answering):
            self._systems[player.system] = await Simulated.connect(player.url, self._read, self._fail)

    def begin(self) -> None:
        """Begin cases: at once as many as shall be open, or one after the other at their rate."""
        if self.load.per_s:
            self._begin_at(time.monotonic(), 1 / self.load.per_s)
            return
        for _ in range(self.load.in_flight):
            self._begin()

    def _begin_at(self, due: float, pause: float) -> None:
        """Begin all that are due by now, and come back for the next: the rate holds, however late a timer is."""
        while due <= time.monotonic() and not self._draining:
            self._begin()
            due += pause
        if not self._draining:
            asyncio.get_running_loop().call_later(due - time.monotonic(), self._begin_at, due, pause)

    def drain(self) -> None:
        """Begin no more; `idle` is set when all are closed."""
        self._draining = True
        self._idle_when_closed()

    async def close(self) -> None:
        """Disconnect."""
        await asyncio.gather(*(system.close() for system in self._systems.values()))

    def _begin(self) -> None:
        player, body = next(self._requests)
        self.begun += 1
        self._send(player.system, SendRequest.TYPE, body)

    def _send(self, system: str, kind: str, body: bytes) -> None:
        message_id = next(self._ids)
        self.sent += 1
        self.sent_bytes += len(body)
        self.tally.sent(message_id, time.monotonic())
        self._systems[system].send(kind, message_id, body)

    def _read(self, system: str, message: Delivered) -> None:
        properties, shown = message.properties, _SHOWN.search(message.body)
        if properties.message_type not in _KINDS:
            return  # left over from the onboarding
        if not shown:
            self._fail(Refusal(message.body[:300].decode(errors="replace")))
            return
        case, version, message_id = shown[1], int(shown[2]), str(properties.message_id)
        if properties.message_type == Outcome.TYPE:
            self._outcome(str(properties.correlation_id), message_id)
        if self.tally.saw(system, case.decode(), version, message_id):
            self._next(system, properties.message_type == CaseUpdate.TYPE, version, case)

    def _outcome(self, command: str, message_id: str) -> None:
        sent = self.tally.outcome(command, message_id)
        if sent is not None:
            self.latencies.append(time.monotonic() - sent)

    def _next(self, system: str, update: bool, version: int, case: bytes) -> None:
        says: Replies = self._replies[system]
        if update and version == 1:
            self._send(system, AcceptRequest.TYPE, about(says.accepted, case))
        elif not update and version == 2:
            self._send(system, Reply.TYPE, about(says.replied, case))
        elif update and version == 3:
            self._send(system, CloseCase.TYPE, about(says.closed, case))
        if self.tally.whole(case.decode()):
            self.closed += 1
            if self._draining:
                self._idle_when_closed()
            elif not self.load.per_s:
                self._begin()

    def _idle_when_closed(self) -> None:
        if self.closed == self.begun:
            self.idle.set()

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)


def _requests(load: Load) -> Iterator[tuple[Player, bytes]]:
    """Everybody asks everybody, of all areas, in an order by chance that is always the same."""
    pairs = [(asking, answering) for answering in load.answering for asking in load.asking]
    wanted = [(asking, answering, area) for area in load.areas for asking, answering in pairs]
    random.Random(1).shuffle(wanted)
    for asking, answering, area in wanted:
        yield asking, request(asking, answering, area)
