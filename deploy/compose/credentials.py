"""Make every password of the containers, once, and hand each container its own and no other.

`docker compose up` runs this before anything else, in a container without a network. Each container has a
volume of its own; here they are all mounted under /credentials. The volume `kept` remembers the passwords:
running this again changes none, makes those that are missing, and writes the rest (addresses, the broker's
definitions) as this version wants them.

`docker compose run --rm credentials operator` prints the operator's password, and `credentials administrator` that of
the broker's administrator; the container `imi` has both. With IMI_TLS in the environment, as
docker-compose.tls.yml sets it, all addresses are encrypted ones.
"""

import base64
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from contracts.topology import OPERATOR, SERVICES, VHOST, Definitions, exchange_topology, system_topology

FOLDER: Final = Path("/credentials")
ADMINISTRATOR: Final = "administrator"
"""The broker's administrator: the provisioner's management API account, which reads and writes no message."""
MONGODB_UID: Final = 999
"""Who runs mongod in its image; mongod takes a key that nobody else can read."""

Passwords = dict[str, str]
Files = dict[str, str]

_BROKER: Final = (*SERVICES, "provisioner")
NAMES: Final = (
    *(f"broker/{name}" for name in (*_BROKER, ADMINISTRATOR, OPERATOR)),
    *(f"database/{name}" for name in ("root", *SERVICES)),
    *(f"{kind}/backup-{name}" for kind in ("database", "keys") for name in SERVICES),
    "database/key",
    "mail/notifier",
    "keys/root",
)
"""Of passwords, and of what keys are derived from. Backups have accounts of their own on Kubernetes alone."""


def credentials(passwords: Passwords, *, tls: bool = False) -> dict[str, Files]:
    """Return each volume's files. `passwords` has one for each of `NAMES`."""
    users = {name: passwords[f"database/{name}"] for name in ("root", *SERVICES)}
    mail = passwords["mail/notifier"]
    files: dict[str, Files] = {
        "rabbitmq": {"definitions.json": json.dumps(definitions(passwords))},
        "mongodb": {"key": passwords["database/key"]},
        "mongodb-users": {"passwords.json": json.dumps(users)},
        "mailpit": {"users": f"notifier:{mail}\n"},
        "provisioner": {"management_url": management_url(passwords[f"broker/{ADMINISTRATOR}"], tls=tls)},
        **{name: {"mongo_url": mongo_url(name, users[name], tls=tls)} for name in SERVICES},
    }
    for name in _BROKER:
        files[name]["amqp_url"] = amqp_url(f"service.{name}", passwords[f"broker/{name}"], tls=tls)
    files["casework"]["root_keys"] = key(passwords["keys/root"])
    files["notifier"]["smtp_url"] = f"{'smtps' if tls else 'smtp'}://notifier:{mail}@mailpit:1025"
    files["imi"] = operators(passwords, files, tls=tls)
    return files


def operators(passwords: Passwords, files: Mapping[str, Files], *, tls: bool = False) -> Files:
    """Return what `imi` is given: each account as `imi topology apply` wants it, the databases, the backups' keys."""
    return {
        **{name: passwords[f"broker/{name}"] for name in (*_BROKER, OPERATOR)},
        "amqp_url": amqp_url(OPERATOR, passwords[f"broker/{OPERATOR}"], tls=tls),
        "management_url": files["provisioner"]["management_url"],
        **{f"{name}_mongo_url": files[name]["mongo_url"] for name in SERVICES},
        **{f"{name}_backup_key": key(passwords[f"keys/backup-{name}"]) for name in SERVICES},
    }


def key(word: str) -> str:
    """Return 32 bytes in base64."""
    return base64.b64encode(hashlib.sha256(word.encode()).digest()).decode()


def amqp_url(account: str, password: str, *, tls: bool = False) -> str:
    """Return the broker's address for an account."""
    scheme, port = ("amqps", 5671) if tls else ("amqp", 5672)
    return f"{scheme}://{account}:{password}@rabbitmq:{port}/{VHOST}"


def mongo_url(service: str, password: str, *, tls: bool = False) -> str:
    """Return the address of a service's own database, which also knows its user."""
    encrypted = "&tls=true" if tls else ""
    return f"mongodb://{service}:{password}@mongodb:27017/?authSource={service}&replicaSet=exchange{encrypted}"


def management_url(password: str, *, tls: bool = False) -> str:
    """Return the address of the broker's management API, for its administrator."""
    scheme, port = ("https", 15671) if tls else ("http", 15672)
    return f"{scheme}://{ADMINISTRATOR}:{password}@rabbitmq:{port}"


def definitions(passwords: Passwords) -> Definitions:
    """Return all that the broker starts with: the exchange, the operator's system and the administrator."""
    names = (*_BROKER, ADMINISTRATOR, OPERATOR)
    hashes = {name: password_hash(passwords[f"broker/{name}"]) for name in names}
    exchange = exchange_topology(hashes)
    operator = system_topology(OPERATOR, hashes[OPERATOR])
    both = {kind: exchange.get(kind, []) + operator.get(kind, []) for kind in exchange | operator}
    administrator = {"name": ADMINISTRATOR, "password_hash": hashes[ADMINISTRATOR], "tags": "administrator"}
    both["users"].append(administrator)
    return both


def password_hash(password: str) -> str:
    """Return RabbitMQ's salted hash: base64 of the salt and SHA-256 of salt and password."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def kept_passwords(folder: Path) -> Passwords:
    """Return the passwords that `folder` remembers, and make those that it does not know."""
    file = folder / "passwords.json"
    passwords: Passwords = json.loads(file.read_text()) if file.exists() else {}
    missing = [name for name in NAMES if name not in passwords]
    if missing:
        passwords |= {name: secrets.token_hex(24) for name in missing}
        write(file, json.dumps(passwords), 0o400)
    return passwords


def write(file: Path, text: str, mode: int, owner: int | None = None) -> None:
    """Write a file as a whole or not at all."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    new.chmod(mode)
    if owner is not None:
        os.chown(new, owner, owner)
    new.rename(file)


def hand_out(folder: Path) -> None:
    """Write every volume's files. Only its one container has the volume, read-only. mongod is choosy."""
    tls = bool(os.environ.get("IMI_TLS"))
    for volume, files in credentials(kept_passwords(folder / "kept"), tls=tls).items():
        for name, text in files.items():
            if volume == "mongodb":
                write(folder / volume / name, text, 0o400, MONGODB_UID)
            else:
                write(folder / volume / name, text, 0o444)


def main(arguments: list[str]) -> None:
    """Make and hand out, or print the operator's password, or the administrator's."""
    if arguments in ([OPERATOR], [ADMINISTRATOR]):
        sys.stdout.write(kept_passwords(FOLDER / "kept")[f"broker/{arguments[0]}"] + "\n")
    else:
        hand_out(FOLDER)


if __name__ == "__main__":
    main(sys.argv[1:])
