"""Wrap the months' keys by the first root key, after a rotation: `python -m services.casework.rewrap`.

The old root key may be taken away once this has ended. Doing it again, or ending it halfway, does no harm.
"""

import sys

from services.casework.keys import KeyFolder
from services.casework.settings import Settings


def main() -> None:
    """Wrap all of them; say how many."""
    settings = Settings.load()
    wrapped = KeyFolder(settings.keys, settings.roots()).rewrap()
    sys.stdout.write(f"{wrapped} keys are wrapped by the first root key\n")


if __name__ == "__main__":
    main()
