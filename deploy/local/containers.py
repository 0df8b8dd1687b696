"""RabbitMQ and MongoDB as containers of a Docker engine on this machine."""

import secrets
from contextlib import ExitStack
from pathlib import Path

from testcontainers.core.container import DockerContainer

from contracts.topology import MAX_MESSAGE_SIZE
from deploy.local.addresses import Addresses
from deploy.local.ports import Ports
from deploy.local.programs import addresses_on
from deploy.local.replica_set import is_primary, make_replica_set
from deploy.local.waiting import rabbitmq_serves, until

RABBITMQ_IMAGE = "rabbitmq:4.0-management"
MONGODB_IMAGE = "mongo:8.0"
PORTS = ("amqp", "management", "prometheus", "mongodb")

# The image makes the administrator; members of a set, even of one, must have a key that nobody else can read.
MONGOD = """\
key=/data/configdb/key
[ -e $key ] || head -c 96 /dev/urandom | base64 -w 0 >$key
chmod 400 $key && chown mongodb $key
exec docker-entrypoint.sh mongod --replSet {replica_set} --keyFile $key --port {port} \\
    --wiredTigerCacheSizeGB 0.5
"""


class Container:
    """A container with ports on this machine's loopback; started again, it has the same ports and data."""

    def __init__(self, container: DockerContainer, ports: dict[int, int], stack: ExitStack) -> None:
        """`ports` are the container's own and ours; `stack` removes the container."""
        self._container = container
        for inside, outside in ports.items():
            # Docker takes an address with the port; the annotation knows of a port alone.
            container.ports[f"{inside}/tcp"] = ("127.0.0.1", outside)  # type: ignore[assignment]
        self._stack = stack
        self._made = False

    def run(self) -> None:
        """Make and start it, or start it again."""
        if self._made:
            self._container.get_wrapped_container().start()
        else:
            self._made = True
            self._stack.enter_context(self._container)

    def stop(self) -> None:
        """See `Server`."""
        self._container.get_wrapped_container().stop(timeout=30)

    def kill(self) -> None:
        """See `Server`."""
        self._container.get_wrapped_container().kill()

    def pause(self) -> None:
        """See `Server`."""
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        """See `Server`."""
        self._container.get_wrapped_container().unpause()


class RabbitMQContainer(Container):
    """A `Server`."""

    def __init__(self, ports: Ports, addresses: Addresses, stack: ExitStack) -> None:
        self._addresses = addresses
        container = DockerContainer(RABBITMQ_IMAGE, hostname="rabbitmq")
        container.with_envs(
            RABBITMQ_DEFAULT_USER=addresses.rabbit_admin.name,
            RABBITMQ_DEFAULT_PASS=addresses.rabbit_admin.password,
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=f"-rabbit max_message_size {MAX_MESSAGE_SIZE}",
        )
        inside = {5672: ports["amqp"], 15672: ports["management"], 15692: ports["prometheus"]}
        super().__init__(container, inside, stack)

    def start(self) -> None:
        """See `Server`."""
        self.run()
        until(lambda: rabbitmq_serves(self._addresses), "RabbitMQ starts")


class MongoDBContainer(Container):
    """A `Server`.

    Inside, it listens on the port that it has outside, because a set's member tells its clients where it is.
    """

    def __init__(self, ports: Ports, addresses: Addresses, stack: ExitStack) -> None:
        self._addresses = addresses
        port = ports["mongodb"]
        script = MONGOD.format(replica_set=addresses.replica_set, port=port)
        container = DockerContainer(MONGODB_IMAGE).with_command(["bash", "-c", script])
        container.with_envs(
            MONGO_INITDB_ROOT_USERNAME=addresses.mongo_admin.name,
            MONGO_INITDB_ROOT_PASSWORD=addresses.mongo_admin.password,
        )
        super().__init__(container, {port: port}, stack)

    def start(self) -> None:
        """See `Server`."""
        self.run()
        make_replica_set(self._addresses, check=lambda: None, admin=self._addresses.mongo_admin)
        until(lambda: is_primary(self._addresses), "MongoDB starts")


def containers(folder: Path, stack: ExitStack) -> tuple[Addresses, RabbitMQContainer, MongoDBContainer]:
    """Prepare both; `stack` removes them. The folder remembers the ports alone."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = Ports(folder, PORTS)
    stack.callback(ports.close)
    addresses = addresses_on(ports, {name: secrets.token_hex(16) for name in ("rabbitmq", "mongodb")})
    return addresses, RabbitMQContainer(ports, addresses, stack), MongoDBContainer(ports, addresses, stack)
