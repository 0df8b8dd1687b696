"""The faults. Each is a function that does it, lets it last, and undoes it: an asynchronous context manager."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from contracts.topology import SERVICES
from deploy.local.cluster import NODES, Node
from deploy.local.exchange import PROCESSES, Replica
from deploy.local.members import MEMBERS, Member
from deploy.local.server import Server
from deploy.local.waiting import both, until
from tests.chaos.points import AT_POINTS, met
from tests.chaos.proxy import Proxy
from tests.chaos.stage import Stage

READY_WITHIN: Final = 60.0
"""Seconds for a service that was started again; it may have to wait for a server that has a fault, too."""
TOGETHER_WITHIN: Final = 25.0
STARTED_AT_MOST: Final = 3
"""Times that a node of RabbitMQ is started before the run is given up."""
SLOWER_BY: Final = 60_000
"""Microseconds that each flush takes longer while a disk is slow."""
CLOCK_OFF_BY: Final = 100
"""Seconds: longer than any claim lasts, and short enough that what was put off by a wrong clock comes in the end."""
NO_DISK: Final = "100000GB"
DISK: Final = "50MB"
NO_MEMORY: Final = "0"
MEMORY: Final = "0.4"

Do = Callable[[Stage, str], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Kind:
    """A kind of fault. `part` is what it is done to: two that are done to the same, or one to a part of it, never meet.

    The part of `{}` is the target. It lasts for seconds between the two `lengths`, and `rests` so many after it. While
    one lasts that comes `beside`, others come to other parts. One that `awaits` begins when a process comes by; before,
    and if none does, nothing is done.
    """

    do: Do
    targets: tuple[str, ...]
    part: str
    lengths: tuple[float, float] = (1.0, 5.0)
    rests: float = 3.0
    beside: bool = False
    awaits: bool = False


@asynccontextmanager
async def killed(stage: Stage, service: str) -> AsyncIterator[None]:
    """One process of a service is killed, and started again."""
    replica = stage.of(service)[0]
    await asyncio.to_thread(replica.program.kill)
    yield
    await _started(stage, service)


@asynccontextmanager
async def all_killed(stage: Stage, service: str) -> AsyncIterator[None]:
    """All processes of a service are killed, and started again."""
    await asyncio.to_thread(both, *(replica.program.kill for replica in stage.of(service)))
    yield
    await _started(stage, service)


@asynccontextmanager
async def frozen(stage: Stage, service: str) -> AsyncIterator[None]:
    """All processes of a service stop where they are, and go on."""
    for replica in stage.of(service):
        replica.program.signal(signal.SIGSTOP)
    yield
    _go_on(stage, service)


@asynccontextmanager
async def killed_at(stage: Stage, target: str) -> AsyncIterator[None]:
    """Whichever process of a service comes by a point of the chain first dies there, and is started again."""
    service, point = target.split(": ")
    await met(stage.marks[service], point, signal.SIGKILL)
    yield
    await _started(stage, service)


@asynccontextmanager
async def frozen_at(stage: Stage, target: str) -> AsyncIterator[None]:
    """Whichever process of a service comes by a point of the chain first stops there, and goes on."""
    service, point = target.split(": ")
    await met(stage.marks[service], point, signal.SIGSTOP)
    yield
    _go_on(stage, service)


@asynccontextmanager
async def wrong_clock(stage: Stage, service: str) -> AsyncIterator[None]:
    """A service's clock jumps ahead, and back."""
    stage.clocks[service].set(CLOCK_OFF_BY)
    yield
    stage.clocks[service].set(0)


@asynccontextmanager
async def clock_behind(stage: Stage, service: str) -> AsyncIterator[None]:
    """A service's clock jumps back, and ahead."""
    stage.clocks[service].set(-CLOCK_OFF_BY)
    yield
    stage.clocks[service].set(0)


