"""A whole exchange on this machine: servers, topology, database users, mail, and the services' processes.

It begins empty: only the operator has an account.
"""

import asyncio
import base64
import json
import secrets
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from pymongo import MongoClient

from client import topology
from client.account import new_password, password_hash
from contracts.topology import OPERATOR, SERVICES, VHOST
from deploy.local.addresses import Addresses, Credentials
from deploy.local.certificates import Certificates
from deploy.local.mail import Mailbox, mail_server
from deploy.local.ports import Ports
from deploy.local.program import Program
from deploy.local.servers import Servers, servers
from deploy.local.waiting import both, until

PROCESSES: Final[Mapping[str, str]] = {
    **{service: f"services.{service}.app" for service in SERVICES},
    "provisioner": "services.registry.provisioner",
}
MAIL_FROM: Final = "exchange@imi.example"
CASE_LINK: Final = "https://imi.example/cases/{case}"


@dataclass
class Replica:
    """One process of a service."""

    service: str
    ports: Ports
    program: Program
    ca: Path | None = None
    """The authority that signed its certificate, if it has one."""

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return self.ports["http"]

    @property
    def url(self) -> str:
        """Where its health and metrics are."""
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        """Whether it says that it is ready. Raises RuntimeError when it has ended."""
        self.program.check()
        try:
            trusted = ssl.create_default_context(cafile=self.ca) if self.ca else True
            return httpx.get(f"{self.url}/health/ready", timeout=5, trust_env=False, verify=trusted).is_success
        except httpx.HTTPError:
            return False


@dataclass
class Exchange:
    """A running exchange."""

    folder: Path
    addresses: Addresses
    servers: Servers
    mailbox: Mailbox
    passwords: Mapping[str, str]
    smtp_url: str
    settings: Mapping[str, Mapping[str, str]]
    modules: Mapping[str, str]
    certificates: Certificates | None = None
    replicas: list[Replica] = field(default_factory=list)
    root_key: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())
    """By which casework wraps the months' keys."""
    systems: dict[str, str] = field(default_factory=dict)
    """Name and password of each connected system, as far as whoever uses this exchange notes them here."""

    def amqp_url(self, system: str, password: str) -> str:
        """Return the URL by which a system connects."""
        return self.addresses.amqp_url(system, password, VHOST)

    def start(self, service: str, module: str | None = None, settings: Mapping[str, str] | None = None) -> Replica:
        """Start one more replica of a service; it is ready when `wait_until_ready` returns.

        `module` is run in place of the service's own process, with `settings` besides its own.
        """
        ports = Ports(_fresh(self.folder / "replicas"), ["http"])
        log = self.folder / "logs" / f"{service}-{ports['http']}.log"
        environment = {**self._environment(service, ports["http"]), **(settings or {})}
        program = Program([sys.executable, "-m", module or self.modules[service]], log, environment)
        replica = Replica(service, ports, program, self.certificates.ca if self.certificates else None)
        program.start()
        self.replicas.append(replica)
        return replica

    def stop(self, *stopped: Replica) -> None:
        """Ask replicas to end and wait until they have."""
        if stopped:
            both(*(replica.program.stop for replica in stopped))
        for replica in stopped:
            replica.ports.close()
            self.replicas.remove(replica)

    def of(self, service: str) -> list[Replica]:
        """Return the replicas of a service."""
        return [replica for replica in self.replicas if replica.service == service]

    def wait_until_ready(self, within: float = 60) -> None:
        """Return when all replicas are ready. Raises TimeoutError, or RuntimeError when one has ended."""
        for replica in self.replicas:
            until(replica.ready, f"{replica.service} is not ready", within)

    def describe(self) -> dict[str, Any]:
        """Return what a foreign client needs to connect."""
        return {
            "amqp": {"host": self.addresses.amqp_host, "port": self.addresses.amqp_port, "vhost": VHOST},
            "management": self.addresses.management_url,
            "smtp": self.smtp_url,
            "services": [
                {"service": one.service, "metrics": f"{one.url}/metrics", "health": f"{one.url}/health/ready"}
                for one in self.replicas
            ],
            "systems": self.systems,
        }

    def write(self, path: Path) -> None:
        """Write the description, readable by its owner alone: it holds the systems' passwords."""
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.describe(), indent=2))

    def _environment(self, service: str, port: int) -> dict[str, str]:
        database = {
            "IMI_MONGO_URL": self.addresses.mongo_url(service, self.passwords[service], service),
            "IMI_MONGO_DATABASE": service,
        }
        admin = self.addresses.rabbit_admin
        keys = self.folder / "keys"
        keys.mkdir(mode=0o700, exist_ok=True)
        own: dict[str, dict[str, str]] = {
            "casework": {"IMI_KEYS": str(keys), "IMI_ROOT_KEYS": self.root_key},
            "provisioner": {"IMI_MANAGEMENT_URL": self.addresses.management_url_for(admin.name, admin.password)},
            "notifier": {
                "IMI_SMTP_URL": self.smtp_url,
                "IMI_MAIL_FROM": MAIL_FROM,
                "IMI_CASE_LINK": CASE_LINK,
            },
        }
        return {
            "IMI_AMQP_URL": self.amqp_url(f"service.{service}", self.passwords[service]),
            "IMI_HTTP_PORT": str(port),
            **(database if service in SERVICES else {}),
            **self._encrypted(),
            **own.get(service, {}),
            **self.settings.get(service, {}),
        }

    def _encrypted(self) -> dict[str, str]:
        if self.certificates is None:
            return {}
        files = {name: str(path) for name, path in vars(self.certificates).items()}
        return {
            "IMI_CA": files["ca"],
            "IMI_HTTP_CERTIFICATE": files["certificate"],
            "IMI_HTTP_KEY": files["key"],
            "IMI_SMTP_ENCRYPTED": "true",
            "IMI_SMTP_AUTHORITIES": files["ca"],
        }


