"""A replica set of three is founded from elsewhere, as on Kubernetes: real mongods on loopback."""

import base64
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from client import backup
from contracts.topology import SERVICES
from deploy.local.mongodb import mongod
from deploy.local.ports import Ports
from deploy.local.program import Program
from deploy.local.supply import Supply, supply
from deploy.local.waiting import both
from deploy.mongodb.replica_set import NAME, ReplicaSet, prepare

pytestmark = pytest.mark.servers
PASSWORDS = {name: secrets.token_hex(8) for name in ("root", *SERVICES, "backup-casework")}
MEMBERS = ("first", "second", "third")


@pytest.fixture
def members(tmp_path: Path) -> Iterator[ReplicaSet]:
    """Three servers that know nothing of each other but the key."""
    if supply() is not Supply.PROGRAMS:
        pytest.skip("there is no mongod to start three of")
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_bytes(base64.b64encode(secrets.token_bytes(96)))
    with ExitStack() as stack:
        ports = Ports(tmp_path, MEMBERS)
        stack.callback(ports.close)
        programs = [mongod_on(tmp_path, name, ports[name]) for name in MEMBERS]
        stack.callback(both, *(program.kill for program in programs))
        for program in programs:
            program.start()
        yield ReplicaSet(tuple(f"127.0.0.1:{ports[name]}" for name in MEMBERS), key.read_text())


def mongod_on(folder: Path, name: str, port: int) -> Program:
    (folder / name).mkdir()
    options = ["--dbpath", str(folder / name), "--keyFile", str(folder / "key"), "--replSet", NAME, "--port", str(port)]
    small = ["--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"]
    return Program([str(mongod()), *options, *small], folder / f"{name}.log")


def test_three_members_become_a_set_with_a_user_for_each_service(members: ReplicaSet, tmp_path: Path) -> None:
    """By the members' key alone; done again it changes passwords alone; each has its own database, and backups read."""
    with pytest.raises(OperationFailure):
        prepare(replace(members, key="another"), PASSWORDS)
    prepare(members, PASSWORDS)
    changed = PASSWORDS | {"casework": "changed"}
    prepare(members, changed)
    with members.root(changed["root"]) as root:
        states = [member["stateStr"] for member in root.admin.command("replSetGetStatus")["members"]]
        assert len(states) == 3
        assert states.count("PRIMARY") == 1
    login: dict[str, Any] = {"username": "casework", "password": "changed", "authSource": "casework"}
    with client_of(members, **login) as casework:
        casework["casework"]["cases"].insert_one({"_id": 1})
        with pytest.raises(OperationFailure):
            casework["registry"]["authorities"].insert_one({"_id": 1})
    login = {"username": "backup", "password": PASSWORDS["backup-casework"], "authSource": "casework"}
    url = f"mongodb://backup:{login['password']}@{','.join(members.members)}/?authSource=casework&replicaSet={NAME}"
    with backup.connected(url, "casework") as database:
        whole = backup.write(database, "casework", tmp_path / "whole.imi", secrets.token_bytes(32))
    assert (whole.snapshot, whole.counts) == (True, {"cases": 1})
    with client_of(members, **login) as reader:
        for what in (reader["casework"]["cases"].insert_one, reader["registry"]["authorities"].find_one):
            with pytest.raises(OperationFailure):
                what({"_id": 2})
    with client_of(members) as anyone, pytest.raises(OperationFailure):
        anyone["casework"]["cases"].find_one()


def client_of(members: ReplicaSet, **login: Any) -> MongoClient[dict[str, Any]]:
    return MongoClient(list(members.members), replicaSet=NAME, **login)
