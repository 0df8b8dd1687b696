"""A steady load of whole cases between ten systems, and of what else systems do beside."""

import asyncio
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

from bench.plan import AREA, Player, about, replies, request
from client.account import new_password, password_hash
from contracts.casework import AcceptRequest, CloseCase, Reply, SendRequest
from contracts.identity import case_id, coordinator_id
from contracts.registry import Account, ConnectSystem, Details, Scope, Search, UpdateAuthority
from contracts.types import Message, User
from tests.chaos.record import VERSIONS, Case, Command, Received, Record, Status
from tests.chaos.systems import Connected

MOST_OPEN: Final = 80
"""Cases under way; while so many are, none is begun."""
SEARCH_EVERY: Final = 1.0
UPDATE_EVERY: Final = 7.0
CONNECT_EVERY: Final = 30.0
WRONG: Final = 0.1
"""The share of cases that somebody tries to close once more, which is refused."""
REPEATED: Final = 0.1
"""The share of commands that are sent once more although the broker has confirmed them."""
REPEATED_AFTER: Final = 2.0
_USER: Final = User(id="onboarding-desk", role="data-administrator")


class Line(Protocol):
    """Where a system finds the broker."""

    @property
    def port(self) -> int:
        """On loopback."""


class Load:
    """The systems, and what they do. Every choice is the seed's; when what comes is not."""

    def __init__(
        self, asking: list[Player], answering: list[Player], record: Record, clock: Callable[[], float], seed: int
    ) -> None:
        """Nothing is sent before `begin`."""
        self._asking = asking
        self._answering = answering
        self._players = [*asking, *answering]
        self._record = record
        self._clock = clock
        self._chance = random.Random(seed)
        self._systems: dict[str, Connected] = {}
        self._says = {one.system: replies(one) for one in self._players}
        self._seen: set[tuple[str, str, int]] = set()
        self._open: dict[str, int] = {}
        self._bodies: dict[str, bytes] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, lines: Mapping[str, Line], rate: float) -> None:
        """Connect the systems, each by its line, and begin so many cases a second."""
        for player in self._players:
            url = urlsplit(player.url)
            port = lines[f"{player.system} rabbitmq"].port
            own = url._replace(netloc=f"{url.netloc.rpartition(':')[0]}:{port}").geturl()
            system = Connected(player.system, own, self._record, self._clock, self._heard)
            self._systems[player.system] = system
            system.begin()
        for every, act in (
            (1 / rate, self._begin_case),
            (SEARCH_EVERY, self._search),
            (UPDATE_EVERY, self._update),
            (CONNECT_EVERY, self._connect),
        ):
            self._tasks.append(asyncio.create_task(_each(every, act)))

    async def stop(self) -> None:
        """Begin nothing more; what is under way goes on. Raises what has ended the load before."""
        for ended in await self._ended():
            if isinstance(ended, Exception):
                raise ended

    async def end(self) -> None:
        """Disconnect; begin nothing more."""
        await self._ended()
        await asyncio.gather(*(system.end() for system in self._systems.values()))

    async def _ended(self) -> list[BaseException | None]:
        """Have everything that begins something end, and return by what it has: that it was told to, most often."""
        for task in self._tasks:
            task.cancel()
        return await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin_case(self) -> None:
        if len(self._open) >= MOST_OPEN:
            return
        asking, answering = self._chance.choice(self._asking), self._chance.choice(self._answering)
        message_id = self._new_id()
        case = Case(case_id(asking.system, message_id), asking.system, answering.system)
        self._record.cases[case.id], self._open[case.id] = case, 0
        command = Command(message_id, asking.system, SendRequest.TYPE, "done", case.id)
        self._send(command, request(asking, answering))

    def _search(self) -> None:
        self._say(self._chance.choice(self._players), Search(text="Authority", limit=5))

    def _update(self) -> None:
        """An authority says something else of itself, never the same again: all that keep a copy of it hear so."""
        player = self._chance.choice(self._players)
        details = _details(player, f"Capital {self._chance.randrange(10**9)}")
        self._say(player, UpdateAuthority(authority=player.authority, details=details, user=_USER))

    def _connect(self) -> None:
        player = self._chance.choice(self._players)
        name = f"{player.system}-{self._chance.randrange(10**6)}"
        account = Account(system=name, password_hash=password_hash(new_password()), languages=(player.language,))
        coordinator = coordinator_id(player.authority[:2])
        self._say(player, ConnectSystem(authority=coordinator, account=account, user=_USER), name)

    def _say(self, player: Player, body: Message, connects: str | None = None) -> None:
        command = Command(self._new_id(), player.system, body.TYPE, "done", connects=connects)
        self._systems[player.system].send(command, body.model_dump_json(exclude_none=True).encode())

    def _send(self, command: Command, body: bytes) -> None:
        system = self._systems[command.system]
        system.send(command, body)
        if self._chance.random() < REPEATED:
            asyncio.get_running_loop().call_later(REPEATED_AFTER, system.send, command, body)

    def _heard(self, one: Received) -> None:
        """Do what comes next in a case that is seen in a version for the first time."""
        case, version = self._record.cases.get(one.case or ""), one.version or 0
        if case is None or one.status == "refused" or (case.id, one.system, version) in self._seen:
            return
        self._seen.add((case.id, one.system, version))
        says = self._says[one.system]
        if one.system == case.answering and version == 1:
            self._go_on(case, one.system, AcceptRequest.TYPE, says.accepted)
        elif one.system == case.answering and version == 2:
            self._go_on(case, one.system, Reply.TYPE, says.replied)
        elif one.system == case.asking and version == 3:
            self._go_on(case, one.system, CloseCase.TYPE, says.closed)
        elif one.system == case.asking and version == 4 and self._chance.random() < WRONG:
            self._go_on(case, one.system, CloseCase.TYPE, says.closed, "refused")
        self._count(case)

    def _go_on(self, case: Case, system: str, kind: str, body: bytes, expected: Status = "done") -> None:
        self._send(Command(self._new_id(), system, kind, expected, case.id), about(body, case.id.encode()))

    def _count(self, case: Case) -> None:
        if case.id in self._open:
            self._open[case.id] += 1
            if self._open[case.id] == 2 * len(VERSIONS):
                del self._open[case.id]

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))


def address_of(player: Player) -> str:
    """Return where the authority gets its mails."""
    return f"office@{player.authority[:2].lower()}.example"


def _details(player: Player, city: str) -> Details:
    state = player.authority[:2]
    return Details(
        country=state,
        names={player.language: f"Authority of {state}"},
        city=city,
        languages=(player.language,),
        contacts=(address_of(player),),
        areas={AREA: Scope()},
    )


async def _each(every: float, act: Callable[[], None]) -> None:
    while True:
        act()
        await asyncio.sleep(every)
