"""What the processes of an exchange use, as the kernel counts it (proc(5))."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_PROC: Final = Path("/proc")
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_PROGRAMS: Final = {"beam.smp": "rabbitmq", "mongod": "mongodb", "flow": "flow"}


@dataclass(frozen=True)
class Usage:
    """Seconds of processor and bytes of memory, by process."""

    cpu: Mapping[str, float]
    rss: Mapping[str, int]

    @classmethod
    def now(cls, pids: Mapping[str, int]) -> Self:
        """Look at processes by name. One that has ended is left out."""
        cpu, rss = {}, {}
        for name, pid in pids.items():
            if fields := _stat(pid):
                cpu[name] = (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
                rss[name] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        return cls(cpu, rss)

    def cpu_ms_per(self, before: Self, things: int) -> dict[str, float]:
        """Return how many milliseconds of processor each of so many things took since `before`."""
        used = {name: self.cpu[name] - before.cpu[name] for name in self.cpu if name in before.cpu}
        return {name: round(1000 * seconds / max(things, 1), 3) for name, seconds in used.items()}


def peaks(pids: Mapping[str, int]) -> dict[str, int]:
    """Return the most bytes of memory that each of these processes ever had. One that has ended is left out."""
    found = {name: _PEAK.search(_read(pid, "status")) for name, pid in pids.items()}
    return {name: int(peak[1]) * 1024 for name, peak in found.items() if peak}


def programs() -> dict[str, int]:
    """Return the process ids of the programs that run under this process's children, by what they are."""
    parents = {pid: int(fields[1]) for pid, fields in _processes()}
    ours = os.getpid()
    named = {pid: _name(pid) for pid, parent in parents.items() if parents.get(parent) == ours}
    return {name: pid for pid, name in named.items() if name}


def _processes() -> Iterator[tuple[int, list[str]]]:
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            yield int(folder.name), fields


def _stat(pid: int) -> list[str]:
    """Return what follows the name, which may have blanks in it: state, parent, ..."""
    stat = _read(pid, "stat")
    return stat.rsplit(")", 1)[1].split() if stat else []


def _read(pid: int, name: str) -> str:
    """Return what the kernel says of a process; nothing once it has ended."""
    try:
        return (_PROC / str(pid) / name).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _name(pid: int) -> str | None:
    command = (_PROC / str(pid) / "cmdline").read_text().split("\0")
    server = _PROGRAMS.get(Path(command[0]).name)
    if server or "-m" not in command:
        return server
    *_, package, module = command[command.index("-m") + 1].split(".")
    return package if module == "app" else module.removeprefix("naive_")
