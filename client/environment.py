"""The environment of `imi`: what a file holds counts as if it stood there, as it does for the services."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

_PREFIX: Final = "IMI_"
_SUFFIX: Final = "_FILE"


def read_files(environment: MutableMapping[str, str]) -> None:
    """Set IMI_X to what the file that IMI_X_FILE names holds. Raises `OSError` when it cannot be read."""
    named = {name: path for name, path in environment.items() if name.startswith(_PREFIX) and name.endswith(_SUFFIX)}
    for name, path in named.items():
        environment[name.removesuffix(_SUFFIX)] = Path(path).read_text().strip()
