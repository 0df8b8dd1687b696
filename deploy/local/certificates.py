"""The files by which servers on this machine prove themselves."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """All for 127.0.0.1 and localhost; with them servers speak TLS alone."""

    ca: Path
    """The authority that signed the certificate, and may have signed those of systems."""
    certificate: Path
    key: Path
    both: Path
    """Certificate and key in one file."""
