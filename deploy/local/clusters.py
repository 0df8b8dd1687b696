"""A RabbitMQ of three nodes and a MongoDB of three members on this machine, in place of one of each.

    with clusters(Path(".local/chaos")) as running:
        running.rabbitmq.nodes[1].kill()

They are always programs: what is to be done to single nodes cannot be done to servers from elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import cluster, members
from deploy.local.addresses import Addresses, Credentials
from deploy.local.cluster import Cluster
from deploy.local.members import Members
from deploy.local.ports import Ports
from deploy.local.programs import passwords
from deploy.local.servers import Servers
from deploy.local.waiting import both


@dataclass(frozen=True)
class Clusters(Servers):
    """Both, and where they are: the addresses are those of RabbitMQ's first node and of all of MongoDB's members."""

    rabbitmq: Cluster
    mongodb: Members


@contextmanager
def clusters(
    folder: Path,
    epmd: Sequence[int] | None = None,
    more: Mapping[str, str] | None = None,
    of_members: Sequence[Mapping[str, str]] = (),
) -> Iterator[Clusters]:
    """Have both running, as `servers` has; a later run with the same folder finds its data again.

    `epmd`: see `Cluster`; `more` is added to the environment of each process, and `of_members` to those of MongoDB's
    members, one by one. Raises as `servers`; TimeoutError after two minutes.
    """
    folder = folder.resolve()
    for part in ("rabbitmq", "mongodb"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        ports = Ports(folder, cluster.PORTS + members.PORTS)
        stack.callback(ports.close)
        addresses = _addresses_on(ports, passwords(folder))
        rabbitmq = Cluster(folder / "rabbitmq", ports, addresses, epmd, more)
        added = [{**(more or {}), **one} for one in of_members or [{}] * members.MEMBERS]
        mongodb = Members(folder / "mongodb", ports, addresses, added)
        stack.callback(both, rabbitmq.stop, mongodb.stop)
        both(rabbitmq.start, mongodb.start)
        yield Clusters(addresses, rabbitmq, mongodb)


def _addresses_on(ports: Ports, password: dict[str, str]) -> Addresses:
    return Addresses(
        amqp_host="127.0.0.1",
        amqp_port=ports["amqp-0"],
        management_url=f"http://127.0.0.1:{ports['management-0']}",
        prometheus_url=f"http://127.0.0.1:{ports['prometheus-0']}",
        mongo_host_port=",".join(f"127.0.0.1:{ports[name]}" for name in members.PORTS),
        replica_set="exchange",
        rabbit_admin=Credentials("admin", password["rabbitmq"]),
        mongo_admin=Credentials("admin", password["mongodb"]),
    )
