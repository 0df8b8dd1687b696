"""A service's database is lost and comes back from an older backup: the exchange heals."""

import asyncio
import json
import os
import subprocess
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from client import backup
from client.sealed import NotReadable, read_key
from contracts.casework import SendRequest
from contracts.topology import OPERATOR
from deploy.local.waiting import until
from tests.acceptance.test_command_line import IMI, imi
from tests.broker.management import depth
from tests.broker.raw import Json, RawSystem, raw_system
from tests.broker.restoring import Sent, mongo, new_key
from tests.world import World

pytestmark = pytest.mark.servers


def operator(world: World, folder: Path, *arguments: str, status: int = 0, **more: str) -> Any:
    """What `imi` tells a program, with all that the operator has, and more of the environment."""
    exchange = world.exchange
    printed = imi(
        *arguments,
        "--json",
        status=status,
        IMI_URL=world.url(OPERATOR),
        IMI_MONGO_URL=exchange.addresses.mongo_url("casework", exchange.passwords["casework"], "casework"),
        IMI_BACKUP_KEY=str(folder / "key"),
        **more,
    )
    return json.loads(printed) if printed.startswith(("{", "[")) else printed


def looking_url(world: World) -> str:
    """Where the broker says how many replicas there are."""
    account = world.exchange.addresses.rabbit_admin
    return world.exchange.addresses.management_url_for(account.name, account.password)


