"""Found the replica set, and give each service a user that may read and write its own database alone.

Whoever makes backups has a user in each database that was given a password for it (`backup-casework`), and may read it.

MongoDB takes its first user only from its own machine ("localhost exception"). `docker compose up` runs this next to
mongod, in a container that shares mongod's network. On Kubernetes it runs elsewhere, and comes in by the key that the
members of the set prove themselves with (IMI_KEY_FILE). Doing it again changes nothing, except passwords that have
changed.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

NAME: Final = "exchange"
BACKUP: Final = "backup-"
TRIES: Final = 120
UNAUTHORIZED: Final = 13
ALREADY_INITIALIZED: Final = 23
NODE_NOT_FOUND: Final = 74
"""A member is not there yet."""
USER_ALREADY_EXISTS: Final = 51003

Client = MongoClient[dict[str, Any]]


@dataclass(frozen=True)
class ReplicaSet:
    """Where the members are, and how to come in before there is a user."""

    members: tuple[str, ...]
    key: str | None = field(default=None, repr=False)
    """What the members have in common; without it this must run where the only member runs."""
    ca: str | None = None
    """The file of the authority that signed the members' certificates; without it there is no TLS."""

    @classmethod
    def told(cls, environment: Mapping[str, str]) -> Self:
        """Read IMI_MEMBERS, IMI_KEY_FILE and IMI_CA."""
        key = environment.get("IMI_KEY_FILE")
        members = environment.get("IMI_MEMBERS", "mongodb:27017").split(",")
        return cls(tuple(members), Path(key).read_text().strip() if key else None, environment.get("IMI_CA"))

    def first(self) -> Client:
        """Return a client of the first member alone, whatever set it belongs to."""
        return self._client([self.members[0]] if self.key else ["127.0.0.1"], directConnection=True, **self._member())

    def founder(self) -> Client:
        """Return a client of the member that takes writes, with all rights until there is a user."""
        return self._client(self.members, replicaSet=NAME, **self._member()) if self.key else self.first()

    def root(self, password: str) -> Client:
        """Return the administrator's client of the member that takes writes."""
        login: dict[str, Any] = {"username": "root", "password": password}
        if self.key:
            return self._client(self.members, replicaSet=NAME, **login)
        return self._client(["127.0.0.1"], directConnection=True, **login)

    def _member(self) -> dict[str, Any]:
        """Log in as the members do among themselves."""
        if not self.key:
            return {}
        login = {"username": "__system", "password": self.key, "authSource": "local"}
        return login | {"authMechanism": "SCRAM-SHA-256"}

    def _client(self, hosts: list[str] | tuple[str, ...], **options: Any) -> Client:
        if self.ca:
            options |= {"tls": True, "tlsCAFile": self.ca}
        return MongoClient(list(hosts), serverSelectionTimeoutMS=5_000, **options)


def found(members: ReplicaSet) -> None:
    """Found the set, unless it was, and wait for a while until it takes writes."""
    config = {"_id": NAME, "members": [{"_id": n, "host": host} for n, host in enumerate(members.members)]}
    with members.first() as first, members.founder() as founder:
        for _ in range(TRIES):
            attempt(first, {"replSetInitiate": config}, but=(UNAUTHORIZED, ALREADY_INITIALIZED, NODE_NOT_FOUND))
            if takes_writes(founder):
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


def set_user(root: Client, name: str, password: str) -> None:
    """Create or change the user of a service in the service's database, or that of its backups."""
    backs_up = name.startswith(BACKUP)
    database = root[name.removeprefix(BACKUP)]
    user, role = (BACKUP.rstrip("-"), "read") if backs_up else (name, "readWrite")
    command = "updateUser" if database.command("usersInfo", user)["users"] else "createUser"
    database.command(command, user, pwd=password, roles=[role])


def prepare(members: ReplicaSet, passwords: Mapping[str, str]) -> None:
    """Do all of it. Raises `PyMongoError` when MongoDB refuses or does not answer."""
    root_password = passwords["root"]
    found(members)
    with members.founder() as founder:
        create_root(founder, root_password)
    with members.root(root_password) as root:
        for name in passwords.keys() - {"root"}:
            set_user(root, name, passwords[name])


def main() -> None:
    """Do all of it for what the environment names."""
    passwords = json.loads(Path(os.environ.get("IMI_PASSWORDS", "/run/secrets/passwords.json")).read_text())
    prepare(ReplicaSet.told(os.environ), passwords)


if __name__ == "__main__":
    main()
