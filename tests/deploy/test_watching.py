"""Prometheus and Alertmanager watch a real exchange: no panel is empty, and what goes wrong arrives as an e-mail."""

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import yaml
from pymongo import MongoClient

from contracts.topology import VHOST
from deploy.local.exchange import Exchange, exchange
from deploy.local.mail import Mailbox, mail_server
from deploy.local.ports import Ports
from deploy.local.supply import Supply, supply
from deploy.local.waiting import until
from deploy.local.watching import FOLDER, WINDOW, Watching, program, watching
from tests.acceptance.test_command_line import imi
from tests.broker.administering import administrator
from tests.broker.management import purge
from tests.broker.raw import raw_system
from tests.world import World, populate

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(
        program("prometheus") is None or program("alertmanager") is None,
        reason="no Prometheus or Alertmanager: apt-get install prometheus prometheus-alertmanager",
    ),
]

DASHBOARDS: Final = sorted((FOLDER.parent / "grafana" / "dashboards").glob("*.json"))
VARIABLES: Final = {"$service": "casework", "$system": "de-kammer"}
FULL: Final = 60
"""What an inbox takes in this test in place of 100,000."""
NAME: Final = re.compile(r"\b(?:imi_|rabbitmq_|process_|queue:|stage:|service:|up\b)[\w:]*")
WITHIN: Final = 60.0


