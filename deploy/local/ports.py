"""Ports on loopback that two runs at once never share."""

import json
import random
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from deploy.local.waiting import until

# Below those which Linux gives to outgoing connections (from 32768): none takes a port between two starts.
RANGE = range(18_000, 32_000)


class Ports:
    """Numbers by name, held until `close`; the folder remembers them for the next run."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        """Take the folder's ports, or choose some; raises TimeoutError when another run has the folder."""
        self._held = ExitStack()
        self._numbers: dict[str, int] = {}
        file = folder / "ports.json"
        remembered: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        for name in names:
            self._numbers[name] = self._take(remembered[name]) if name in remembered else self._choose()
        file.write_text(json.dumps(remembered | self._numbers))

    def __getitem__(self, name: str) -> int:
        return self._numbers[name]

    def close(self) -> None:
        """Give the ports back."""
        self._held.close()

    def _take(self, port: int) -> int:
        try:
            # A run that has just been killed may need a moment to be gone.
            until(lambda: self._hold(port), f"port {port} is in use", within=10)
        except TimeoutError:
            self.close()
            raise
        return port

    def _choose(self) -> int:
        return next(port for port in random.sample(RANGE, len(RANGE)) if self._hold(port))

    def _hold(self, port: int) -> bool:
        """Hold the port against our other runs, by a name that the kernel frees with the process."""
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0imi-exchange-port-{port}")
            with socket.create_server(("127.0.0.1", port)):
                pass
        except OSError:
            mark.close()
            return False
        self._held.callback(mark.close)
        return True
