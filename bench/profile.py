"""Where the services' time goes: py-spy samples them while the load is measured."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

_PROGRAM: Final = Path(sys.executable).parent / "py-spy"
_SAMPLES_PER_SECOND: Final = 100
_PROFILED: Final = ("casework", "translation", "notifier", "load")


def installed() -> bool:
    """Say whether there is a py-spy to be had."""
    return _PROGRAM.exists()


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
    command = [str(_PROGRAM), "record", "--nonblocking", *(str(part) for option in options.items() for part in option)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
            process.wait(10)
        finally:
            process.kill()