@contextmanager
def exchange(
    folder: Path,
    settings: Mapping[str, Mapping[str, str]] | None = None,
    replicas: Mapping[str, int] | None = None,
    modules: Mapping[str, str] | None = None,
    having: Callable[[Path], AbstractContextManager[Servers]] = servers,
    *,
    certificates: Certificates | None = None,
) -> Iterator[Exchange]:
    """Have an exchange running, with data in `folder`, for as long as the context lasts.

    `settings` are environment variables by service; `replicas` how many of each, one where nothing is said;
    `modules` what runs in place of a service's own process; `having` makes the servers (`clusters`: three of each).
    With `certificates`, which one of each can be given, nothing is said in the clear.
    """
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        place = folder / "servers"
        running = stack.enter_context(servers(place, certificates) if certificates else having(place))
        ports = Ports(folder, ["smtp"])
        stack.callback(ports.close)
        mailbox = Mailbox()
        smtp_url = stack.enter_context(mail_server(mailbox, ports["smtp"], certificates))
        passwords = {name: new_password() for name in (*PROCESSES, OPERATOR)}
        prepare(running.addresses, passwords)
        run = {**PROCESSES, **(modules or {})}
        made = Exchange(
            folder, running.addresses, running, mailbox, passwords, smtp_url, settings or {}, run, certificates
        )
        made.systems[OPERATOR] = passwords[OPERATOR]
        stack.callback(_stop_all, made)
        for service in PROCESSES:
            for _ in range((replicas or {}).get(service, 1)):
                made.start(service)
        made.wait_until_ready()
        yield made


def prepare(addresses: Addresses, passwords: Mapping[str, str]) -> None:
    """Make the topology and the database users, as an operations team would; again with the same folder: anew."""
    hashes = {name: password_hash(password) for name, password in passwords.items()}
    admin = addresses.rabbit_admin
    url = addresses.management_url_for(admin.name, admin.password)
    asyncio.run(topology.apply(url, topology.definitions(hashes)))
    _make_database_users(addresses, passwords)


def _make_database_users(addresses: Addresses, passwords: Mapping[str, str]) -> None:
    admin: Credentials = addresses.mongo_admin
    with MongoClient[dict[str, Any]](addresses.mongo_url(admin.name, admin.password)) as client:
        for service in SERVICES:
            known = client[service].command("usersInfo", service)["users"]
            command = "updateUser" if known else "createUser"
            roles = [{"role": "readWrite", "db": service}]
            client[service].command(command, service, pwd=passwords[service], roles=roles)


def _stop_all(made: Exchange) -> None:
    made.stop(*made.replicas)


def _fresh(folder: Path) -> Path:
    path = folder / secrets.token_hex(4)
    path.mkdir(parents=True)
    return path
