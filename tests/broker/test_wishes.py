"""Over the queue: how an authority wishes to be written to, and what was sent to it; asked by whoever may."""

import json
import subprocess
import sys

import pytest

from client.system import Refused, System
from contracts.notifier import ListEmails, Preferences, SentEmail, SetPreferences, ShowPreferences, Wish
from contracts.types import User
from deploy.local.exchange import Exchange
from tests.world import World

pytestmark = pytest.mark.servers

USER = User(id="handler", role="basic-user")
DAILY = Preferences(hour=7, general=Wish(gathered=True, at_once=("arrived",)))


async def test_an_authority_says_how_it_wishes_to_be_written_to_and_nobody_says_it_for_another(world: World) -> None:
    """The last word counts; a command that comes again says nothing again, and another system nothing at all."""
    authority = world.ids["de-other"]
    first = SetPreferences(authority=authority, preferences=DAILY, user=USER)
    async with world.system("de-other") as own, world.system("de-kammer") as other:
        assert (await own.do(ShowPreferences(authority=authority, user=USER))).preferences == Preferences()
        assert (await own.do(first, "wish-1")).preferences == DAILY
        await own.do(first.model_copy(update={"preferences": Preferences()}), "wish-2")
        await own.do(first, "wish-1")
        assert (await own.do(ShowPreferences(authority=authority, user=USER))).preferences == Preferences()
        for command, code in (
            (first, "not-your-authority"),
            (ShowPreferences(authority=authority, user=USER), "not-your-authority"),
        ):
            with pytest.raises(Refused, match=code):
                await other.do(command)
        changed = first.model_copy(update={"preferences": Preferences(hour=9)})
        with pytest.raises(Refused, match="message-id-reused"):
            await own.do(changed, "wish-1")


async def test_what_was_sent_is_shown_to_the_authority_and_to_whoever_coordinates_it(
    world: World, running: Exchange
) -> None:
    """When, to which address, with what reply, page by page; the approval of its registration among it."""
    authority = world.ids["hu-hivatal"]
    async with (
        world.system("hu-hivatal") as own,
        world.system("hu-nimic") as above,
        world.system("de-nimic") as foreign,
    ):
        asked = ListEmails(authority=authority, user=USER, limit=100)
        emails = await all_pages(own, asked)
        (approval,) = [one for one in emails if one.kind == "registration-approved"]
        assert (approval.to, approval.outcome) == ("office@hu.example", "sent")
        assert approval.reply.startswith("250")
        (mail,) = [one for one in running.mailbox.mails if approval.id in str(one["Message-ID"])]
        assert mail["Content-Language"] == "hu"
        for_it = ListEmails(authority=world.ids["hu-nimic"], of=authority, user=USER, limit=100)
        assert approval in await all_pages(above, for_it)
        with pytest.raises(Refused, match="not-its-coordinator"):
            await foreign.do(ListEmails(authority=world.ids["de-nimic"], of=authority, user=USER))
        with pytest.raises(Refused, match="bad-cursor"):
            await own.do(asked.model_copy(update={"after": "bm8"}))
        # Others may be written to it meanwhile: those come first.
        in_small_pages = await all_pages(own, asked.model_copy(update={"limit": 7}))
        assert in_small_pages[-len(emails) :] == emails


async def all_pages(system: System, asked: ListEmails) -> list[SentEmail]:
    """Every e-mail that is shown, page by page to the end."""
    found, cursor = list[SentEmail](), asked.after
    for _ in range(1_000):
        outcome = await system.do(asked.model_copy(update={"after": cursor}))
        found += outcome.emails or ()
        if (cursor := outcome.next) is None:
            return found
    raise AssertionError("the pages have no end")


def test_imi_shows_what_was_sent(world: World) -> None:
    """As a table for people, and as JSON for programs."""
    authority = world.ids["hu-hivatal"]
    options = ["--url", world.url("hu-hivatal"), "--authority", authority]
    shown = imi("emails", *options)
    assert "office@hu.example" in shown
    found = json.loads(imi("emails", *options, "--json"))  # the last ones: others may have been written since it joined
    assert "office@hu.example" in {one["to"] for one in found}


def imi(*arguments: str) -> str:
    """What `imi` prints."""
    command = [sys.executable, "-c", "from client.cli import main; main()", *arguments]
    environment = {"COLUMNS": "200", "PATH": ""}
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment).stdout
