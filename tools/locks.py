"""The locks, read: which packages an image is made of, in which versions, and why."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PROJECT: Final = "imi-exchange"
IMAGES: Final = {
    **{f"imi-{name}": ROOT / "services" / name for name in ("registry", "casework", "translation", "notifier")},
    "imi-client": ROOT / "client",
}
"""Each image's folder: there are its lock and its Dockerfile."""
LOCKS: Final = {"development": ROOT / "requirements.lock"} | {n: f / "requirements.lock" for n, f in IMAGES.items()}

_PACKAGE: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>.+?))?(?: \\)?$")
_VIA: Final = re.compile(
    r"    # {3}(?P<name>[A-Za-z0-9._-]+)(?:\[.*\])?(?: \(pyproject\.toml\))?$|    # via (?P<only>[A-Za-z0-9._-]+)"
)


@dataclass(frozen=True)
class Locked:
    """A package of a lock."""

    name: str
    version: str
    marker: str
    """On which machines it is installed; empty where on all."""
    wanted_by: tuple[str, ...]
    """The packages that depend on it, `imi-exchange` among them when it does."""


def read(lock: Path) -> list[Locked]:
    """Return the packages of a lock, in its order. Raises `ValueError` for a line that is none of a lock's."""
    packages = list[Locked]()
    for line in lock.read_text().splitlines():
        if found := _PACKAGE.match(line):
            packages.append(Locked(normal(found["name"]), found["version"], found["marker"] or "", ()))
        elif packages and (via := _VIA.match(line)):
            last = packages[-1]
            wanted_by = (*last.wanted_by, normal(via["name"] or via["only"]))
            packages[-1] = Locked(last.name, last.version, last.marker, wanted_by)
        elif line and not line.startswith(("#", "    ")):
            raise ValueError(f"{lock}: not a line of a lock: {line}")
    return packages


def normal(name: str) -> str:
    """Return a name as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()
