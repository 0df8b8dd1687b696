"""The environment of `imi`: files that it names, and whom to trust, count as they do for the services."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from contracts.addresses import trusting

_PREFIX: Final = "IMI_"
_SUFFIX: Final = "_FILE"
ADDRESSES: Final = ("IMI_URL", "IMI_MANAGEMENT_URL", "IMI_REPLICAS", "IMI_PROMETHEUS_URL")
DATABASE: Final = "IMI_MONGO_URL"


def read_files(environment: MutableMapping[str, str]) -> None:
    """Set IMI_X to what the file that IMI_X_FILE names holds. Raises `OSError` when it cannot be read."""
    named = {name: path for name, path in environment.items() if name.startswith(_PREFIX) and name.endswith(_SUFFIX)}
    for name, path in named.items():
        environment[name.removesuffix(_SUFFIX)] = Path(path).read_text().strip()


def trust(environment: MutableMapping[str, str]) -> None:
    """Where IMI_CA names a file of authorities, trust nobody whose certificate none of them signed.

    Raises `ValueError` when an address is not encrypted.
    """
    ca = environment.get("IMI_CA")
    if ca is None:
        return
    for name in ADDRESSES:
        for url in filter(None, environment.get(name, "").split(",")):
            trusting(url, ca)
    if database := environment.get(DATABASE):
        # Its scheme is the same in the clear: the address itself has to say that it is not.
        environment[DATABASE] = trusting(database, ca)
    # Whatever verifies by the list of this machine looks there instead.
    environment["SSL_CERT_FILE"] = ca
