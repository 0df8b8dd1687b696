"""Everything that the faults are done to: the servers, the services, and every line between two of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Final

from contracts.topology import SERVICES
from deploy.local.cluster import NODES
from deploy.local.clusters import Clusters, clusters
from deploy.local.exchange import PROCESSES, Exchange, Replica, exchange
from deploy.local.members import MEMBERS
from deploy.local.members import PORTS as MEMBERS_PORTS
from deploy.local.ports import Ports
from tests.chaos.directory import Directory
from tests.chaos.preload import Dial, compiled
from tests.chaos.proxy import Proxy

REPLICAS: Final = {"casework": 2, "translation": 2, "notifier": 2}
GATHER_FOR: Final = 3
"""Seconds for which what has happened waits for more to be told in one mail."""
SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "casework": {"IMI_COMPARE_EVERY": "20"},
    "translation": {"IMI_COMPARE_EVERY": "20"},
    "registry": {"IMI_RECONCILE_EVERY": "20"},
    "notifier": {"IMI_COMPARE_EVERY": "20", "IMI_GATHER_FOR": f"PT{GATHER_FOR}S"},
}


@dataclass
class Stage:
    """What is running. Lines are named after their two ends: `casework rabbitmq`, `notifier smtp`, `node-0 node-1`."""

    exchange: Exchange
    servers: Clusters
    lines: Mapping[str, Proxy]
    marks: Mapping[str, Path]
    """Where each service looks whether it is to die at a point of the chain."""
    clocks: Mapping[str, Dial]
    """By how many seconds each service's time of day is wrong. None without a C compiler."""
    disk: Dial | None
    """By how many microseconds the servers' disks are slower. None without a C compiler."""
    notes: list[str] = field(default_factory=list)
    """What had to be done by hand."""

    def of(self, service: str) -> list[Replica]:
        """The replicas of a service."""
        return self.exchange.of(service)

    def lines_of(self, name: str, other: str) -> list[Proxy]:
        """Every line from `name` to `other`, or to a part of it."""
        return [line for ends, line in self.lines.items() if ends.startswith(f"{name} {other}")]

    def between(self, name: str) -> list[Proxy]:
        """Every line between this node of RabbitMQ, or member of MongoDB, and its like, from either side."""
        kind = name.partition("-")[0]
        return [line for ends, line in self.lines.items() if name in ends.split() and ends.count(f"{kind}-") == 2]

    async def whole(self) -> None:
        """Return when every service is ready and each server has all its parts. Raises TimeoutError."""
        await asyncio.to_thread(self.exchange.wait_until_ready, 120)
        async with asyncio.timeout(120):
            while not await asyncio.to_thread(self._servers_are_whole):  # noqa: ASYNC110 - they tell nobody
                await asyncio.sleep(0.5)

    def _servers_are_whole(self) -> bool:
        return self.servers.rabbitmq.whole() and self.servers.mongodb.primary() is not None


def line_names(systems: list[str]) -> list[str]:
    """Return the names of all lines, in this order everywhere."""
    alike = ([f"node-{one}" for one in range(NODES)], [f"member-{one}" for one in range(MEMBERS)])
    return [
        *(f"{name} rabbitmq" for name in (*PROCESSES, *systems)),
        *(f"{service} mongodb-{member}" for service in SERVICES for member in range(MEMBERS)),
        "provisioner management",
        "notifier smtp",
        *(f"{one} {other}" for several in alike for one, other in permutations(several, 2)),
    ]


@asynccontextmanager
async def stage(folder: Path, systems: list[str]) -> AsyncIterator[Stage]:
    """Have everything running, for as long as the block does. `systems` will have a line each."""
    building = _Building(folder, asyncio.get_running_loop(), systems)
    async with AsyncExitStack() as stack:
        for line in building.lines.values():
            await stack.enter_async_context(line)
        for directory in building.directories():
            await stack.enter_async_context(directory)
        threaded = ExitStack()
        stack.push_async_callback(asyncio.to_thread, threaded.close)
        running = await asyncio.to_thread(threaded.enter_context, building.exchange())
        assert isinstance(running.servers, Clusters)
        building.lines["notifier smtp"].far = (int(running.smtp_url.rsplit(":", 1)[1]),)
        yield Stage(running, running.servers, building.lines, building.marks, building.clocks, building.disk)


