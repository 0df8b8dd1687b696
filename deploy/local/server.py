"""What can be done to a server, wherever it comes from."""

import signal
from typing import Protocol

from deploy.local.program import Program


class NotOursError(RuntimeError):
    """The server was given by its address: only who started it may stop it."""


class Server(Protocol):
    """A RabbitMQ or a MongoDB. Data and addresses survive all of these, and each returns when done."""

    def kill(self) -> None:
        """End it at once, as a power cut would.

        A quorum queue of RabbitMQ 3.10 that was declared less than half a second before does not come back:
        the node's own name for it is not on the disk yet.
        """

    def stop(self) -> None:
        """End it in good order; it is killed when that takes longer than it may (at most half a minute)."""

    def start(self) -> None:
        """Start it again; returns when it serves logins, raises TimeoutError when it never does."""

    def pause(self) -> None:
        """Freeze it: connections stay open, and nothing answers."""

    def resume(self) -> None:
        """Let it go on after `pause`."""


class OneProgram:
    """The part of a `Server` that is the same for each that is one program."""

    stops_within = 30.0
    """Seconds it may take to end in good order."""

    def __init__(self, program: Program) -> None:
        """`program` is not started yet."""
        self.program = program

    def stop(self) -> None:
        """See `Server`."""
        self.program.stop(self.stops_within)

    def kill(self) -> None:
        """See `Server`."""
        self.program.kill()

    def pause(self) -> None:
        """See `Server`."""
        self.program.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """See `Server`."""
        self.program.signal(signal.SIGCONT)
