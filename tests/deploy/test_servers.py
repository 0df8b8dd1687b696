"""What whoever asks for local servers may rely on."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import aiormq
import httpx
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from deploy.local.given import GivenServer, given_addresses
from deploy.local.ports import Ports
from deploy.local.program import Program
from deploy.local.server import NotOursError
from deploy.local.servers import Addresses, Credentials, Servers, servers
from deploy.local.supply import GIVEN, Supply, supply
from deploy.local.waiting import amqp_answers, until

pytestmark = pytest.mark.servers
# 127.0.0.1 and ::1, as /proc/net writes them.
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
REPOSITORY = Path(__file__).parents[2]
AMQP = "amqp://some%40body:pass%2Fword@broker.example:5673/"
MANAGEMENT = "http://admin:word@broker.example:15673/"
MONGO = "mongodb://admin:key@mongo.example:27018/?replicaSet=set&authSource=admin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers of `running` keep what they have."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Servers]:
    """Servers of our own for the tests that stop and start them."""
    if supply() is Supply.ADDRESSES:
        pytest.skip("the servers were given by their addresses")
    with servers(folder) as started:
        yield started


def test_two_runs_at_once_share_nothing(running: Servers, tmp_path: Path) -> None:
    """A second run has other ports and other logins, and its end leaves the first one alone."""
    with servers(tmp_path) as second:
        assert not ports_of(running.addresses) & ports_of(second.addresses)
        assert second.addresses.rabbit_admin != running.addresses.rabbit_admin
        assert amqp_answers(second.addresses)
    assert amqp_answers(running.addresses)


def test_nothing_is_left_after_the_end(tmp_path: Path) -> None:
    """After the context, no port is open and no process names the folder in its command or environment."""
    with servers(tmp_path) as started:
        taken = ports_of(started.addresses)
        assert all(is_open(port) for port in taken)
    assert not any(is_open(port) for port in taken | remembered_ports(tmp_path))
    until(lambda: not processes_of(tmp_path), "every process ends", within=10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_when_whoever_asked_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    """Servers end with the process that asked for them, even one that gets no chance to say so."""
    if supply() is not Supply.PROGRAMS:
        pytest.skip("containers are removed by testcontainers")
    asker = asker_in(tmp_path)
    assert asker.stdout
    assert asker.stdout.readline() == b"started\n"
    asker.send_signal(number)
    asker.communicate(timeout=30)
    until(lambda: not processes_of(tmp_path), "every process ends", within=10)
    # A process that ends loses its command line before the kernel closes what it had open.
    until(lambda: not any(is_open(port) for port in remembered_ports(tmp_path)), "every port is closed", within=10)


def test_nothing_listens_but_on_loopback(running: Servers, folder: Path) -> None:
    """No port of the servers can be reached from another machine."""
    if supply() is not Supply.PROGRAMS:
        pytest.skip("the container engine does the listening")
    assert running.ours
    ours = {port: hosts for port, hosts in listening().items() if port in remembered_ports(folder)}
    assert len(ours) == 6
    assert set().union(*ours.values()) <= LOOPBACK


def test_mongodb_refuses_who_does_not_log_in(running: Servers) -> None:
    """Without credentials nothing can be read, and no second administrator made."""
    url = f"mongodb://{running.addresses.mongo_host_port}/?directConnection=true"
    with MongoClient[dict[str, object]](url) as client:
        with pytest.raises(OperationFailure):
            client["casework"]["cases"].find_one()
        with pytest.raises(OperationFailure):
            client.admin.command("createUser", "other", pwd="x", roles=["root"])


def test_mongodb_serves_its_administrator_as_a_replica_set(running: Servers) -> None:
    """The address with the set's name works, and so do transactions, which need a set."""
    with MongoClient[dict[str, object]](mongo_url(running.addresses)) as client:
        with client.start_session() as session, session.start_transaction():
            client["casework"]["cases"].insert_one({"_id": "in-transaction"}, session=session)
        assert client["casework"]["cases"].find_one() == {"_id": "in-transaction"}


