"""A Docker engine: the one that answers, or, for root on Debian, one of our own for a while.

Our own keeps everything in a folder and leaves nothing behind: its mounts are in a namespace that ends with
it, and the packet filter and the network devices are as before. Debian's packages stay installed.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from deploy.compose.command import CommandError, last, run, say

Environment = Mapping[str, str]

PACKAGES: Final = {"dockerd": "docker.io", "iptables": "iptables", "ip": "iproute2"}
DEVICES: Final = Path("/sys/class/net")
FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")
EMPTY: Final = {
    "filter": "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n",
    "nat": "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n",
}


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
    try:
        install(PACKAGES)
    except CommandError as error:
        raise NoEngineError(str(error)) from error
    with ExitStack() as stack:
        for restored in (
            network_devices(),
            packet_filter("iptables"),
            packet_filter("ip6tables"),
            forwarding(),
        ):
            stack.enter_context(restored)
        yield stack.enter_context(our_own(folder.resolve()))


def answers(environment: Environment) -> bool:
    """Say whether an engine, not only its command line, is there."""
    try:
        run("docker", "version", "--format", "{{.Server.Version}}", environment=environment, within=10)
    except CommandError:
        return False
    return True


def install(packages: Mapping[str, str]) -> None:
    """Install Debian's packages for those programs that are missing. Raises `CommandError`."""
    missing = [package for program, package in packages.items() if shutil.which(program) is None]
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise CommandError(f"only root on Debian can install {' '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    with nothing_started():
        try:
            run(
                *apt,
                "install",
                "--no-install-recommends",
                *missing,
                environment={"DEBIAN_FRONTEND": "noninteractive"},
            )
        except CommandError:
            run(*apt, "update")
            run(
                *apt,
                "install",
                "--no-install-recommends",
                *missing,
                environment={"DEBIAN_FRONTEND": "noninteractive"},
            )


@contextmanager
def nothing_started() -> Iterator[None]:
    """Keep Debian from starting what it installs."""
    policy = Path("/usr/sbin/policy-rc.d")
    kept = policy.read_bytes() if policy.exists() else None
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        if kept is None:
            policy.unlink()
        else:
            policy.write_bytes(kept)


@contextmanager
def our_own(folder: Path) -> Iterator[Environment]:
    """Start an engine and stop it. A socket's path must be short, so what runs is not in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="imi-engine-", ignore_cleanup_errors=True) as place:
        log = folder / "dockerd.log"
        environment = {"DOCKER_HOST": f"unix://{place}/docker.sock"}
        process = start(folder, Path(place), log)
        try:
            wait(process, environment, log)
            yield environment
        finally:
            stop(process)
            shutil.rmtree(folder, ignore_errors=True)


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
    """Return when it answers. Raises `NoEngineError` when it ends instead, or after a minute."""
    end = time.monotonic() + 60
    while not answers(environment):
        if process.poll() is not None or time.monotonic() > end:
            raise NoEngineError(f"dockerd does not start:\n{last(log.read_text(errors='replace'))}")
        time.sleep(0.5)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; kill it after a minute."""
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def packet_filter(program: str) -> Iterator[None]:
    """Have the packet filter's rules afterwards as they are now."""
    rules = run(f"{program}-save")
    before = rules + "".join(text for table, text in EMPTY.items() if f"*{table}" not in rules)
    try:
        yield
    finally:
        run(f"{program}-restore", feed=before)


@contextmanager
def network_devices() -> Iterator[None]:
    """Remove the bridges that were not there before."""
    before = set(DEVICES.iterdir())
    try:
        yield
    finally:
        for device in set(DEVICES.iterdir()) - before:
            if (device / "bridge").is_dir():
                run("ip", "link", "delete", device.name)


@contextmanager
def forwarding() -> Iterator[None]:
    """Have the kernel forward packets afterwards as it does now, or not."""
    before = FORWARDING.read_text()
    try:
        yield
    finally:
        FORWARDING.write_text(before)
