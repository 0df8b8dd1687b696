"""RabbitMQ as a cluster of three nodes on this machine."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import httpx

from deploy.local.addresses import Addresses
from deploy.local.ports import Ports
from deploy.local.program import Program
from deploy.local.rabbitmq import SERVER, STOPS_WITHIN, control, environment_for, epmd_on, write_private, write_settings
from deploy.local.server import OneProgram
from deploy.local.waiting import both, rabbitmq_serves, until

NODES = 3
STARTS_WITHIN = 120
"""Seconds: three that start at once on two processors take longer than one."""
TICK = 8
"""Seconds of silence, or a quarter more, after which a node takes another for gone; a minute where nothing is said."""

_EACH = ("amqp", "management", "prometheus", "distribution")
PORTS = ("epmd", *(f"{name}-{number}" for number in range(NODES) for name in _EACH))

# The smaller part of a cluster that falls apart stops, and comes back by itself when it sees the others again.
_CLUSTERED = """\
cluster_formation.peer_discovery_backend = classic_config
cluster_partition_handling = pause_minority
"""


class Node(OneProgram):
    """One of the nodes; a `Server` by itself."""

    stops_within = STOPS_WITHIN

    def __init__(
        self, number: int, folder: Path, ports: Mapping[str, int], addresses: Addresses, more: Mapping[str, str]
    ) -> None:
        """`ports` are its own; `addresses` are those of the whole; `more` is added to its environment."""
        self.name = name_of(number)
        self.ports = ports
        url = f"http://127.0.0.1:{ports['management']}"
        self.addresses = replace(addresses, amqp_port=ports["amqp"], management_url=url)
        peers = "".join(f"cluster_formation.classic_config.nodes.{one} = {name_of(one)}\n" for one in range(NODES))
        write_settings(folder, ports, self.addresses, _CLUSTERED + peers)
        self._environment = environment_for(folder, ports, self.name, f"-kernel net_ticktime {TICK}")
        super().__init__(Program([str(SERVER)], folder / "start.log", self._environment | dict(more)))

    def start(self) -> None:
        """See `Server`."""
        self.program.start()
        until(self.serves, f"{self.name} starts", STARTS_WITHIN)

    def serves(self) -> bool:
        """Tell whether it takes logins. Raises RuntimeError when it has ended."""
        self.program.check()
        return rabbitmq_serves(self.addresses)

    def control(self, *arguments: str) -> str:
        """Have `rabbitmqctl` tell the node something; return what it prints. Raises CalledProcessError."""
        return control(self._environment, *arguments)


class Cluster:
    """Three nodes in a folder; a `Server`."""

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        addresses: Addresses,
        epmd: Sequence[int] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """The folder may hold an earlier run's data. `more` is added to the nodes' environment.

        `epmd` are the ports of each node's directory of the others, where somebody else keeps those.
        """
        numbers = [{name: ports[f"{name}-{number}"] for name in _EACH} for number in range(NODES)]
        directories = epmd or [ports["epmd"]] * NODES
        self._epmd = None if epmd else Program(epmd_on(ports["epmd"]), folder / "epmd.log")
        cookie = folder / ".erlang.cookie"
        if not cookie.exists():
            write_private(cookie, secrets.token_hex(20))
        self.nodes = tuple(
            Node(number, _with_cookie(folder / str(number), cookie), own | {"epmd": directory}, addresses, more or {})
            for number, (own, directory) in enumerate(zip(numbers, directories, strict=True))
        )

    def start(self) -> None:
        """See `Server`; returns when each node sees the others."""
        if self._epmd and not self._epmd.runs:
            self._epmd.start()
        # All at once: a new one looks for the others, and one that was there before waits for who has the last word.
        both(*(node.start for node in self.nodes))
        until(self.whole, "RabbitMQ's nodes find each other", STARTS_WITHIN)

    def whole(self) -> bool:
        """Tell whether all nodes run, by the word of each."""
        return all(_running(node.addresses) == NODES for node in self.nodes)

    def stop(self) -> None:
        """See `Server`."""
        both(*(node.stop for node in self.nodes))
        self._end_epmd()

    def kill(self) -> None:
        """See `Server`."""
        both(*(node.kill for node in self.nodes))
        self._end_epmd()

    def pause(self) -> None:
        """See `Server`."""
        for node in self.nodes:
            node.pause()

    def resume(self) -> None:
        """See `Server`."""
        for node in self.nodes:
            node.resume()

    def _end_epmd(self) -> None:
        if self._epmd:
            self._epmd.kill()


def name_of(number: int) -> str:
    """A node's name: its data belong to it."""
    return f"imi-{number}@localhost"


def _with_cookie(folder: Path, cookie: Path) -> Path:
    folder.mkdir(exist_ok=True)
    write_private(folder / ".erlang.cookie", cookie.read_text())
    return folder


def _running(addresses: Addresses) -> int:
    """How many nodes this one sees running, or 0 when it does not answer."""
    admin = addresses.rabbit_admin
    try:
        with httpx.Client(trust_env=False, timeout=5) as client:
            answer = client.get(f"{addresses.management_url}/api/nodes", auth=(admin.name, admin.password))
            return sum(bool(node["running"]) for node in answer.raise_for_status().json())
    except httpx.HTTPError:
        return 0
