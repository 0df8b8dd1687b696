"""The C client, compiled when it is needed; Debian's packages for it, installed like those of `make setup`."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).parent / "flow.c"
_SETUP: Final = Path(__file__).parents[2] / "deploy" / "local" / "setup.sh"
_HEADER: Final = Path("/usr/include/amqp.h")
PACKAGES: Final = ("gcc", "libc6-dev", "librabbitmq-dev")


class CannotBuild(RuntimeError):
    """There is no C client, and so no limit; says what is missing."""


def flow(folder: Path) -> Path:
    """Return the compiled client. Raises `CannotBuild`."""
    if shutil.which("gcc") is None or not _HEADER.exists():
        _run([str(_SETUP), *PACKAGES], f"the limit needs {', '.join(PACKAGES)} of Debian")
    program = folder / "flow"
    options = ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", str(_SOURCE), "-o", str(program)]
    _run(["gcc", *options, "-lrabbitmq", "-lpthread"], "the limit's C client cannot be compiled")
    return program


def _run(command: list[str], wrong: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise CannotBuild(f"{wrong}: {(done.stderr or done.stdout).strip()[-500:]}")