@asynccontextmanager
async def cut(stage: Stage, target: str) -> AsyncIterator[None]:
    """The lines between two break, and connections are refused."""
    lines = stage.lines_of(*target.split())
    await asyncio.gather(*(line.close() for line in lines))
    yield
    await _open(lines)


@asynccontextmanager
async def silent(stage: Stage, target: str) -> AsyncIterator[None]:
    """Nothing passes between two, and nobody is told."""
    lines = stage.lines_of(*target.split())
    for line in lines:
        line.silence()
    yield
    await _open(lines)


@asynccontextmanager
async def node_killed(stage: Stage, number: str) -> AsyncIterator[None]:
    """A node of RabbitMQ is killed, and started again."""
    node = stage.servers.rabbitmq.nodes[int(number)]
    await asyncio.to_thread(node.kill)
    yield
    await _start(stage, node)


@asynccontextmanager
async def node_frozen(stage: Stage, number: str) -> AsyncIterator[None]:
    """A node of RabbitMQ stops where it is, and goes on."""
    async with _paused(stage.servers.rabbitmq.nodes[int(number)]):
        yield
    await _together(stage, int(number))


@asynccontextmanager
async def node_parted(stage: Stage, number: str) -> AsyncIterator[None]:
    """A node of RabbitMQ hears nothing of the other two, nor they of it."""
    lines = stage.between(f"node-{number}")
    for line in lines:
        line.silence()
    yield
    # What was said before is of no use to two that have taken each other for dead.
    await asyncio.gather(*(line.close() for line in lines))
    await _open(lines)
    await _together(stage, int(number))


@asynccontextmanager
async def broker_restarted(stage: Stage, _: str) -> AsyncIterator[None]:
    """All of RabbitMQ is asked to end, and started again."""
    await asyncio.to_thread(stage.servers.rabbitmq.stop)
    yield
    await asyncio.gather(*(_start(stage, node) for node in stage.servers.rabbitmq.nodes))


@asynccontextmanager
async def broker_killed(stage: Stage, _: str) -> AsyncIterator[None]:
    """All of RabbitMQ is killed, as by a power cut, and started again."""
    await asyncio.to_thread(stage.servers.rabbitmq.kill)
    yield
    await asyncio.gather(*(_start(stage, node) for node in stage.servers.rabbitmq.nodes))


@asynccontextmanager
async def disk_full(stage: Stage, _: str) -> AsyncIterator[None]:
    """RabbitMQ's disk alarm: it takes nothing from anybody."""
    await _limit(stage, "set_disk_free_limit", NO_DISK)
    yield
    await _limit(stage, "set_disk_free_limit", DISK)


@asynccontextmanager
async def memory_full(stage: Stage, _: str) -> AsyncIterator[None]:
    """RabbitMQ's memory alarm: it takes nothing from anybody."""
    await _limit(stage, "set_vm_memory_high_watermark", NO_MEMORY)
    yield
    await _limit(stage, "set_vm_memory_high_watermark", MEMORY)


@asynccontextmanager
async def primary_killed(stage: Stage, _: str) -> AsyncIterator[None]:
    """MongoDB's primary is killed, and started again."""
    member = await _primary(stage)
    await asyncio.to_thread(member.kill)
    yield
    await asyncio.to_thread(member.start)


@asynccontextmanager
async def primary_frozen(stage: Stage, _: str) -> AsyncIterator[None]:
    """MongoDB's primary stops where it is, and goes on."""
    async with _paused(await _primary(stage)):
        yield


@asynccontextmanager
async def primary_parted(stage: Stage, _: str) -> AsyncIterator[None]:
    """MongoDB's primary hears nothing of the other two, nor they of it; services reach all three."""
    number = stage.servers.mongodb.members.index(await _primary(stage))
    lines = stage.between(f"member-{number}")
    for line in lines:
        line.silence()
    yield
    await asyncio.gather(*(line.close() for line in lines))
    await _open(lines)


