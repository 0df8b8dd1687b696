"""RabbitMQ as a program on this machine: Debian's 3.10, or the next Debian's 4, with nothing of Debian's configuration.

It is run without Debian's wrapper, which drops the environment, and with an epmd of its own, which would
otherwise listen on all interfaces and be shared by all runs.
"""

import os
import secrets
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from contracts.topology import MAX_MESSAGE_SIZE
from deploy.local.addresses import Addresses
from deploy.local.certificates import Certificates
from deploy.local.ports import Ports
from deploy.local.program import Program
from deploy.local.waiting import rabbitmq_serves, until

# Where its package is: installed, or unpacked in a folder (`rabbitmq-4.sh`).
ROOT = Path(os.environ.get("IMI_TEST_RABBITMQ", "/")).absolute()
SERVER = ROOT / "usr/lib/rabbitmq/bin/rabbitmq-server"
PATH = f"{ROOT / 'usr/bin'}:/usr/bin:/bin"
CONTROL = SERVER.with_name("rabbitmqctl")
NODE = "imi@localhost"
PORTS = ("amqp", "management", "prometheus", "distribution", "epmd")
PLUGINS = "[rabbitmq_management,rabbitmq_prometheus,rabbitmq_auth_mechanism_ssl].\n"
SHIPPED_TLS = Path(__file__).parents[1] / "rabbitmq" / "tls.conf"

# Seconds. Queues and stores are closed at once, then 3.10's management plugin waits five seconds for a
# process that waits for it; two are enough for what is written with a delay of half a second.
STOPS_WITHIN = 2

# Nothing listens elsewhere; idle schedulers sleep instead of spinning: the services share the processors.
ERLANG_ARGUMENTS = (
    "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +sbwt none +sbwtdcpu none +sbwtdio none"
)

LISTENERS = """\
listeners.tcp.local = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {prometheus}
"""
TLS_LISTENERS = """\
listeners.tcp = none
listeners.ssl.local = 127.0.0.1:{amqp}
ssl_options.cacertfile = {ca}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
management.ssl.ip = 127.0.0.1
management.ssl.port = {management}
management.ssl.cacertfile = {ca}
management.ssl.certfile = {certificate}
management.ssl.keyfile = {key}
prometheus.ssl.ip = 127.0.0.1
prometheus.ssl.port = {prometheus}
prometheus.ssl.cacertfile = {ca}
prometheus.ssl.certfile = {certificate}
prometheus.ssl.keyfile = {key}
"""
CONFIGURATION = """\
default_user = {user}
default_pass = {password}
loopback_users = none
max_message_size = {max_message_size}
log.console = false
log.file = rabbitmq.log
log.file.level = info
raft.wal_max_size_bytes = 67108864
"""


class RabbitMQ:
    """A single node in a folder; a `Server`."""

    def __init__(
        self, folder: Path, ports: Ports, addresses: Addresses, certificates: Certificates | None = None
    ) -> None:
        """The folder may hold an earlier run's data. With certificates it speaks TLS alone."""
        self._addresses = addresses
        numbers = {name: ports[name] for name in PORTS}
        write_settings(folder, numbers, addresses, certificates=certificates)
        self._epmd = Program(epmd_on(numbers["epmd"]), folder / "epmd.log")
        self._environment = environment_for(folder, numbers)
        self._node = Program([str(SERVER)], folder / "start.log", self._environment)

    def start(self) -> None:
        """See `Server`."""
        if not self._epmd.runs:
            self._epmd.start()
        self._node.start()
        until(self._serves, "RabbitMQ starts")

    def _serves(self) -> bool:
        self._epmd.check()
        self._node.check()
        return rabbitmq_serves(self._addresses)

    def stop(self) -> None:
        """See `Server`."""
        self._node.stop(STOPS_WITHIN)
        self._epmd.kill()

    def kill(self) -> None:
        """See `Server`."""
        self._node.kill()
        self._epmd.kill()

    def pause(self) -> None:
        """See `Server`."""
        self._node.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """See `Server`."""
        self._node.signal(signal.SIGCONT)

    def control(self, *arguments: str) -> str:
        """Have `rabbitmqctl` tell the node something; return what it prints. Raises CalledProcessError."""
        return control(self._environment, *arguments)


def version() -> str:
    """Return which version the programs are: the folder that they are in is named after it."""
    return SERVER.resolve().parents[1].name.removeprefix("rabbitmq_server-")


def control(environment: Mapping[str, str], *arguments: str) -> str:
    """Have `rabbitmqctl` tell the node of this environment something; return what it prints."""
    command = [str(CONTROL), "--timeout", "30", *arguments]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True, timeout=60).stdout


def epmd_on(port: int) -> list[str]:
    """Return the command line of Erlang's directory of nodes, on loopback alone."""
    return [str(ROOT / "usr/bin/epmd"), "-address", "127.0.0.1", "-port", str(port)]


def write_settings(
    folder: Path,
    ports: Mapping[str, int],
    addresses: Addresses,
    more: str = "",
    certificates: Certificates | None = None,
) -> None:
    """Write the node's configuration, `more` in the end, and the cookie that lets nobody else command it.

    With certificates it listens for TLS alone, in the way that is shipped.
    """
    admin = addresses.rabbit_admin
    text = CONFIGURATION.format(user=admin.name, password=admin.password, max_message_size=MAX_MESSAGE_SIZE)
    if certificates:
        listeners = TLS_LISTENERS.format(**vars(certificates), **ports) + SHIPPED_TLS.read_text()
    else:
        listeners = LISTENERS.format(**ports)
    write_private(folder / "rabbitmq.conf", listeners + text + more)
    (folder / "enabled_plugins").write_text(PLUGINS)
    if not (folder / ".erlang.cookie").exists():
        write_private(folder / ".erlang.cookie", secrets.token_hex(20))


def write_private(file: Path, text: str) -> None:
    """Write a file that nobody else may read."""
    file.touch(mode=0o600)
    file.write_text(text)


def environment_for(folder: Path, ports: Mapping[str, int], node: str = NODE, more: str = "") -> dict[str, str]:
    """Everything that Debian's node would take from /etc and /var, from the folder instead; Erlang gets `more`."""
    places = {
        "HOME": folder,
        "RABBITMQ_CONFIG_FILE": folder / "rabbitmq.conf",
        "RABBITMQ_ADVANCED_CONFIG_FILE": folder / "advanced.config",
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "enabled_plugins",
        "RABBITMQ_MNESIA_BASE": folder / "data",
        "RABBITMQ_LOG_BASE": folder / "log",
        "RABBITMQ_GENERATED_CONFIG_DIR": folder / "generated",
        "RABBITMQ_CONF_ENV_FILE": Path(os.devnull),
    }
    return {name: str(place) for name, place in places.items()} | {
        # The data belongs to the name, so the name stays; the epmd of one's own keeps runs apart.
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_DIST_PORT": str(ports["distribution"]),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{ERLANG_ARGUMENTS} {more}".rstrip(),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(ports["epmd"]),
        # The script then becomes the node, instead of waiting for it.
        "RUNNING_UNDER_SYSTEMD": "true",
        "LANG": "C.UTF-8",
        "PATH": PATH,
    }
