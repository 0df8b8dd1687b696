"""Where the services' time goes: py-spy, when it is on the PATH, samples them while the load is measured."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

_SAMPLES_PER_SECOND: Final = 100
_PROFILED: Final = ("casework", "translation", "notifier", "load")


def installed() -> bool:
    """Say whether there is a py-spy to be had."""
    return shutil.which("py-spy") is not None


@contextmanager
def profiling(pids: Mapping[str, int], seconds: float, prefix: Path) -> Iterator[None]:
    """Write the collapsed stacks of each process to `<prefix>-<name>.txt`. Nothing samples once the block ends."""
    with ExitStack() as stack:
        for name in _PROFILED:
            if name in pids:
                stack.enter_context(_sampling(pids[name], seconds, prefix.with_name(f"{prefix.name}-{name}.txt")))
        yield


@contextmanager
def _sampling(pid: int, seconds: float, output: Path) -> Iterator[None]:
    options = {
        "--pid": pid,
        "--duration": max(1, round(seconds) - 1),
        "--rate": _SAMPLES_PER_SECOND,
        "--format": "raw",
        "--output": output,
    }
    command = ["py-spy", "record", "--nonblocking", *(str(part) for option in options.items() for part in option)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
            process.wait(10)
        finally:
            process.kill()
