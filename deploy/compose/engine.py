"""A Docker engine: the one that answers, or, for root on Debian, one of our own for a while.

Our own ends with us, its mounts are in a namespace that ends with it, and the network is restored. Its images stay
in its folder, so that the next one is quick; and Debian's packages stay installed.
"""

import fcntl
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from deploy.compose.command import CommandError, last, run
from deploy.compose.network import restored_network
from deploy.compose.packages import install

Environment = Mapping[str, str]

PACKAGES: Final = {"dockerd": "docker.io", "iptables": "iptables", "ip": "iproute2"}


class NoEngineError(Exception):
    """There is no engine and none can be started; says why."""


@contextmanager
def engine(folder: Path) -> Iterator[Environment]:
    """Have an engine, with its data in `folder` if it is our own; gives what leads a client to it.

    Raises `NoEngineError`.
    """
    if answers({}):
        yield {}
        return
    with ExitStack() as stack:
        try:
            install(PACKAGES)
            stack.enter_context(one_at_a_time())
            stack.enter_context(restored_network())
            environment = stack.enter_context(our_own(folder.resolve()))
        except (CommandError, OSError) as error:
            raise NoEngineError(str(error)) from error
        yield environment


def answers(environment: Environment) -> bool:
    """Say whether an engine, not only its command line, is there."""
    try:
        run("docker", "version", "--format", "{{.Server.Version}}", environment=environment, within=10)
    except CommandError:
        return False
    return True


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait for other engines like this, from other folders: the network that each restores is the same."""
    with Path(shutil.which("dockerd") or "/usr/sbin/dockerd").open("rb") as program:
        fcntl.flock(program, fcntl.LOCK_EX)
        yield


@contextmanager
def our_own(folder: Path) -> Iterator[Environment]:
    """Start an engine and stop it. A socket's path must be short, so what runs is not in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="imi-engine-", ignore_cleanup_errors=True) as place:
        log = folder / "dockerd.log"
        environment = {"DOCKER_HOST": f"unix://{place}/docker.sock"}
        process = start(folder, Path(place), log)
        try:
            wait(process, environment, log)
            yield environment
        finally:
            stop(process)


def start(folder: Path, place: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start dockerd. It ends in its own order with us, even if we are killed; Ctrl-C is for us alone."""
    data, execution, pid = (str(path) for path in (folder / "data", place / "run", place / "pid"))
    command = [
        *("unshare", "--mount", "setpriv", "--pdeathsig", "TERM", "dockerd", "--log-level", "warn"),
        *("--data-root", data, "--exec-root", execution, "--pidfile", pid),
        *("--host", f"unix://{place}/docker.sock"),
    ]
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - a list of our own words, and no shell
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def wait(process: subprocess.Popen[bytes], environment: Environment, log: Path) -> None:
    """Return when it answers. Raises `CommandError` when it ends instead, or after a minute."""
    end = time.monotonic() + 60
    while not answers(environment):
        if process.poll() is not None or time.monotonic() > end:
            raise CommandError(f"dockerd does not start:\n{last(log.read_text(errors='replace'))}")
        time.sleep(0.5)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; kill it after a minute."""
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