def test_rabbitmq_refuses_a_wrong_password(running: Servers) -> None:
    """The management API knows its administrator and nobody else, and measures are served."""
    addresses = running.addresses
    assert not httpx.get(addresses.management_url_for("guest", "guest") + "/api/whoami").is_success
    admin = addresses.rabbit_admin
    assert httpx.get(addresses.management_url_for(admin.name, admin.password) + "/api/whoami").is_success
    assert addresses.prometheus_url
    assert "rabbitmq_identity_info" in httpx.get(addresses.prometheus_url + "/metrics").text


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_a_restart_keeps_a_durable_queues_message(running: Servers, end: str) -> None:
    """What was confirmed into a quorum queue is there again after a kill and after a stop."""
    connection = await aiormq.connect(amqp_url(running.addresses))
    channel = await connection.channel()
    await channel.queue_declare(end, durable=True, arguments={"x-queue-type": "quorum"})
    await channel.basic_publish(b"kept", routing_key=end, properties=aiormq.spec.Basic.Properties(delivery_mode=2))
    await connection.close()
    if end == "kill":
        await asyncio.sleep(1)  # see Server.kill: a queue must be half a second old
    getattr(running.rabbitmq, end)()
    assert not amqp_answers(running.addresses)
    running.rabbitmq.start()
    assert await message_in(running.addresses, end) == b"kept"


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_restart_keeps_a_document(running: Servers, end: str) -> None:
    """What MongoDB acknowledged is there again after a kill and after a stop."""
    with MongoClient[dict[str, object]](mongo_url(running.addresses), w="majority") as client:
        client["casework"]["kept"].insert_one({"_id": end})
    getattr(running.mongodb, end)()
    running.mongodb.start()
    with MongoClient[dict[str, object]](mongo_url(running.addresses)) as client:
        assert client["casework"]["kept"].find_one({"_id": end})


def test_a_later_run_finds_the_folders_data(tmp_path: Path) -> None:
    """The same folder gives the same addresses and logins, and what was stored."""
    if supply() is not Supply.PROGRAMS:
        pytest.skip("containers keep nothing")
    with (
        servers(tmp_path) as first,
        MongoClient[dict[str, object]](mongo_url(first.addresses)) as client,
    ):
        client["casework"]["kept"].insert_one({"_id": 1})
    with (
        servers(tmp_path) as second,
        MongoClient[dict[str, object]](mongo_url(second.addresses)) as client,
    ):
        assert second.addresses == first.addresses
        assert client["casework"]["kept"].find_one() == {"_id": 1}


def test_a_paused_server_does_not_answer_and_goes_on(running: Servers) -> None:
    """A frozen broker keeps its port open without an answer; let go, it serves again."""
    running.rabbitmq.pause()
    assert is_open(running.addresses.amqp_port)
    assert not amqp_answers(running.addresses)
    running.rabbitmq.resume()
    until(lambda: amqp_answers(running.addresses), "RabbitMQ goes on")


def test_a_port_that_another_run_holds_is_not_taken(tmp_path: Path) -> None:
    """Of two runs that choose ports at the same time, none gets the other's, though nothing listens yet."""
    with ThreadPoolExecutor(8) as pool, ExitStack() as stack:
        folders = [tmp_path / str(number) for number in range(8)]
        for folder in folders:
            folder.mkdir()
        chosen = list(pool.map(lambda folder: Ports(folder, "abcdefgh"), folders))
        for ports in chosen:
            stack.callback(ports.close)
        numbers = [ports[name] for ports in chosen for name in "abcdefgh"]
    assert len(set(numbers)) == 64


def test_a_program_outlives_the_thread_that_asked(tmp_path: Path) -> None:
    """The end of a thread, as of an event loop's pool, is not the end of what it started."""
    program = Program(["sleep", "60"], tmp_path / "log")
    thread = threading.Thread(target=program.start)
    thread.start()
    thread.join()
    with pytest.raises(TimeoutError):
        until(lambda: not program.runs, "the program ends", within=1)
    program.kill()
    assert not program.runs


