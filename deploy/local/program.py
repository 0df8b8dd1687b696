"""A server program of our own, which does not outlive us."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from deploy.local import warden


class Program:
    """A command that is run under a warden; can be started again after it ended."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        """`environment` is added to ours; what the command prints is appended to `log`."""
        self._command = command
        self._log = log
        self._environment = environment or {}
        self._warden: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._warden is not None and self._warden.poll() is None

    def start(self) -> None:
        """Start it; raises RuntimeError when it runs already or the command cannot be run."""
        if self.runs:
            raise RuntimeError(f"{self._command[0]} runs already")
        self._reap()
        command = [sys.executable, "-I", "-S", warden.__file__, str(self._log), *self._command]
        environment = os.environ | self._environment
        self._warden = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._pid = self._read_pid(self._warden)

    def _read_pid(self, started: subprocess.Popen[bytes]) -> int:
        assert started.stdout
        with started.stdout as answer:
            line = answer.readline()
        if not line:
            self._reap()
            raise RuntimeError(f"{self._command[0]} could not be run")
        return int(line)

    def check(self) -> None:
        """Raise RuntimeError, with the end of the log, when it has ended."""
        if not self.runs:
            last = self._log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self._command[0]} ended; see {self._log}:\n{last}")

    def signal(self, number: signal.Signals) -> None:
        """Send the program, not its warden, a signal; nothing happens when it has ended."""
        if self.runs:
            os.kill(self._pid, number)

    def stop(self, within: float = 30) -> None:
        """Ask it to end and wait; kill it after `within` seconds."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            if self._warden:
                self._warden.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reap()

    def kill(self) -> None:
        """Kill it; its warden sees it gone, ports and all, and ends the rest."""
        self.signal(signal.SIGKILL)
        self._reap()

    def _reap(self) -> None:
        """Wait for the warden before its input is closed: closed, it would not wait for the program."""
        if self._warden and self._warden.stdin:
            self._warden.wait()
            self._warden.stdin.close()
        self._warden = None
