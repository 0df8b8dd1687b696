"""Run other programs, and say what is going on."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

BEGAN: Final = time.monotonic()


class CommandError(Exception):
    """A program failed, could not be run, or took too long; says which, and the end of what it printed."""


def run(*command: str | Path, environment: Mapping[str, str] | None = None, feed: str = "", within: float = 600) -> str:
    """Run a program to its end and return what it printed, its errors excepted.

    `environment` is added to ours, `feed` is its input, `within` are seconds. Raises `CommandError`.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(  # noqa: S603 - a list of our own words, and no shell
            words,
            env=os.environ | dict(environment or {}),
            input=feed,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"{words[0]}: {error}") from error
    if done.returncode:
        raise CommandError(f"{' '.join(words[:6])} ended with {done.returncode}:\n{last(done.stdout + done.stderr)}")
    return done.stdout


def last(text: str) -> str:
    """Return the last lines."""
    return "\n".join(text.splitlines()[-30:])


def seconds() -> int:
    """Return how long we have been at work."""
    return round(time.monotonic() - BEGAN)


def say(text: str) -> None:
    """Print at once, with the seconds since the beginning."""
    sys.stdout.write(f"{seconds():4} s  {text}\n")
    sys.stdout.flush()