class Watched:
    """What watches, what is watched, and where the alerts' mails arrive."""

    def __init__(self, world: World, watching: Watching, mailbox: Mailbox) -> None:
        self.world, self.watching, self._mailbox = world, watching, mailbox

    @property
    def exchange(self) -> Exchange:
        """The exchange."""
        return self.world.exchange

    def wait_for_mail(self, *alerts: str) -> None:
        """Return when a mail about each of the alerts has come."""
        for alert in alerts:
            until(lambda alert=alert: self._mail(alert) is not None, f"a mail of {alert}", WITHIN)  # type: ignore[misc]

    def wait_until_well(self) -> None:
        """Return when nothing fires. Raises TimeoutError with what does."""
        try:
            until(lambda: not self.watching.firing(), "all is well", WITHIN)
        except TimeoutError as error:
            raise TimeoutError(f"still firing: {self.watching.firing()}") from error

    def text(self, alert: str) -> str:
        """What the mail says."""
        mail = self._mail(alert)
        assert mail is not None
        return mail

    def _mail(self, alert: str) -> str | None:
        found = (one for one in self._mailbox.mails if f"[firing] {alert} " in str(one["Subject"]))
        return next((str(one.get_body(("plain",))) for one in found), None)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """An exchange of its own, for others leave theirs in no state of which nothing is to be told; watched."""
    if supply() is Supply.ADDRESSES:
        pytest.skip("nobody says where the metrics of a given broker are")
    folder, mailbox = tmp_path_factory.mktemp("watching"), Mailbox()
    limits = {"80000": str(FULL * 4 // 5), "100000": str(FULL)}
    with ExitStack() as stack:
        ports = Ports(folder, ["mail"])
        stack.callback(ports.close)
        stack.enter_context(mail_server(mailbox, ports["mail"]))
        world = populate(stack.enter_context(exchange(tmp_path_factory.mktemp("watched"))))
        watcher = stack.enter_context(watching(folder, world.exchange, ports["mail"], limits))
        asyncio.run(_a_case(world))
        yield Watched(world, watcher, mailbox)


async def _a_case(world: World) -> None:
    """Whatever a quiet exchange has done: a case, and a command that was refused."""
    async with world.both() as (asking, answering):
        sent = await asking.do(world.request())
        assert sent.case
        await answering.do(world.accept(sent.case.id))
        await answering.do(world.reply(sent.case.id))
        await asking.outcome(world.request(wished_date="2020-01-01"))


def queries() -> list[Any]:
    """Every query of every panel, by where it stands."""
    return [
        pytest.param(target["expr"], id=f"{path.stem}: {panel['title']} {target['refId']}")
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", ())
    ]


def asked(query: str) -> str:
    """A query as Grafana would ask it, and as often as here something is looked at."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return re.sub(r"\[\d+[mh]\]", f"[{WINDOW}]", query)


@pytest.mark.parametrize("query", queries())
def test_no_panel_is_empty(watched: Watched, query: str) -> None:
    """Prometheus parses what a panel asks, and has an answer from an exchange in which a case has been."""
    until(lambda: bool(watched.watching.ask(asked(query))), f"data for {query}", WITHIN)


def test_imi_says_for_how_long_a_system_has_not_read(watched: Watched) -> None:
    """As the dashboards do: what nobody reads grows older; without Prometheus nobody claims to know."""
    exchange = watched.world.exchange
    admin = exchange.addresses.rabbit_admin
    url = exchange.addresses.management_url_for(admin.name, admin.password)

    def unread(prometheus: str) -> dict[str, Any]:
        listed = json.loads(imi("systems", "--json", IMI_MANAGEMENT_URL=url, IMI_PROMETHEUS_URL=prometheus))
        return {one["system"]: one["unread_seconds"] for one in listed}

    until(
        lambda: (unread(watched.watching.url)["hu-nimic"] or 0) > 1,
        "an age of what is unread",
        WITHIN,
    )
    assert set(unread("").values()) == {None}


def test_rules_rest_on_what_there_is(watched: Watched) -> None:
    """Every metric that a rule names is one that the exchange, its broker, or another rule gives."""
    named = set[str]()
    for path in (FOLDER / "rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                watched.watching.ask(rule["expr"])  # which parses
                named |= set(NAME.findall(re.sub(r'"[^"]*"', '""', rule["expr"])))
    until(lambda: named <= watched.watching.names(), f"metrics: {named - watched.watching.names()}", WITHIN)


def test_figures_of_the_business_are_what_the_databases_hold(watched: Watched) -> None:
    """Open cases, overdue ones and active authorities, from counters: the same as if all were looked at one by one."""
    admin = watched.exchange.addresses.mongo_admin
    with MongoClient[dict[str, Any]](watched.exchange.addresses.mongo_url(admin.name, admin.password)) as client:
        cases, authorities = client["casework"]["cases"], client["registry"]["authorities"]
        plain: dict[str, Callable[[], int]] = {
            "sum(imi_cases_open)": lambda: cases.count_documents({"open": True}),
            "sum(imi_cases_overdue)": lambda: cases.count_documents({"open": True, "overdue": True}),
            'sum(imi_authorities{status="active"})': lambda: authorities.count_documents({"status": "active"}),
        }
        for query, counted in plain.items():
            until(_same(watched.watching, query, counted), f"{query} is {counted()}", WITHIN)


def _same(watching: Watching, query: str, counted: Callable[[], int]) -> Callable[[], bool]:
    return lambda: [float(one["value"][1]) for one in watching.ask(query)] == [counted()]


def test_nothing_fires_in_an_exchange_that_is_well(watched: Watched) -> None:
    """A case has been in it, a command was refused, and nobody need be told."""
    watched.wait_until_well()


def test_a_stopped_service_a_backlog_and_a_full_inbox_arrive_as_mails(watched: Watched) -> None:
    """Translation ends: it is missed, what comes for it piles up; it is back, and fills an inbox that nobody reads."""
    exchange = watched.exchange
    with inbox_of_size(exchange, "inbox.de-other", FULL):
        exchange.stop(*exchange.of("translation"))
        asyncio.run(_many_views(watched.world, "de-other", 700))
        watched.wait_for_mail("ServiceDown", "NoReadyReplica", "BacklogGrowing", "QueueNotConsumed")
        exchange.start("translation")
        exchange.wait_until_ready()
        watched.watching.look_again()
        watched.wait_for_mail("InboxNearlyFull", "InboxDropping")
    assert "docs/operations.md#inboxdropping" in watched.text("InboxDropping")
    assert "translation" in watched.text("NoReadyReplica")
    purge(exchange, "inbox.de-other")
    watched.wait_until_well()


def test_late_mails_and_an_smtp_server_that_is_away_arrive_as_mails(watched: Watched) -> None:
    """The only notifier cannot reach its SMTP server, and a reminder should have been sent ten minutes ago."""
    exchange = watched.exchange
    exchange.stop(*exchange.of("notifier"))
    deaf = exchange.start("notifier", settings={"IMI_SMTP_URL": "smtp://127.0.0.1:9", "IMI_GATHER_FOR": "PT0S"})
    exchange.wait_until_ready()
    watched.watching.look_again()
    case = asyncio.run(_a_request(watched.world))
    until(lambda: _made_late(exchange, case), "its reminder is planned", WITHIN)
    watched.wait_for_mail("SmtpAway", "MailLate")
    exchange.start("notifier")
    exchange.stop(deaf)
    exchange.wait_until_ready()
    watched.watching.look_again()
    watched.wait_until_well()


async def _a_request(world: World) -> str:
    """One that is to be accepted some day."""
    async with world.system("de-kammer") as asking:
        sent = await asking.do(world.request())
        assert sent.case
        return sent.case.id


def _made_late(exchange: Exchange, case: str) -> bool:
    """Have the first of a case's e-mails been due for ten minutes; say whether there is one."""
    admin = exchange.addresses.mongo_admin
    then = datetime.now(UTC) - timedelta(minutes=10)
    fields = ("next_at", "first_at", "plan.0.at", "plan.0.try_at")
    with MongoClient[dict[str, Any]](exchange.addresses.mongo_url(admin.name, admin.password)) as client:
        planned = {"_id": case, "plan.0": {"$exists": True}}
        return (
            client["notifier"]["deadlines"].update_one(planned, {"$set": dict.fromkeys(fields, then)}).matched_count > 0
        )


def test_a_killed_broker_arrives_as_a_mail(watched: Watched) -> None:
    """It is the broker's alert that comes; when it is back, so is everything."""
    exchange = watched.exchange
    exchange.servers.rabbitmq.kill()
    try:
        watched.wait_for_mail("BrokerDown")
    finally:
        exchange.servers.rabbitmq.start()
    exchange.wait_until_ready()
    assert "docs/operations.md#brokerdown" in watched.text("BrokerDown")


async def _many_views(world: World, system: str, count: int) -> None:
    """Have casework say so many things to a system."""
    url = world.exchange.amqp_url("service.casework", world.exchange.passwords["casework"])
    message = {"kind": "system", "event": "connected", "system": system}
    async with raw_system(url, "service.casework", listening=False) as casework:
        ids = [str(uuid.uuid4()) for _ in range(count)]
        views = [{"views": [{"to": system, "message_id": one, "message": message}]} for one in ids]
        properties = {"message_type": "exchange.views.v1", "message_id": "many", "delivery_mode": 2}
        said = (casework.send(one, exchange="casework", routing_key="views", **properties) for one in views)
        await asyncio.gather(*said)


@contextmanager
def inbox_of_size(exchange: Exchange, queue: str, size: int) -> Iterator[None]:
    """Have the broker give a queue another limit for a while."""
    definition = {"max-length": size, "overflow": "drop-head"}
    policy = {"pattern": f"^{re.escape(queue)}$", "apply-to": "queues", "definition": definition, "priority": 9}
    path = f"/api/policies/{VHOST}/small"
    with administrator(exchange) as admin:
        admin.put(path, policy)
        try:
            yield
        finally:
            admin.delete(path)
