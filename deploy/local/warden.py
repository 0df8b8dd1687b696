"""Run a program in a group of its own, and end the whole group with the program or with whoever asked for it.

    python warden.py LOG COMMAND...

Prints the program's process id. The asker holds the other end of standard input: when that closes, even
because the asker was killed, everything is killed. A parent-death signal would not do: it fires when the
asking *thread* ends.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


def run(log: Path, command: list[str]) -> None:
    """Run the command to its end."""
    os.setsid()
    try:
        with log.open("ab") as output:
            program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        threading.Thread(target=end_with_asker, daemon=True).start()
        print(program.pid, flush=True)
        program.wait()
    finally:
        end_group()


def end_with_asker() -> None:
    """Wait for the asker to go."""
    sys.stdin.buffer.read()
    end_group()


def end_group() -> None:
    """Kill what is left, and ourselves."""
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
