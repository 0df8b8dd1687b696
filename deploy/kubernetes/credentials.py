"""Make the Secrets of an exchange on Kubernetes: each part gets its own, and no other.

    python -m deploy.kubernetes.credentials kept --smtp-url smtps://user:password@mail.example | kubectl apply -f -

The folder `kept` remembers the passwords, readable by its owner alone: keep it where other passwords are kept. Running
this again changes none, makes those that are missing, and writes the rest as this version wants them. Whoever has a
store of secrets puts the same names and keys there instead.

`--tls` writes addresses that are encrypted, for overlays with the component `tls`.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contracts.topology import OPERATOR, SERVICES, VHOST
from deploy.compose.credentials import ADMINISTRATOR, Passwords, kept_passwords, key

NAMESPACE: Final = "imi"
MEMBERS: Final = ("mongodb-0.mongodb", "mongodb-1.mongodb", "mongodb-2.mongodb")
ACCOUNTS: Final = (*SERVICES, "provisioner", OPERATOR)
MONGODB_PORT: Final = 27017

Files = Mapping[str, str]


@dataclass(frozen=True)
class Wanted:
    """What differs between installations."""

    smtp_url: str
    tls: bool = False
    members: int = len(MEMBERS)


def secrets(passwords: Passwords, wanted: Wanted) -> dict[str, Files]:
    """Return each Secret's files. `passwords` has one for each of `deploy.compose.credentials.NAMES`."""
    broker = {name: passwords[f"broker/{name}"] for name in (*ACCOUNTS, ADMINISTRATOR)}
    backups = [f"backup-{name}" for name in SERVICES]
    database = {name: passwords[f"database/{name}"] for name in ("root", *SERVICES, *backups)}
    administered = {"management_url": management_url(broker[ADMINISTRATOR], wanted)}
    files: dict[str, dict[str, str]] = {
        name: {"amqp_url": amqp_url(name, broker[name], wanted)} for name in (*SERVICES, "provisioner")
    }
    for name in SERVICES:
        files[name]["mongo_url"] = mongo_url(name, database[name], wanted)
        files[f"backup-{name}"] = {
            "mongo_url": mongo_url(name, database[f"backup-{name}"], wanted, user="backup"),
            "backup_key": key(passwords[f"keys/backup-{name}"]),
        }
    files["provisioner"] |= administered
    files["casework"]["root_keys"] = key(passwords["keys/root"])
    files["notifier"]["smtp_url"] = wanted.smtp_url
    member = {"key": passwords["database/key"]}
    return {
        **{f"{name}-credentials": of for name, of in files.items()},
        "rabbitmq-administrator": administrator(broker[ADMINISTRATOR]),
        "topology-credentials": {name: broker[name] for name in ACCOUNTS} | administered,
        "mongodb-credentials": member,
        "mongodb-users-credentials": {"passwords.json": json.dumps(database)} | member,
    }


def amqp_url(name: str, password: str, wanted: Wanted) -> str:
    """Return the broker's address for a service's own account."""
    scheme, port = ("amqps", 5671) if wanted.tls else ("amqp", 5672)
    return f"{scheme}://service.{name}:{password}@rabbitmq:{port}/{VHOST}"


def management_url(password: str, wanted: Wanted) -> str:
    """Return the address of the broker's management API, for its administrator."""
    scheme, port = ("https", 15671) if wanted.tls else ("http", 15672)
    return f"{scheme}://{ADMINISTRATOR}:{password}@rabbitmq:{port}"


def mongo_url(service: str, password: str, wanted: Wanted, user: str | None = None) -> str:
    """Return the address of a service's own database, which also knows its user: the service, or another."""
    hosts = ",".join(f"{member}:{MONGODB_PORT}" for member in MEMBERS[: wanted.members])
    tls = "&tls=true" if wanted.tls else ""
    return f"mongodb://{user or service}:{password}@{hosts}/?authSource={service}&replicaSet=exchange{tls}"


def administrator(password: str) -> Files:
    """Return the account that the broker's operator gives the broker, in the three forms that it wants."""
    lines = f"default_user = {ADMINISTRATOR}\ndefault_pass = {password}\n"
    return {"username": ADMINISTRATOR, "password": password, "default_user.conf": lines}


def manifest(files: Mapping[str, Files]) -> dict[str, Any]:
    """Return the Secrets as one object that `kubectl apply` takes."""
    items = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "imi"}},
            "type": "Opaque",
            "stringData": dict(of),
        }
        for name, of in files.items()
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def main(arguments: Sequence[str]) -> None:
    """Print the Secrets."""
    options = _options(arguments)
    options.kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = Wanted(options.smtp_url, tls=options.tls, members=options.members)
    json.dump(manifest(secrets(kept_passwords(options.kept), wanted)), sys.stdout, indent=2)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.kubernetes.credentials", description=__doc__)
    parser.add_argument("kept", type=Path, help="a folder that remembers the passwords")
    parser.add_argument("--smtp-url", required=True, help="smtp://[user:password@]host[:port], or smtps://")
    parser.add_argument("--tls", action="store_true", help="for overlays with the component `tls`")
    parser.add_argument("--members", type=int, choices=(1, 3), default=3, help="of the replica set")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
