"""Debian's packages, for programs that are missing here."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.compose.command import CommandError, run, say


def install(packages: Mapping[str, str]) -> None:
    """Install the packages of those programs (the keys) that are missing. Raises `CommandError`."""
    missing = [package for program, package in packages.items() if shutil.which(program) is None]
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise CommandError(f"only root on Debian can install {' '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    with nothing_started():
        try:
            apt("install", "--no-install-recommends", *missing)
        except CommandError:
            apt("update")
            apt("install", "--no-install-recommends", *missing)


def apt(*words: str) -> None:
    """Run apt-get without questions; wait for another one that runs. Raises `CommandError`."""
    options = ("-qq", "-o", "DPkg::Lock::Timeout=300")
    run("apt-get", *options, *words, environment={"DEBIAN_FRONTEND": "noninteractive"})


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