@dataclass
class _Building:
    """The parts, in the order in which they come to be."""

    folder: Path
    loop: asyncio.AbstractEventLoop
    systems: list[str]
    lines: dict[str, Proxy] = field(default_factory=dict)
    marks: dict[str, Path] = field(default_factory=dict)
    clocks: dict[str, Dial] = field(default_factory=dict)
    disk: Dial | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        entrances = [f"epmd-{number}" for number in range(NODES)]
        self._ports = Ports(self.folder, [*line_names(self.systems), *entrances])
        self._epmd = [self._ports[name] for name in entrances]
        self.lines = {name: Proxy(self._ports[name]) for name in line_names(self.systems)}
        self.marks = {name: self.folder / f"{name}.mark" for name in PROCESSES}
        self._library = compiled(self.folder)
        if self._library:
            self.clocks = {name: Dial(self.folder / f"{name}.clock") for name in PROCESSES}
            self.disk = Dial(self.folder / "disk")
        self._settings: dict[str, dict[str, str]] = {name: self._of_process(name) for name in PROCESSES}

    def directories(self) -> list[Directory]:
        """Return an entrance to the directory of nodes for each of them."""
        nodes = dict[str, bytes]()
        return [Directory(port, nodes, self._way_of(number)) for number, port in enumerate(self._epmd)]

    @contextmanager
    def exchange(self) -> Iterator[Exchange]:
        """Have the exchange running on clusters, its services on their lines."""
        modules = dict.fromkeys(PROCESSES, "tests.chaos.process")
        with exchange(self.folder, self._settings, REPLICAS, modules, self._servers) as running:
            yield running
        self._ports.close()

    @contextmanager
    def _servers(self, folder: Path) -> Iterator[Clusters]:
        preload = {"LD_PRELOAD": str(self._library), "IMI_TEST_DISK": str(self.disk.path)} if self.disk else {}
        with clusters(folder, self._epmd, preload, self._of_members(folder)) as running:
            self._lead(running)
            yield running

    def _of_members(self, folder: Path) -> list[dict[str, str]]:
        """Return by which lines each member reaches the others: it knows their ports from the set's configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        ports = Ports(folder, MEMBERS_PORTS)
        numbers = [ports[name] for name in MEMBERS_PORTS]
        ports.close()  # the folder remembers them for the servers
        ways: list[list[str]] = [[] for _ in numbers]
        for one, other in permutations(range(MEMBERS), 2):
            line = self.lines[f"member-{one} member-{other}"]
            line.far = (numbers[other],)
            ways[one].append(f"{numbers[other]}:{line.port}")
        return [{"IMI_TEST_WAYS": ",".join(own)} for own in ways]

    def _lead(self, running: Clusters) -> None:
        """Have every line lead somewhere, and every service go by its own."""
        amqp = [node.ports["amqp"] for node in running.rabbitmq.nodes]
        for name in (*PROCESSES, *self.systems):
            self.lines[f"{name} rabbitmq"].far = tuple(amqp)
        management = tuple(node.ports["management"] for node in running.rabbitmq.nodes)
        self.lines["provisioner management"].far = management
        for name in PROCESSES:
            routes = {str(amqp[0]): self.lines[f"{name} rabbitmq"].port}
            if name in SERVICES:
                for number, member in enumerate(running.mongodb.members):
                    line = self.lines[f"{name} mongodb-{number}"]
                    line.far, routes[str(member.port)] = (member.port,), line.port
            else:
                routes[str(management[0])] = self.lines["provisioner management"].port
            self._settings[name]["IMI_TEST_ROUTES"] = json.dumps(routes)

    def _of_process(self, name: str) -> dict[str, str]:
        settings = {
            "IMI_TEST_MODULE": PROCESSES[name],
            "IMI_TEST_MARK": str(self.marks[name]),
            **SETTINGS.get(name, {}),
        }
        if name == "notifier":
            settings["IMI_SMTP_URL"] = f"smtp://127.0.0.1:{self.lines['notifier smtp'].port}"
        if self._library:
            settings |= {"LD_PRELOAD": str(self._library), "IMI_TEST_CLOCK": str(self.clocks[name].path)}
        return settings

    def _way_of(self, number: int) -> "Way":
        return Way(number, self.lines)


@dataclass(frozen=True)
class Way:
    """How a node reaches another: by a line. Itself, and tools, it reaches as they are."""

    number: int
    lines: Mapping[str, Proxy]

    def __call__(self, name: str, port: int) -> int:
        """Return the port to be told to the node."""
        line = self.lines.get(f"node-{self.number} {name.replace('imi-', 'node-')}")
        if line is None:
            return port
        line.far = (port,)
        return line.port
