"""Turn fresh mongods into a replica set with an administrator; may be done again without harm."""

from collections.abc import Callable
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.addresses import Addresses, Credentials
from deploy.local.waiting import until

UNAUTHORIZED = 13


def make_replica_set(addresses: Addresses, check: Callable[[], None], admin: Credentials | None = None) -> None:
    """Make it, and wait until it takes writes; `check` raises when the server has died.

    `admin` is for a server that has users already; one without lets callers from its own machine do it
    (MongoDB's "localhost exception"). Raises TimeoutError after a minute.
    """
    with direct(addresses, admin) as client:

        def ready() -> bool:
            check()
            return takes_writes(client) or (initiate(client, addresses) and False)

        until(ready, "MongoDB becomes a replica set")


def direct(addresses: Addresses, user: Credentials | None = None) -> MongoClient[dict[str, Any]]:
    """A client for this one server, whatever set it belongs to; of several, the first."""
    return MongoClient(
        addresses.mongo_host_port.split(",")[0],
        directConnection=True,
        serverSelectionTimeoutMS=500,
        username=user.name if user else None,
        password=user.password if user else None,
        tls=addresses.ca is not None,
        tlsCAFile=str(addresses.ca) if addresses.ca else None,
    )


def takes_writes(client: MongoClient[dict[str, Any]]) -> bool:
    """Tell whether the server is its set's primary; not, when it does not answer."""
    try:
        return bool(client.admin.command("hello")["isWritablePrimary"])
    except PyMongoError:
        return False


def initiate(client: MongoClient[dict[str, Any]], addresses: Addresses) -> bool:
    """Found the set, if the server answers and has none; returns whether it did."""
    members = [{"_id": number, "host": host} for number, host in enumerate(addresses.mongo_host_port.split(","))]
    try:
        client.admin.command("replSetInitiate", {"_id": addresses.replica_set, "members": members})
    except PyMongoError:
        return False
    return True


def create_admin(addresses: Addresses) -> None:
    """Create the administrator; MongoDB lets this be done without a login while there is no user."""
    admin = addresses.mongo_admin
    with direct(addresses, None) as client:
        try:
            client.admin.command("createUser", admin.name, pwd=admin.password, roles=["root"])
        except OperationFailure as failure:
            if failure.code != UNAUTHORIZED:
                raise


def is_primary(addresses: Addresses) -> bool:
    """Tell whether the administrator can log in to a server that takes writes."""
    with direct(addresses, addresses.mongo_admin) as client:
        return takes_writes(client)
