"""Registry, translation and notifier, each restored from an older backup while the others went on."""

import asyncio
import uuid
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from client import publishing
from client.legislation import load
from contracts.notifier import Preferences, SetPreferences, ShowPreferences, Wish
from contracts.registry import Apply, Approve, ConnectSystem, GrantAccess, Scope, Search
from contracts.topology import OPERATOR, parked_queue_of
from contracts.translation import PublishArea
from contracts.types import User
from deploy.local.exchange import Exchange, Replica
from tests.broker.management import depth
from tests.broker.raw import raw_system
from tests.broker.restoring import Drill, Sent, mongo, new_key
from tests.broker.test_copies import COPIES, holds, whole
from tests.world import AREA, HANDLER, LEGISLATION, World, connect

pytestmark = pytest.mark.servers

USER = User(id="handler", role="basic-user")
DAILY = Preferences(hour=7, general=Wish(gathered=True, at_once=("arrived",)))
LISTS = 3
"""Lists of all systems that the provisioner takes before it is looked what it has done."""


def drill(world: World, service: str, folder: Path) -> Drill:
    """A drill with a key of its own."""
    new_key(folder)
    return Drill(world, service, folder)


def taken(replica: Replica, queue: str) -> float:
    """How many messages of a queue a replica has been given."""
    text = httpx.get(f"{replica.url}/metrics", trust_env=False, timeout=10).text
    samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
    return sum(one.value for one in samples if (one.name, one.labels.get("kind")) == ("imi_deliveries_total", queue))


async def test_the_registry_is_restored_and_nobody_who_joined_meanwhile_is_lost(world: World, tmp_path: Path) -> None:
    """The broker keeps a system that the backup does not know, and in the end all copies are the registry's again."""
    registry, name = drill(world, "registry", tmp_path), f"hu-{uuid.uuid4().hex[:8]}"
    exchange = world.exchange
    (provisioner,) = exchange.of("provisioner")
    await registry.backup()
    await connect(world, "HU", "hu", name, f"Hivatal {name}")
    async with raw_system(world.url(name), name) as joined, world.system("de-kammer") as asking:
        await registry.lose()
        waiting = str(uuid.uuid4())
        await joined.command(Search.TYPE, {"country": "HU"}, waiting)
        await registry.restore()
        request = world.request(recipient=world.ids[name])
        assert (await asking.do(request)).case  # the others know it all the while
        played = Counter(await registry.play_again())
        assert all(played[kind.TYPE] for kind in (ConnectSystem, Apply, Approve))
        await registry.reopen()
        assert (await joined.outcome(waiting))["status"] == "done"
        lists = taken(provisioner, "provisioner.tasks") + LISTS
        await holds(lambda: taken(provisioner, "provisioner.tasks") >= lists, "no list comes to the provisioner")
        with mongo(exchange) as client:
            for service in COPIES:
                await holds(partial(whole, client, service), f"{service} does not have what the registry has")
            (system,) = client["registry"]["systems"].find({"_id": name})
            assert system["live"]
        # By the connection that was open all the time.
        assert (await Sent().by(joined, Search(country="HU")))["status"] == "done"


async def test_translation_is_restored_and_no_case_waits_for_what_was_published_meanwhile(
    world: World, tmp_path: Path
) -> None:
    """The journal brings the area back; until then its views wait, parked is none, and casework repairs its copy."""
    translation, code = drill(world, "translation", tmp_path), f"area-{uuid.uuid4().hex[:8]}"
    exchange, parked = world.exchange, depth(world.exchange, parked_queue_of("translation"))
    await translation.backup()
    async with world.system(OPERATOR) as operator:
        await publishing.publish(operator, replace(load(LEGISLATION / AREA), code=code, version=3))
    await granted(world, code)
    async with (
        raw_system(world.url("de-kammer"), "de-kammer") as germany,
        raw_system(world.url("hu-hivatal"), "hu-hivatal") as hungary,
    ):
        case = (await Sent().by(germany, world.request(area=code)))["case"]["id"]
        await translation.lose()
        accepted = str(uuid.uuid4())
        accept = world.accept(case)
        await hungary.command(accept.TYPE, accept.model_dump(mode="json", exclude_none=True), accepted)
        await translation.restore()
        (replica,) = exchange.of("translation")
        await holds(lambda: taken(replica, "translation.views") >= 1, "nothing came to be translated")
        played = await translation.play_again()
        assert played[PublishArea.TYPE] >= 1
        assert (await hungary.outcome(accepted))["case"]["area"] == {"code": code, "version": 3, "text": title("hu")}
        await germany.receive(lambda _, body: is_version(body, case, 2))
        await translation.reopen()
        assert depth(exchange, parked_queue_of("translation")) == parked
        with mongo(exchange) as client:
            rules: Any = client["casework"]["area_rules"]
            assert rules.delete_one({"_id": f"{code}/3"}).deleted_count == 1
            client["casework"]["areas"].delete_one({"_id": code})
            await holds(lambda: rules.count_documents({"_id": f"{code}/3"}) == 1, "casework's copy of the area is lost")
            await holds(lambda: client["casework"]["areas"].count_documents({"_id": code}) == 1, "it is not in force")


