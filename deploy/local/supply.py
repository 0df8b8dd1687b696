"""Where RabbitMQ and MongoDB come from on this machine: given addresses, containers, or programs."""

import os
import subprocess
from enum import StrEnum

GIVEN = ("IMI_TEST_AMQP_URL", "IMI_TEST_MANAGEMENT_URL", "IMI_TEST_MONGO_URL")


class Supply(StrEnum):
    """The three ways to have servers, in the order in which they are tried."""

    ADDRESSES = "addresses"
    CONTAINERS = "containers"
    PROGRAMS = "programs"


def supply() -> Supply:
    """Decide where the servers come from; raises ValueError when only some of the addresses are given."""
    given = [name for name in GIVEN if os.environ.get(name)]
    if len(given) == len(GIVEN):
        return Supply.ADDRESSES
    if given:
        raise ValueError(f"give all of {', '.join(GIVEN)}, or none")
    if os.environ.get("IMI_TEST_RABBITMQ"):  # a folder in which it is unpacked
        return Supply.PROGRAMS
    return Supply.CONTAINERS if docker_answers() else Supply.PROGRAMS


def docker_answers() -> bool:
    """Tell whether a Docker engine, not only its command line, is there; waits at most ten seconds."""
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


if __name__ == "__main__":
    print(supply())
