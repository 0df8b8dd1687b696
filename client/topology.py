"""Apply the topology to a broker. The data is in `contracts.topology`; the only tool that applies it is here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from client.account import password_hash
from client.remaking import remake
from contracts.topology import OPERATOR, SERVICES, Definitions, exchange_topology, system_topology
from services.chassis.management import Management

ACCOUNTS = (*SERVICES, "provisioner", OPERATOR)


def read_hashes(folder: Path) -> dict[str, str]:
    """Return a salted hash for each account, of the password in the file that is named after it."""
    return {name: password_hash((folder / name).read_text().strip()) for name in ACCOUNTS}


def definitions(hashes: Mapping[str, str]) -> Definitions:
    """Return everything that a new exchange begins with: the services, and the operator as the only system."""
    whole, operator = exchange_topology(hashes), system_topology(OPERATOR, hashes[OPERATOR])
    return {kind: whole.get(kind, []) + operator.get(kind, []) for kind in whole | operator}


async def apply(url: str, wanted: Definitions) -> None:
    """Make what is missing. `url` holds the administrator's name and password. Raises as `Management.apply`."""
    management = Management(url)
    try:
        await management.apply(wanted)
    finally:
        await management.close()


async def repair(
    url: str, wanted: Definitions, remade: Sequence[str] = (), *, running_too: bool = False, dry: bool = False
) -> list[str]:
    """Make what is missing, and these broken queues again; return the broken ones that are left. As `remake`.

    A `dry` one only looks.
    """
    management = Management(url)
    try:
        broken = await remake(management, remade, wanted, running_too=running_too, dry=dry)
        if not dry:
            await management.apply(wanted)
    finally:
        await management.close()
    return broken
