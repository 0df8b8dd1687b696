"""RabbitMQ and MongoDB as programs on this machine."""

import json
import secrets
from contextlib import ExitStack
from pathlib import Path

from deploy.local import mongodb, rabbitmq
from deploy.local.addresses import Addresses, Credentials
from deploy.local.certificates import Certificates
from deploy.local.mongodb import MongoDB
from deploy.local.ports import Ports
from deploy.local.rabbitmq import RabbitMQ, write_private


def programs(
    folder: Path, stack: ExitStack, certificates: Certificates | None = None
) -> tuple[Addresses, RabbitMQ, MongoDB]:
    """Prepare the folder, or take up what an earlier run left in it; `stack` frees the ports.

    Raises TimeoutError when another run has the folder.
    """
    folder = folder.resolve()
    for part in ("rabbitmq", "mongodb"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    ports = Ports(folder, rabbitmq.PORTS + mongodb.PORTS)
    stack.callback(ports.close)
    addresses = addresses_on(ports, passwords(folder), certificates.ca if certificates else None)
    broker = RabbitMQ(folder / "rabbitmq", ports, addresses, certificates)
    return addresses, broker, MongoDB(folder / "mongodb", ports, addresses, certificates)


def passwords(folder: Path) -> dict[str, str]:
    """The administrators' passwords, made by the folder's first run."""
    file = folder / "passwords.json"
    if not file.exists():
        write_private(file, json.dumps({name: secrets.token_hex(16) for name in ("rabbitmq", "mongodb")}))
    found: dict[str, str] = json.loads(file.read_text())
    return found


def addresses_on(ports: Ports, password: dict[str, str], ca: Path | None = None) -> Addresses:
    """Where the two will be."""
    scheme = "https" if ca else "http"
    return Addresses(
        amqp_host="127.0.0.1",
        amqp_port=ports["amqp"],
        management_url=f"{scheme}://127.0.0.1:{ports['management']}",
        prometheus_url=f"{scheme}://127.0.0.1:{ports['prometheus']}",
        mongo_host_port=f"127.0.0.1:{ports['mongodb']}",
        replica_set="exchange",
        rabbit_admin=Credentials("admin", password["rabbitmq"]),
        mongo_admin=Credentials("admin", password["mongodb"]),
        ca=ca,
    )
