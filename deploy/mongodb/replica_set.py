"""Found the replica set of one, and give each service a user that may read and write its own database alone.

`docker compose up` runs this each time, next to mongod: MongoDB takes its first user only from its own
machine ("localhost exception"), so this container shares mongod's network. Doing it again changes nothing,
except passwords that have changed.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

PASSWORDS: Final = Path("/run/secrets/passwords.json")
SET: Final = {"_id": "exchange", "members": [{"_id": 0, "host": "mongodb:27017"}]}
TRIES: Final = 120
UNAUTHORIZED: Final = 13
ALREADY_INITIALIZED: Final = 23
USER_ALREADY_EXISTS: Final = 51003

Client = MongoClient[dict[str, Any]]


def client(user: str | None = None, password: str | None = None) -> Client:
    """Return a client of this one server, whatever set it belongs to."""
    return MongoClient(
        "127.0.0.1", directConnection=True, serverSelectionTimeoutMS=5_000, username=user, password=password
    )


def found_set(anyone: Client) -> None:
    """Found the set, unless it was, and wait for at most a minute until it takes writes."""
    attempt(anyone, {"replSetInitiate": SET}, but=(UNAUTHORIZED, ALREADY_INITIALIZED))
    for _ in range(TRIES):
        if takes_writes(anyone):
            return
        time.sleep(0.5)
    sys.exit("the replica set does not take writes")


def takes_writes(anyone: Client) -> bool:
    """Say whether the server is its set's primary; not, when it does not answer."""
    try:
        return bool(anyone.admin.command("hello")["isWritablePrimary"])
    except PyMongoError:
        return False


def create_root(anyone: Client, password: str) -> None:
    """Create the administrator, unless there is a user already."""
    command = {"createUser": "root", "pwd": password, "roles": ["root"]}
    attempt(anyone, command, but=(UNAUTHORIZED, USER_ALREADY_EXISTS))


def attempt(anyone: Client, command: dict[str, Any], but: tuple[int, ...]) -> None:
    """Do what an earlier run may have done: the codes in `but` say so. Raises `OperationFailure`."""
    try:
        anyone.admin.command(command)
    except OperationFailure as failure:
        if failure.code not in but:
            raise


def set_user(root: Client, service: str, password: str) -> None:
    """Create or change the user of a service, in the service's database."""
    known = root[service].command("usersInfo", service)["users"]
    command = "updateUser" if known else "createUser"
    root[service].command(command, service, pwd=password, roles=["readWrite"])


def main() -> None:
    """Do all of it. Raises `PyMongoError` when MongoDB refuses or does not answer."""
    passwords: dict[str, str] = json.loads(PASSWORDS.read_text())
    root_password = passwords.pop("root")
    with client() as anyone:
        found_set(anyone)
        create_root(anyone, root_password)
    with client("root", root_password) as root:
        for service, password in passwords.items():
            set_user(root, service, password)


if __name__ == "__main__":
    main()