@asynccontextmanager
async def primary_steps_down(stage: Stage, _: str) -> AsyncIterator[None]:
    """MongoDB's primary gives up being it: the others elect one."""
    member = await _primary(stage)
    await asyncio.to_thread(member.step_down, 10)
    yield


@asynccontextmanager
async def member_killed(stage: Stage, number: str) -> AsyncIterator[None]:
    """A member of MongoDB's set, whichever it is, is killed, and started again."""
    member = stage.servers.mongodb.members[int(number)]
    await asyncio.to_thread(member.kill)
    yield
    await asyncio.to_thread(member.start)


@asynccontextmanager
async def slow_disk(stage: Stage, _: str) -> AsyncIterator[None]:
    """Each flush to the disk, by RabbitMQ and by MongoDB, takes longer."""
    assert stage.disk
    stage.disk.set(SLOWER_BY)
    yield
    stage.disk.set(0)


_NODES: Final = tuple(str(number) for number in range(NODES))
_ANY: Final = ("all",)
MINUTES: Final = (60.0, 130.0)
NEED_A_COMPILER: Final = frozenset({"clock ahead", "clock behind", "slow disk", "primary parted"})
"""Faults that need the library of `preload`."""


def kinds(systems: list[str]) -> dict[str, Kind]:
    """Return all kinds of faults by name; `systems` have lines that can be cut, too."""
    services = tuple(PROCESSES)
    to_broker = tuple(f"{service} rabbitmq" for service in services)
    to_database = tuple(f"{service} mongodb" for service in SERVICES)
    members = tuple(f"{service} mongodb-{one}" for service in SERVICES for one in range(MEMBERS))
    every = (*to_broker, *to_database, "provisioner management", "notifier smtp")
    of_systems = tuple(f"{system} rabbitmq" for system in systems)
    return {
        "service killed": Kind(killed, services, "{}", (0.0, 3.0)),
        "all of a service killed": Kind(all_killed, services, "{}", (0.0, 3.0)),
        "service frozen": Kind(frozen, services, "{}", (1.0, 8.0)),
        "killed at a point": Kind(killed_at, AT_POINTS, "{}", (2.0, 5.0), awaits=True),
        "frozen at a point": Kind(frozen_at, AT_POINTS, "{}", (2.0, 6.0), awaits=True),
        "clock ahead": Kind(wrong_clock, services, "clock of {}", (2.0, 8.0)),
        "clock behind": Kind(clock_behind, services, "clock of {}", (2.0, 8.0)),
        "cut from the broker": Kind(cut, to_broker, "line {}", (1.0, 8.0)),
        "silence to the broker": Kind(silent, to_broker, "line {}", (1.0, 15.0)),
        "cut from the database": Kind(cut, to_database, "line {}", (1.0, 8.0)),
        "silence to the database": Kind(silent, to_database, "line {}", (1.0, 15.0)),
        "silence to a member": Kind(silent, members, "line {}", (1.0, 10.0)),
        "system cut off": Kind(cut, of_systems, "line {}", (1.0, 8.0)),
        "system in silence": Kind(silent, of_systems, "line {}", (1.0, 15.0)),
        "SMTP gone": Kind(cut, ("notifier smtp",), "line {}", (2.0, 10.0)),
        "SMTP silent": Kind(silent, ("notifier smtp",), "line {}", (2.0, 10.0)),
        "node killed": Kind(node_killed, _NODES, "rabbitmq", (0.5, 5.0), 6.0),
        "node frozen": Kind(node_frozen, _NODES, "rabbitmq", (1.0, 15.0), 6.0),
        "node parted": Kind(node_parted, _NODES, "rabbitmq", (5.0, 20.0), 8.0),
        "broker restarted": Kind(broker_restarted, _ANY, "rabbitmq", (0.0, 2.0), 12.0),
        "broker killed": Kind(broker_killed, _ANY, "rabbitmq", (0.0, 2.0), 12.0),
        "disk full": Kind(disk_full, _ANY, "rabbitmq", (2.0, 10.0), 6.0),
        "memory full": Kind(memory_full, _ANY, "rabbitmq", (2.0, 10.0), 6.0),
        "primary killed": Kind(primary_killed, _ANY, "mongodb", (1.0, 12.0), 10.0),
        "primary frozen": Kind(primary_frozen, _ANY, "mongodb", (1.0, 20.0), 6.0),
        "primary steps down": Kind(primary_steps_down, _ANY, "mongodb", (1.0, 2.0), 6.0),
        "member killed": Kind(member_killed, tuple(map(str, range(MEMBERS))), "mongodb", (1.0, 5.0), 6.0),
        "slow disk": Kind(slow_disk, _ANY, "disk", (3.0, 10.0)),
        "cut for minutes": Kind(cut, every, "line {}", MINUTES, beside=True),
        "silence for minutes": Kind(silent, every, "line {}", MINUTES, beside=True),
        "primary parted": Kind(primary_parted, _ANY, "mongodb", (8.0, 25.0), 8.0, beside=True),
    }