async def granted(world: World, area: str) -> None:
    """Both sides have access to an area."""
    for nimic, name in (("de-nimic", "de-kammer"), ("hu-nimic", "hu-hivatal")):
        async with world.system(nimic) as coordinator:
            grant = GrantAccess(authority=world.ids[nimic], to=world.ids[name], area=area, scope=Scope(), user=HANDLER)
            await coordinator.do(grant)


def title(language: str) -> str:
    """What the area is called."""
    return load(LEGISLATION / AREA).texts[language]["title"]


def is_version(body: dict[str, Any], case: str, version: int) -> bool:
    """Whether a message shows a case in a version."""
    shown = body.get("case", {})
    return (shown.get("id"), shown.get("version")) == (case, version)


async def test_the_notifier_is_restored_and_what_it_tells_again_is_the_same_mail(
    world: World, running: Exchange, tmp_path: Path
) -> None:
    """What the backup knows as sent is not sent again, what came after has its Message-ID; plans and wishes return.

    Told to an authority of its own, to which nobody else has written meanwhile: else one mail would tell more.
    """
    notifier, exchange = drill(world, "notifier", tmp_path), world.exchange
    authority, name = world.ids["de-other"], f"hu-{uuid.uuid4().hex[:8]}"
    await connect(world, "HU", "hu", name, f"Hivatal {name}")
    request = world.request(recipient=world.ids[name])

    def mails(case: str) -> list[str]:
        """The Message-IDs of those that told of a case's arrival."""
        return [str(one["Message-ID"]) for one in running.mailbox.to("office@hu.example") if case in body_of(one)]

    def anew(settings: dict[str, str] | None = None) -> None:
        exchange.stop(*exchange.of("notifier"))
        exchange.start("notifier", settings=settings)
        exchange.wait_until_ready()

    at_once = {"IMI_GATHER_FOR": "PT0S"}
    await asyncio.to_thread(anew, at_once)
    async with world.system("de-kammer") as asking, world.system("de-other") as wishing:
        first = (await asking.do(request)).case
        assert first
        await holds(lambda: len(mails(first.id)) == 1, "nobody is told of the first case")
        await notifier.backup()
        second = (await asking.do(request)).case
        assert second
        await holds(lambda: len(mails(second.id)) == 1, "nobody is told of the second case")
        await wishing.do(SetPreferences(authority=authority, preferences=DAILY, user=USER))
        await notifier.lose()
        await notifier.restore(at_once)
        assert (await notifier.play_again())[SetPreferences.TYPE] >= 1
        await notifier.imi("cases", "republish", "--since", notifier.since, "--yes")
        with mongo(exchange) as client:
            plans: Any = client["notifier"]["deadlines"]
            await holds(lambda: plans.count_documents({"_id": second.id, "plan.0": {"$exists": True}}) == 1, "no plan")
        assert len(mails(second.id)) == 1
        await notifier.reopen()
        await holds(lambda: len(mails(second.id)) == 2, "what came after the backup is not told again")
        assert len(set(mails(second.id))) == 1
        assert len(mails(first.id)) == 1
        assert (await wishing.do(ShowPreferences(authority=authority, user=USER))).preferences == DAILY
        await wishing.do(SetPreferences(authority=authority, preferences=Preferences(), user=USER))
    await asyncio.to_thread(anew)


def body_of(mail: Any) -> str:
    """What a mail says."""
    return str(mail.get_body(("plain",)).get_content())
