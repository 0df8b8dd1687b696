"""An exchange in which nothing is said in the clear: real servers, real services, a made-up authority."""

import asyncio
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from smtplib import SMTP, SMTPException
from urllib.parse import urlencode, urlsplit

import aiormq
import httpx
import pytest
from aiormq.exceptions import AMQPError
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from client.system import System
from contracts.registry import Account, ConnectSystem, Search, SuspendSystem
from contracts.topology import inbox_of
from contracts.types import FreeText
from deploy.local.addresses import Addresses, Credentials
from deploy.local.certificates import Certificates
from deploy.local.exchange import exchange
from deploy.local.supply import Supply, supply
from deploy.local.waiting import until
from services.chassis.management import BrokerAway, Management
from tests.deploy.authority import Authority
from tests.deploy.rendered import environment, named
from tests.world import HANDLER, World, can_log_in, populate

pytestmark = pytest.mark.servers

NIMIC = "de-nimic"
OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
REFUSED = (AMQPError, ConnectionError, ssl.SSLError)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The exchange's own."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def world(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everybody of the usual world, on servers that speak TLS alone."""
    if supply() is not Supply.PROGRAMS:
        pytest.skip("certificates can be given to servers of our own alone")
    folder = tmp_path_factory.mktemp("encrypted")
    with exchange(folder, {"notifier": {"IMI_GATHER_FOR": "00:00:00"}}, certificates=authority.server()) as running:
        yield populate(running)


@pytest.fixture(scope="module")
def proven(world: World) -> str:
    """A system that is connected by a certificate's subject, and has no password."""
    return asyncio.run(connect_by_certificate(world))


async def connect_by_certificate(world: World) -> str:
    """Have the coordinator connect one more."""
    name = f"de-{uuid.uuid4().hex[:8]}"
    account = Account(system=name, certificate_subject=f"CN={name}", languages=("de",))
    async with world.system(NIMIC) as coordinator:
        await coordinator.do(ConnectSystem(authority=world.ids[NIMIC], account=account, user=HANDLER))
        await can_log_in(coordinator, name)
    return name


def url_of(world: World, name: str, files: Certificates) -> str:
    """The address by which a system connects that shows a certificate."""
    parts = urlsplit(world.exchange.amqp_url(name, "none"))
    shown = {"auth": "external", "cafile": files.ca, "certfile": files.certificate, "keyfile": files.key}
    return parts._replace(query=urlencode(shown)).geturl()


async def test_a_case_goes_its_way_and_its_mail_arrives(world: World) -> None:
    """Every service talks to the broker, the database and the mail server over TLS, and to nobody it cannot verify."""
    async with world.both() as (asking, answering):
        sent = await asking.do(world.request())
        assert sent.case
        accepted = await answering.do(world.accept(sent.case.id))
        assert accepted.status == "done"
    mailbox = world.exchange.mailbox
    await asyncio.to_thread(until, lambda: bool(mailbox.mails), "a mail arrives")


async def test_a_certificate_opens_the_account_of_its_name(world: World, authority: Authority, proven: str) -> None:
    """The system logs in without a password, sends, and reads its own inbox."""
    async with System(url_of(world, proven, authority.client(proven))) as system:
        outcome = await system.do(Search(area="professional-qualifications", country="HU"))
    assert outcome.found is not None


async def test_a_certificate_is_signed_as_operations_are_told(
    world: World, authority: Authority, proven: str, tmp_path: Path
) -> None:
    """The commands of docs/operations.md, as they stand there, make one that opens the account."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl on this machine")
    shutil.copy(authority.file, tmp_path / "ca.crt")
    shutil.copy(authority.key_file, tmp_path / "ca.key")
    told = re.findall(r"^openssl .*hu-nis.*$", OPERATIONS, re.MULTILINE)
    commands = [line.replace("hu-nis", proven) for line in told]
    assert len(commands) == 3
    for command in commands:
        await asyncio.to_thread(subprocess.run, shlex.split(command), cwd=tmp_path, check=True, capture_output=True)
    files = Certificates(authority.file, tmp_path / f"{proven}.crt", tmp_path / f"{proven}.key", tmp_path / "none")
    connection = await aiormq.connect(url_of(world, proven, files))
    await connection.close()


async def test_anothers_certificate_opens_nothing_of_ones_own(world: World, authority: Authority, proven: str) -> None:
    """Whoever shows it is that other, whatever name the address says."""
    connection = await aiormq.connect(url_of(world, proven, authority.client("de-kammer")))
    try:
        channel = await connection.channel()
        with pytest.raises(REFUSED):
            await channel.basic_get(inbox_of(proven), no_ack=True)
    finally:
        await connection.close()


async def test_what_the_authority_did_not_sign_opens_nothing(
    world: World, authority: Authority, proven: str, tmp_path: Path
) -> None:
    """The right name, signed by somebody else; or no certificate at all; or a password that nobody set."""
    stranger = Authority(tmp_path, "stranger").client(proven)
    foreign = replace(stranger, ca=authority.file)
    with pytest.raises(REFUSED):
        await aiormq.connect(url_of(world, proven, foreign))
    for url in (f"{world.exchange.amqp_url(proven, '')}&auth=external", world.exchange.amqp_url(proven, proven)):
        with pytest.raises(REFUSED):
            await aiormq.connect(url)


async def test_a_name_that_is_no_account_opens_nothing(world: World, authority: Authority) -> None:
    """A certificate of the authority's does not make an account."""
    with pytest.raises(REFUSED):
        await aiormq.connect(url_of(world, "de-nobody", authority.client("de-nobody")))


