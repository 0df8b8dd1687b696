"""MongoDB as a program on this machine: a replica set of one, with logins."""

import base64
import secrets
import shutil
import sysconfig
from pathlib import Path

from deploy.local.addresses import Addresses
from deploy.local.certificates import Certificates
from deploy.local.ports import Ports
from deploy.local.program import Program
from deploy.local.replica_set import create_admin, is_primary, make_replica_set
from deploy.local.server import OneProgram
from deploy.local.waiting import until

PORTS = ("mongodb",)
CACHE_GIGABYTES = 0.5


class MongoDB(OneProgram):
    """A replica set of one in a folder; a `Server`."""

    def __init__(
        self, folder: Path, ports: Ports, addresses: Addresses, certificates: Certificates | None = None
    ) -> None:
        """The folder may hold an earlier run's data. With certificates it speaks TLS alone."""
        self._addresses = addresses
        write_key(folder)
        options = tls_options(certificates) if certificates else []
        super().__init__(Program([*command(folder, ports["mongodb"], addresses), *options], folder / "start.log"))

    def start(self) -> None:
        """See `Server`."""
        self.program.start()
        make_replica_set(self._addresses, self.program.check)
        create_admin(self._addresses)
        until(self._serves, "MongoDB starts")

    def _serves(self) -> bool:
        self.program.check()
        return is_primary(self._addresses)


def write_key(folder: Path) -> None:
    """Make the folder of the data, and the key by which the members of a set know each other."""
    (folder / "data").mkdir(exist_ok=True)
    key = folder / "key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_bytes(base64.b64encode(secrets.token_bytes(96)))


def command(folder: Path, port: int, addresses: Addresses, cache: float = CACHE_GIGABYTES) -> list[str]:
    """The command line; a key file turns logins on."""
    options = {
        "--dbpath": folder / "data",
        "--logpath": folder / "mongodb.log",
        "--keyFile": folder / "key",
        "--bind_ip": "127.0.0.1",
        "--port": port,
        "--replSet": addresses.replica_set,
        "--oplogSize": 128,
        "--wiredTigerCacheSizeGB": cache,
        "--setParameter": "diagnosticDataCollectionEnabled=false",
    }
    arguments = [str(part) for option in options.items() for part in option]
    return [str(mongod()), "--nounixsocket", "--logappend", *arguments]


def tls_options(certificates: Certificates) -> list[str]:
    """What turns everything else away; who connects proves itself by a password."""
    files = ["--tlsCertificateKeyFile", str(certificates.both), "--tlsCAFile", str(certificates.ca)]
    return ["--tlsMode", "requireTLS", *files, "--tlsAllowConnectionsWithoutCertificates"]


def mongod() -> Path:
    """The program: from the PATH, else from the wheel; raises FileNotFoundError when there is none."""
    on_path = shutil.which("mongod")
    from_wheel = Path(sysconfig.get_path("purelib"), "fiftyone/db/bin/mongod")
    found = Path(on_path) if on_path else from_wheel
    if not found.exists():
        raise FileNotFoundError("no mongod on the PATH, and no wheel of it for this machine")
    return found


if __name__ == "__main__":
    print(mongod())