def catches_up(world: World) -> bool:
    """Whether `imi status` knows casework for one that was restored, and its closed lanes for no fault."""
    said = subprocess.run(
        [IMI, "status", "--json"],
        env=os.environ | {"IMI_MANAGEMENT_URL": looking_url(world)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = [finding["text"] for finding in json.loads(said.stdout)["findings"] if "casework" in finding["text"]]
    return any("imi reopen casework" in text for text in told) and not any("consumes" in text for text in told)


def _is(body: Json, case: str, epoch: int, version: int) -> bool:
    found = body.get("case", {})
    return (found.get("id"), found.get("epoch"), found.get("version")) == (case, epoch, version)


def state_of(system: RawSystem, case: str) -> tuple[int, int, str]:
    """A case as its reader has it: of all that came, the newest by epoch and version."""
    bodies = [body["case"] for _, body in system.received if body.get("case", {}).get("id") == case]
    newest = max(bodies, key=lambda one: (one["epoch"], one["version"]))
    return newest["epoch"], newest["version"], newest["state"]["code"]


async def test_casework_is_restored_from_an_older_backup_and_the_exchange_heals(world: World, tmp_path: Path) -> None:
    """What came after the backup is played again from the journal: one outcome each, and readers end right."""
    key, file, sent = new_key(tmp_path), tmp_path / "casework.backup", Sent()
    assert key.exists()
    exchange = world.exchange
    async with (
        raw_system(world.url("de-kammer"), "de-kammer") as germany,
        raw_system(world.url("hu-hivatal"), "hu-hivatal") as hungary,
    ):
        first = (await sent.by(germany, world.request()))["case"]["id"]
        await sent.by(hungary, world.accept(first))
        made = await asyncio.to_thread(operator, world, tmp_path, "backup", "casework", str(file))
        assert made["snapshot"]
        await sent.by(hungary, world.reply(first))
        refused = await sent.by(hungary, world.accept(first))
        assert refused["status"] == "refused"
        second = (await sent.by(germany, world.request()))["case"]["id"]
        await sent.by(hungary, world.accept(second))
        await sent.by(germany, world.close(first))

        await asyncio.to_thread(exchange.stop, *exchange.of("casework"))
        with mongo(exchange) as client:
            client.drop_database("casework")
        late, waiting = str(uuid.uuid4()), str(uuid.uuid4())
        request = world.request().model_dump(mode="json", exclude_none=True)
        await germany.command(SendRequest.TYPE, request, late, expiration="1")
        await asyncio.to_thread(until, lambda: depth(exchange, "casework.expired") == 1, "nothing expires")
        await germany.command(SendRequest.TYPE, request, waiting)
        proven = await asyncio.to_thread(operator, world, tmp_path, "restore", "casework", str(file))
        assert proven == {**made, "epoch": None}
        restored = await asyncio.to_thread(operator, world, tmp_path, "restore", "casework", str(file), "--yes")
        await asyncio.to_thread(exchange.start, "casework")
        await asyncio.to_thread(exchange.wait_until_ready)
        since = (datetime.fromisoformat(made["at"]) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")
        replay = ("journal", "replay", "casework", "--since", since)
        counted = await asyncio.to_thread(operator, world, tmp_path, *replay)
        played = await asyncio.to_thread(operator, world, tmp_path, *replay, "--yes")
        assert played["commands"] == counted["commands"]
        await asyncio.to_thread(until, lambda: catches_up(world), "its replicas are seen to catch up")
        again = ("restore", "casework", str(file), "--yes", "--replace")
        looking = {"IMI_MANAGEMENT_URL": looking_url(world)}
        assert "stop them first" in await asyncio.to_thread(operator, world, tmp_path, *again, status=1, **looking)
        assert await asyncio.to_thread(operator, world, tmp_path, "reopen", "casework", "--yes") == {"reopened": True}

        assert (await germany.outcome(waiting))["status"] == "done"
        assert (await germany.outcome(late))["refused"]["code"] == "expired"
        await sent.by(hungary, world.reply(second))
        epoch = restored["epoch"]
        await germany.receive(lambda _, body: _is(body, second, epoch, 3))
        await hungary.receive(lambda _, body: _is(body, first, epoch, 4))
        assert state_of(hungary, first) == (epoch, 4, "closed")
        told = await asyncio.to_thread(operator, world, tmp_path, "cases", "republish", "--since", since, "--yes")
        assert told["cases"] >= 3
        await germany.receive(lambda _, body: body["kind"] == "case" and _is(body, first, epoch, 4))
        assert state_of(germany, second)[:2] == state_of(hungary, second)[:2] == (epoch, 3)
        await asyncio.to_thread(until, lambda: depth(exchange, "casework.expired") == 0, "what expired is not answered")
        for message_id, outcome_id in (sent.outcomes | {late: germany.outcomes(late)[0][0]}).items():
            told = [*germany.outcomes(message_id), *hungary.outcomes(message_id)]
            assert {one for one, _ in told} == {outcome_id}
        assert operator(world, tmp_path, "cases", "verify")["broken"] == []
    with mongo(exchange) as client:
        assert client["notifier"]["deadlines"].find_one({"_id": second})["epoch"] == epoch  # type: ignore[index]
        histories = {
            one["_id"]: len(one["history"])
            for one in client["casework"]["cases"].find({"_id": {"$in": [first, second]}})
        }
    assert histories == {first: 4, second: 3}


async def test_a_backup_is_put_back_as_a_whole_or_not_at_all(world: World, tmp_path: Path) -> None:
    """Into a database that has data only when told to; cut off, changed or another service's, nothing is touched."""
    key, file = read_key(new_key(tmp_path)), tmp_path / "some.backup"
    with mongo(world.exchange) as client:
        url = world.exchange.addresses
        admin = url.mongo_admin
        name = f"restoring{uuid.uuid4().hex[:8]}"
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        client[name]["things"].insert_many({"_id": number, "at": moment, "n": 1.5} for number in range(1_200))
        client[name]["things"].create_index([("n", -1)], name="by-n", sparse=True)
        client[name]["empty"].create_index("x", unique=True)
        try:
            with backup.connected(url.mongo_url(admin.name, admin.password), name) as database:
                contents = backup.write(database, "casework", file, key)
                assert contents.counts == {"things": 1_200, "empty": 0}
                client[name]["things"].update_many({}, {"$set": {"n": 2}})
                client[name]["later"].insert_one({"_id": 1})
                cut = tmp_path / "cut"
                cut.write_bytes(file.read_bytes()[:-20])
                for wrong, service in ((cut, "casework"), (file, "registry")):
                    with pytest.raises(NotReadable):
                        backup.restore(database, wrong, service, key, replace=True)
                with pytest.raises(backup.NotEmpty):
                    backup.restore(database, file, "casework", key, replace=False)
                assert client[name]["things"].count_documents({"n": 2}) == 1_200
                _, epoch = backup.restore(database, file, "casework", key, replace=True)
                assert backup.reopen(database)
                assert not backup.reopen(database)
            assert client[name]["things"].count_documents({"n": 1.5, "at": moment}) == 1_200
            assert client[name]["things"].index_information()["by-n"]["sparse"]
            assert client[name]["empty"].index_information()["x_1"]["unique"]
            assert set(client[name].list_collection_names()) == {"things", "empty", "restored"}
            assert client[name]["restored"].find_one() == {"_id": "restored", "epoch": epoch, "catching_up": False}
        finally:
            client.drop_database(name)


def test_of_the_backups_in_a_folder_the_newest_are_kept(tmp_path: Path) -> None:
    """Of one service; what a backup began that was killed goes too, and nothing else."""
    begun, other = "casework-2026-11-04T010000Z.imi.unfinished", "registry-2026-11-01T010000Z.imi"
    names = [f"casework-2026-11-0{day}T010000Z.imi" for day in (1, 2, 3)]
    for name in (*names, begun, other, "casework-notes.txt"):
        (tmp_path / name).touch()
    backup.prune(tmp_path, "casework", 2)
    assert {one.name for one in tmp_path.iterdir()} == {*names[1:], other, "casework-notes.txt"}
    assert backup.named(tmp_path, "casework").name > names[-1]
