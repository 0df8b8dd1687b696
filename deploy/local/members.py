"""MongoDB as a replica set of three members on this machine."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pymongo.errors import PyMongoError

from deploy.local.addresses import Addresses
from deploy.local.mongodb import command, write_key
from deploy.local.ports import Ports
from deploy.local.program import Program
from deploy.local.replica_set import create_admin, direct, initiate
from deploy.local.server import OneProgram
from deploy.local.waiting import both, until

MEMBERS = 3
CACHE_GIGABYTES = 0.25
QUIESCE = "shutdownTimeoutMillisForSignaledShutdown=1000"
"""How long a primary that is asked to end waits for another to take its place; 15 seconds where nothing is said."""
PORTS = tuple(f"mongodb-{number}" for number in range(MEMBERS))


class Member(OneProgram):
    """One of the members; a `Server` by itself."""

    def __init__(self, folder: Path, port: int, addresses: Addresses, more: Mapping[str, str]) -> None:
        """`addresses` are those of the whole; `more` is added to its environment."""
        self.port = port
        self.addresses = replace(addresses, mongo_host_port=f"127.0.0.1:{port}")
        told = [*command(folder, port, addresses, CACHE_GIGABYTES), "--setParameter", QUIESCE]
        super().__init__(Program(told, folder / "start.log", dict(more)))

    def start(self) -> None:
        """See `Server`; returns when it is of the set."""
        self.program.start()
        until(self.serves, f"the member on port {self.port} starts")

    def serves(self) -> bool:
        """Tell whether it is a primary or a secondary. Raises RuntimeError when it has ended."""
        self.program.check()
        return self._says("isWritablePrimary", "secondary")

    @property
    def is_primary(self) -> bool:
        """Whether it takes itself for the primary; not, when it does not answer."""
        return self._says("isWritablePrimary")

    def _says(self, *words: str) -> bool:
        with direct(self.addresses) as client, suppress(PyMongoError):
            said = client.admin.command("hello")
            return any(said.get(word) for word in words)
        return False

    def step_down(self, seconds: int) -> None:
        """Have the primary give up being it, for so many seconds at least. Raises PyMongoError when it cannot."""
        with direct(self.addresses, self.addresses.mongo_admin) as client:
            client.admin.command("replSetStepDown", seconds, secondaryCatchUpPeriodSecs=min(seconds, 10) - 1)


class Members:
    """Three members in a folder; a `Server`."""

    def __init__(
        self, folder: Path, ports: Ports, addresses: Addresses, more: Sequence[Mapping[str, str]] = ({},) * MEMBERS
    ) -> None:
        """The folder may hold an earlier run's data. `more` is added to each member's environment."""
        self._addresses = addresses
        write_key(folder)
        folders = [folder / str(number) for number in range(MEMBERS)]
        for one in folders:
            (one / "data").mkdir(parents=True, exist_ok=True)
            (one / "key").unlink(missing_ok=True)
            (one / "key").hardlink_to(folder / "key")
        told = zip(folders, PORTS, more, strict=True)
        self.members = tuple(Member(one, ports[name], addresses, added) for one, name, added in told)

    def start(self) -> None:
        """See `Server`; returns when there is a primary, and everybody else follows it."""
        for member in self.members:
            member.program.start()
        with direct(self._addresses) as first:
            until(lambda: self._has_primary() or (initiate(first, self._addresses) and False), "MongoDB has a primary")
        primary = self.primary()
        if primary:  # else it has just changed: there had been one before, and an administrator
            create_admin(primary.addresses)
        until(lambda: all(member.serves() for member in self.members), "MongoDB's members follow the primary")

    def primary(self) -> Member | None:
        """Return who takes writes, if anybody does."""
        return next((member for member in self.members if member.is_primary), None)

    def _has_primary(self) -> bool:
        for member in self.members:
            member.program.check()
        return self.primary() is not None

    def stop(self) -> None:
        """See `Server`."""
        both(*(member.stop for member in self.members))

    def kill(self) -> None:
        """See `Server`."""
        both(*(member.kill for member in self.members))

    def pause(self) -> None:
        """See `Server`."""
        for member in self.members:
            member.pause()

    def resume(self) -> None:
        """See `Server`."""
        for member in self.members:
            member.resume()