def test_a_program_that_ends_at_once_says_why(tmp_path: Path) -> None:
    """What it printed last is part of the error, so that nobody waits for a server that is gone."""
    program = Program(["sh", "-c", "echo no room left; exit 1"], tmp_path / "log")
    program.start()
    until(lambda: not program.runs, "the program ends", within=10)
    with pytest.raises(RuntimeError, match="no room left"):
        program.check()
    program.stop()


def test_given_addresses_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With all three variables set nothing is started, and what was given is what is used."""
    give(monkeypatch, AMQP, MANAGEMENT, MONGO)
    with servers(tmp_path) as given:
        addresses = given.addresses
        assert not given.ours
    assert (addresses.amqp_host, addresses.amqp_port) == ("broker.example", 5673)
    assert addresses.management_url == "http://broker.example:15673"
    assert (addresses.mongo_host_port, addresses.replica_set) == ("mongo.example:27018", "set")
    assert (addresses.rabbit_admin.name, addresses.rabbit_admin.password) == ("some@body", "pass/word")
    assert addresses.amqp_url("a", "b/c", "imi") == "amqp://a:b%2Fc@broker.example:5673/imi"
    assert addresses.management_url_for("a", "b") == "http://a:b@broker.example:15673"


def test_a_given_server_is_not_ours_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt to stop a server that somebody else runs is refused."""
    give(monkeypatch, AMQP, MANAGEMENT, MONGO)
    assert given_addresses().amqp_port == 5673
    for attempt in ("kill", "stop", "start", "pause", "resume"):
        with pytest.raises(NotOursError):
            getattr(GivenServer(), attempt)()


def test_a_part_of_the_addresses_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """One forgotten variable is named, instead of the rest being ignored."""
    give(monkeypatch, AMQP, "", MONGO)
    with pytest.raises(ValueError, match="IMI_TEST_MANAGEMENT_URL"):
        supply()


def test_passwords_are_not_printed() -> None:
    """What is printed of addresses and credentials carries no password."""
    assert "secret-word" not in repr(Credentials("name", "secret-word"))


def give(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    for name, value in zip(GIVEN, values, strict=True):
        monkeypatch.setenv(name, value)


def asker_in(folder: Path) -> subprocess.Popen[bytes]:
    program = (
        "import signal, sys, time, pathlib; from deploy.local.servers import servers\n"
        # A shell's background job, and all that it starts, would ignore this signal.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with servers(pathlib.Path(sys.argv[1])): print('started', flush=True); time.sleep(60)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=REPOSITORY,
    )


def ports_of(addresses: Addresses) -> set[int]:
    urls = [addresses.management_url, addresses.prometheus_url or "", addresses.mongo_host_port]
    return {addresses.amqp_port} | {int(url.rsplit(":", 1)[1]) for url in urls if url}


def remembered_ports(folder: Path) -> set[int]:
    return set(json.loads((folder / "ports.json").read_text()).values())


def listening() -> dict[int, set[str]]:
    """The addresses on which each port is listened to on this machine."""
    found: dict[int, set[str]] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            host, port = local.split(":")
            if state == "0A":
                found.setdefault(int(port, 16), set()).add(host)
    return found


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def processes_of(folder: Path) -> list[str]:
    """Process ids whose command or environment names the folder, our own and whoever started us apart."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in told and int(process.name) != os.getpid():
            found.append(process.name)
    return found


def amqp_url(addresses: Addresses) -> str:
    return addresses.amqp_url(addresses.rabbit_admin.name, addresses.rabbit_admin.password)


def mongo_url(addresses: Addresses) -> str:
    return addresses.mongo_url(addresses.mongo_admin.name, addresses.mongo_admin.password)


async def message_in(addresses: Addresses, queue: str) -> bytes:
    connection = await aiormq.connect(amqp_url(addresses))
    channel = await connection.channel()
    got = await channel.basic_get(queue, no_ack=True)
    await connection.close()
    return got.body
