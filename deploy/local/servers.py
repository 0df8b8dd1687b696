"""A RabbitMQ and a MongoDB for tests, demonstrations and development on this machine.

    with servers(Path(".local/demo")) as running:
        connect(running.addresses.amqp_url("admin", ...))

They come from addresses in the environment, else from containers, else from programs (see `supply`).
What was started here ends with the `with`, or with this process, however that ends.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.addresses import Addresses, Credentials
from deploy.local.certificates import Certificates
from deploy.local.given import GivenServer, given_addresses
from deploy.local.programs import programs
from deploy.local.server import NotOursError, Server
from deploy.local.supply import Supply, supply
from deploy.local.waiting import both

__all__ = ["Addresses", "Credentials", "NotOursError", "Server", "Servers", "servers"]


@dataclass(frozen=True)
class Servers:
    """Both servers and where they are; where `ours` is false, they cannot be stopped from here."""

    addresses: Addresses
    rabbitmq: Server
    mongodb: Server
    ours: bool = True


@contextmanager
def servers(folder: Path, certificates: Certificates | None = None) -> Iterator[Servers]:
    """Have both servers running, with their administrators' credentials, for as long as the context lasts.

    Programs keep data, ports and passwords in `folder` (made if need be), and a later run with the same
    folder finds them again; two runs at once need two folders. Containers keep data while the context lasts.
    With certificates, which programs alone can be given, they speak TLS and nothing else.

    Raises TimeoutError when a server does not come up within a minute or the folder is in use, RuntimeError
    when one dies at the start, FileNotFoundError when there is no such program, and ValueError as `supply`.
    """
    kind = supply()
    if kind is Supply.ADDRESSES:
        yield Servers(given_addresses(), GivenServer(), GivenServer(), ours=False)
        return
    with ExitStack() as stack:
        prepared = prepare(kind, folder, stack, certificates)
        stack.callback(both, prepared.rabbitmq.stop, prepared.mongodb.stop)
        both(prepared.rabbitmq.start, prepared.mongodb.start)
        yield prepared


def prepare(kind: Supply, folder: Path, stack: ExitStack, certificates: Certificates | None = None) -> Servers:
    """The two servers, not started yet; `stack` frees what they hold."""
    if kind is Supply.CONTAINERS:
        # testcontainers takes half a second to import, which programs need not wait for.
        from deploy.local.containers import containers  # noqa: PLC0415

        return Servers(*containers(folder, stack))
    return Servers(*programs(folder, stack, certificates))