@asynccontextmanager
async def _paused(server: Server) -> AsyncIterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.resume()


async def _started(stage: Stage, service: str) -> None:
    """Start again what has ended, and return when it is ready."""
    for replica in stage.of(service):
        if not replica.program.runs:
            await asyncio.to_thread(replica.program.start)
    await asyncio.to_thread(_ready, stage.of(service))


def _ready(replicas: list[Replica]) -> None:
    """Return when all are ready, or after a while: another fault may keep them from it, and the end looks again."""
    for replica in replicas:
        try:
            until(replica.ready, f"{replica.service} is not ready", READY_WITHIN)
        except TimeoutError:
            return


def _go_on(stage: Stage, service: str) -> None:
    for replica in stage.of(service):
        replica.program.signal(signal.SIGCONT)


async def _open(lines: list[Proxy]) -> None:
    await asyncio.gather(*(line.open() for line in lines))


async def _limit(stage: Stage, what: str, value: str) -> None:
    nodes = stage.servers.rabbitmq.nodes
    await asyncio.gather(*(asyncio.to_thread(node.control, what, value) for node in nodes))


async def _start(stage: Stage, node: Node) -> None:
    """Start a node. One that stands still over it is killed and started again, as an operator would; this is told."""
    for _ in range(STARTED_AT_MOST):
        try:
            await asyncio.to_thread(node.start)
        except TimeoutError:
            stage.notes.append(f"{node.name} was started again: it had stood still while it started")
            await asyncio.to_thread(node.kill)
        else:
            return
    raise TimeoutError(f"{node.name} does not start")


async def _together(stage: Stage, number: int) -> None:
    """Return when all nodes are in the cluster again.

    RabbitMQ 3.10 does not always come together by itself when a node was gone for longer than a tick, and is back: then
    that node is started again, as who runs it would do, and this is told.
    """
    cluster = stage.servers.rabbitmq
    try:
        await asyncio.to_thread(until, cluster.whole, "RabbitMQ's nodes do not find each other", TOGETHER_WITHIN)
    except TimeoutError:
        node = cluster.nodes[number]
        stage.notes.append(
            f"{node.name} was started again: the nodes had not found each other in {TOGETHER_WITHIN:g} s"
        )
        await asyncio.to_thread(node.kill)
        await _start(stage, node)
        await asyncio.to_thread(until, cluster.whole, "RabbitMQ's nodes do not find each other", READY_WITHIN)


async def _primary(stage: Stage) -> Member:
    """Return the primary, as soon as there is one."""
    async with asyncio.timeout(READY_WITHIN):
        while True:
            if member := await asyncio.to_thread(stage.servers.mongodb.primary):
                return member
            await asyncio.sleep(0.2)
