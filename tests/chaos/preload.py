"""What `faults.c` does to a process, from here: it is compiled once, and told by two small files how much to do."""

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("faults.c")


class Dial:
    """A number in a file that a process has mapped: it sees what is set at once."""

    def __init__(self, path: Path) -> None:
        """Begin with 0."""
        self.path = path
        path.write_bytes(struct.pack("q", 0))

    def set(self, value: int) -> None:
        """Set it."""
        with self.path.open("r+b") as file:
            file.write(struct.pack("q", value))


def compiled(folder: Path) -> Path | None:
    """Return the library, or nothing where there is no C compiler to make it."""
    compiler, library = shutil.which("cc"), folder / "faults.so"
    if compiler is None:
        return None
    subprocess.run([compiler, "-O2", "-Wall", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library
