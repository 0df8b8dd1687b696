"""The four images that docker-compose.yml starts from: the real ones, or stand-ins where none can be pulled.

A stand-in is Debian's package in a container, with as much of the real image's interface as is used here.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.compose.command import CommandError, run, say
from deploy.compose.engine import Environment
from deploy.compose.packages import install

REAL: Final = {
    "PYTHON_IMAGE": "python:3.13-slim",
    "RABBITMQ_IMAGE": "rabbitmq:4.0-management",
    "MONGO_IMAGE": "mongo:8.0",
    "MAILPIT_IMAGE": "axllent/mailpit:v1.30.5",
}
STANDINS: Final = {
    "PYTHON_IMAGE": "python",
    "RABBITMQ_IMAGE": "rabbitmq",
    "MONGO_IMAGE": "mongodb",
    "MAILPIT_IMAGE": "mailpit",
}
RECIPES: Final = Path("deploy/compose/standins")
BASE: Final = "imi-standin-base"
SUITE: Final = "trixie"
DEBIAN: Final = "python3,python3-pip,python3-aiosmtpd,rabbitmq-server,libcurl4t64,ca-certificates"
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")


def images(engine: Environment) -> Environment:
    """Return the variables that name the images, which are then there. Raises `CommandError`."""
    try:
        for image in REAL.values():
            pull(image, engine)
    except CommandError:
        say("no registry of images can be reached: stand-ins from Debian's packages")
        return standins(engine)
    return REAL


def pull(image: str, engine: Environment) -> None:
    """Have an image. Raises `CommandError`."""
    try:
        run("docker", "image", "inspect", image, environment=engine)
    except CommandError:
        run("docker", "pull", "--quiet", image, environment=engine)


def standins(engine: Environment) -> Environment:
    """Build all four from one Debian."""
    if base_of(engine) != DEBIAN:
        import_debian(engine)
    named = {variable: f"imi-standin-{name}" for variable, name in STANDINS.items()}
    with context() as folder:
        for name, tag in zip(STANDINS.values(), named.values(), strict=True):
            run("docker", "build", "--tag", tag, "--file", folder / f"{name}.Dockerfile", folder, environment=engine)
    return named


def base_of(engine: Environment) -> str:
    """Return which packages are in the Debian of an earlier run; none when there is no such."""
    look = ("docker", "image", "inspect", "--format", "{{.Config.Labels.packages}}", BASE)
    try:
        return run(*look, environment=engine).strip()
    except CommandError:
        return ""


def import_debian(engine: Environment) -> None:
    """Make the image that the others start from."""
    install({"mmdebstrap": "mmdebstrap"})
    with tempfile.TemporaryDirectory(prefix="imi-debian-") as folder:
        archive = Path(folder) / "debian.tar"
        run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={DEBIAN}", SUITE, archive)
        run("docker", "import", "--change", f"LABEL packages={DEBIAN}", archive, BASE, environment=engine)


@contextmanager
def context() -> Iterator[Path]:
    """Have what the stand-ins are built from in one folder."""
    with tempfile.TemporaryDirectory(prefix="imi-standins-") as name:
        folder = Path(name)
        shutil.copytree(RECIPES, folder, dirs_exist_ok=True)
        shutil.copy(run(".venv/bin/python", "-m", "deploy.local.mongodb").strip(), folder / "mongod")
        shutil.copy(CERTIFICATES, folder)
        (folder / "pip.conf").write_text(pip_configuration(run(sys.executable, "-m", "pip", "config", "list")))
        yield folder


def pip_configuration(listed: str) -> str:
    """Return pip's configuration for a container. `listed` is what `pip config list` says of this machine."""
    index = re.findall(r"\.index-url='(.+)'", listed)[:1]
    return "\n".join(["[global]", f"cert = {CERTIFICATES}", *(f"index-url = {url}" for url in index), ""])