async def test_a_suspended_systems_certificate_opens_nothing(world: World, authority: Authority) -> None:
    """It is cut off as one with a password is."""
    name = await connect_by_certificate(world)
    url = url_of(world, name, authority.client(name))
    connection = await aiormq.connect(url)
    reason = FreeText(text="Lost key", language="en")
    async with world.system(NIMIC) as coordinator:
        await coordinator.do(SuspendSystem(authority=world.ids[NIMIC], system=name, reason=reason, user=HANDLER))
    await asyncio.wait([connection.closing])
    with pytest.raises(REFUSED):
        await aiormq.connect(url)


async def test_the_broker_takes_nothing_in_the_clear(world: World) -> None:
    """Not the right password either."""
    addresses = world.exchange.addresses
    with pytest.raises(REFUSED):
        await aiormq.connect(replace(addresses, ca=None).amqp_url(*login_of(addresses.rabbit_admin)))


def test_the_broker_is_administered_and_read_over_tls_alone(world: World) -> None:
    """Its management API, and its figures."""
    addresses = world.exchange.addresses
    for url in (addresses.management_url, addresses.prometheus_url or ""):
        assert url.startswith("https://")
        with pytest.raises(httpx.TransportError):
            httpx.get(url.replace("https://", "http://"), trust_env=False)


def test_the_database_takes_nothing_in_the_clear(world: World) -> None:
    """Not the right password either."""
    addresses = world.exchange.addresses
    with asking(replace(addresses, ca=None)) as client, pytest.raises(PyMongoError):
        client.admin.command("ping")


def asking(addresses: Addresses) -> MongoClient[dict[str, object]]:
    return MongoClient(f"{addresses.mongo_url(*login_of(addresses.mongo_admin))}&serverSelectionTimeoutMS=2000")


def login_of(user: Credentials) -> tuple[str, str]:
    return user.name, user.password


def test_the_mail_server_takes_nothing_in_the_clear(world: World) -> None:
    """Who does not begin with TLS gets no greeting."""
    parts = urlsplit(world.exchange.smtp_url)
    assert parts.hostname
    assert parts.port
    with pytest.raises((OSError, SMTPException)):
        SMTP(parts.hostname, parts.port, timeout=1)


def test_services_show_their_figures_over_tls_alone(world: World) -> None:
    """Whoever trusts the authority reads them, whoever does not trusts nobody, and in the clear nothing is said."""
    trusted = ssl.create_default_context(cafile=world.exchange.addresses.ca)
    for replica in world.exchange.replicas:
        assert "imi_" in httpx.get(f"{replica.url}/metrics", verify=trusted, trust_env=False).text
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{replica.url}/metrics", trust_env=False)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{replica.url}/metrics".replace("https://", "http://"), trust_env=False)


def test_the_operators_command_line_speaks_tls(world: World) -> None:
    """It trusts the authority that IMI_CA names and nobody else."""
    addresses = world.exchange.addresses
    environment = {
        "IMI_CA": str(addresses.ca),
        "IMI_MANAGEMENT_URL": replace(addresses, ca=None).management_url_for(*login_of(addresses.rabbit_admin)),
        "IMI_REPLICAS": ",".join(replica.url for replica in world.exchange.replicas),
    }
    command = imi(["status", "--json", "--wait", "30"])
    told = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert told.returncode in (0, 1), told.stderr
    found = json.loads(told.stdout)
    assert found["queues"], "as the management API tells them"
    assert [one["ready"] for one in found["replicas"]] == [True] * len(world.exchange.replicas)


async def test_the_topologys_job_does_its_work_as_it_is_written(world: World, tmp_path: Path) -> None:
    """With its files where it looks for them: the broker has the whole topology, and whoever was connected stays so."""
    addresses = world.exchange.addresses
    management_url = replace(addresses, ca=None).management_url_for(*login_of(addresses.rabbit_admin))
    for name, text in {**world.exchange.passwords, "management_url": management_url}.items():
        (tmp_path / name).write_text(text)
    pod = named("production", "Job", "topology")["spec"]["template"]["spec"]
    places = {"/run/secrets/imi": str(tmp_path), "/run/tls/ca.crt": str(addresses.ca)}
    told = {name: moved(value, places) for name, value in environment(pod).items()}
    command = [moved(argument, places) for argument in pod["containers"][0]["args"]]
    done = await asyncio.to_thread(
        subprocess.run, imi(command), env=os.environ | told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    async with world.system(NIMIC) as coordinator:
        await coordinator.do(Search(area="professional-qualifications", country="HU"))


def moved(text: str, places: dict[str, str]) -> str:
    for place, other in places.items():
        text = text.replace(place, other)
    return text


def imi(command: list[str]) -> list[str]:
    return [sys.executable, "-m", "client", *command]


async def test_a_broker_that_the_authority_did_not_sign_is_not_spoken_to(world: World, tmp_path: Path) -> None:
    """Who trusts another authority ends the connection before it has said who it is."""
    elsewhere = replace(world.exchange.addresses, ca=Authority(tmp_path, "other").file)
    with pytest.raises(REFUSED, match="CERTIFICATE_VERIFY_FAILED"):
        await aiormq.connect(elsewhere.amqp_url("admin", "word"))
    management = Management(elsewhere.management_url_for("admin", "word"))
    with pytest.raises(BrokerAway) as away:
        await management.account("admin")
    assert "CERTIFICATE_VERIFY_FAILED" in str(away.value.__cause__)
    await management.close()


def test_a_database_that_the_authority_did_not_sign_is_not_spoken_to(world: World, tmp_path: Path) -> None:
    """Nor is a password sent there."""
    elsewhere = replace(world.exchange.addresses, ca=Authority(tmp_path, "other").file)
    with asking(elsewhere) as client, pytest.raises(PyMongoError, match="CERTIFICATE_VERIFY_FAILED"):
        client.admin.command("ping")
