"""Each image holds what its processes import: our own modules by its recipe, everybody else's by its lock."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tools.locks import IMAGES, LOCKS, ROOT, normal, read

STARTED = {
    **{f"imi-{name}": [f"services.{name}.app"] for name in ("casework", "translation", "notifier")},
    "imi-registry": ["services.registry.app", "services.registry.provisioner"],
    "imi-client": ["client.__main__", "deploy.mongodb.replica_set"],
}
"""What is run in each image: by its recipe, by compose, on Kubernetes."""
OURS = {"contracts", "services", "client", "deploy", "legislation", "tools", "demo", "bench", "tests"}
DISTRIBUTIONS = packages_distributions()


@pytest.mark.parametrize("image", list(IMAGES))
def test_every_module_that_is_imported_is_in_the_image(image: str) -> None:
    """From what is started there, over all that it imports, at the top or later."""
    copied = set(re.findall(r"^COPY (\S+) \S+$", (IMAGES[image] / "Dockerfile").read_text(), re.MULTILINE))
    files = reached(STARTED[image])
    assert files
    outside = {file for file in files if not any(file == part or file.startswith(f"{part}/") for part in copied)}
    assert not outside


@pytest.mark.parametrize("image", list(IMAGES))
def test_every_package_that_is_imported_is_locked_for_the_image(image: str) -> None:
    """Whichever of its modules it is."""
    locked = {one.name for one in read(LOCKS[image])}
    wanted = {
        name for file in reached(STARTED[image]) for name in imported(ROOT / file) if name.split(".")[0] not in OURS
    }
    missing = {name for name in wanted if not is_there(name.split(".")[0], locked)}
    assert not missing


@pytest.mark.parametrize("image", list(IMAGES))
def test_what_is_copied_reaches_the_builder(image: str) -> None:
    """Nothing but what is let through by .dockerignore does."""
    let_through = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = re.findall(r"^COPY (\S+) \S+$", (IMAGES[image] / "Dockerfile").read_text(), re.MULTILINE)
    assert all(any(source == part or source.startswith(f"{part}/") for part in let_through) for source in copied)


def is_there(package: str, locked: set[str]) -> bool:
    if package in sys.stdlib_module_names:
        return True
    return bool({normal(name) for name in DISTRIBUTIONS.get(package, [])} & locked)


def reached(started: list[str]) -> set[str]:
    """The files of our own that are imported, with the packages that they lie in, from the repository's root."""
    found, todo = set[str](), list(started)
    while todo:
        for file in files_of(todo.pop()):
            if file not in found:
                found.add(file)
                todo += [name for name in imported(ROOT / file) if name.split(".")[0] in OURS]
    return found


def files_of(module: str) -> Iterator[str]:
    """Its own file, or none when it is a name in one, and those of the packages around it."""
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        for file in (Path(*parts[:end], "__init__.py"), Path(*parts[:end]).with_suffix(".py")):
            if (ROOT / file).is_file():
                yield str(file)


@cache
def imported(file: Path) -> frozenset[str]:
    """All names of modules, and of what is taken from them, which may be modules too."""
    names = set[str]()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            assert node.module
            names |= {node.module} | {f"{node.module}.{one.name}" for one in node.names}
    return frozenset(names)
