"""`make demo`: an empty exchange, four states, two cases, and the e-mails. Exit status 0 only if all of it happened."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from client.system import Refused, System
from contracts.topology import OPERATOR
from demo.cast import BELGIUM, GERMANY, HUNGARY, SPAIN
from demo.legislation import publish_all
from demo.mails import reminders
from demo.onboarding import Address, Onboarding
from demo.playground import fresh_folder
from demo.requests import COMPANY, DIPLOMA
from demo.story import Story
from demo.timeline import Failed, Timeline
from deploy.local.addresses import login, quoted
from deploy.local.exchange import exchange
from deploy.local.mail import Mailbox

# A day of an area's periods lasts a second, so that a deadline can be watched.
QUICK: Final[Mapping[str, Mapping[str, str]]] = {
    "casework": {"IMI_DAY": "PT1S"},
    "notifier": {"IMI_POLL_EVERY": "PT0.5S"},
}


async def first_case(onboarding: Onboarding, told: Timeline) -> None:
    """A chamber of dentists in Germany asks Hungary whether a diploma is genuine."""
    told.chapter("Germany and Hungary join")
    async with onboarding.join(GERMANY) as chamber, onboarding.join(HUNGARY) as office:
        told.chapter("Is this diploma genuine? Germany asks in German, Hungary reads Hungarian")
        story = Story(chamber, office, DIPLOMA, told)
        case = (await story.ask()).id
        await story.accept(case)
        await story.answer(case)
        await story.close(case)


async def second_case(onboarding: Onboarding, told: Timeline, mailbox: Mailbox) -> None:
    """Lloret de Vistalegre asks Belgium about a construction company; Belgium lets the deadline pass first."""
    told.chapter("Spain and Belgium join")
    async with onboarding.join(SPAIN) as town, onboarding.join(BELGIUM) as register:
        told.chapter("Is this company lawfully established? Lloret de Vistalegre asks, Belgium reads French")
        story = Story(town, register, COMPANY, told)
        case = (await story.ask()).id
        await reminders(mailbox, register, case, told)
        await story.accept(case)
        await story.answer(case)
        await story.close(case)


async def tell(address: Address, password: str, systems: dict[str, str], mailbox: Mailbox | None) -> None:
    """Tell the whole story; without a mailbox to look into, the first case alone."""
    told = Timeline(Console(highlight=False, width=max(Console().width, 120)))
    async with System(address(OPERATOR, password)) as operator:
        await publish_all(operator, told)
        onboarding = Onboarding(operator, address, told, systems)
        await first_case(onboarding, told)
        if mailbox is not None:
            await second_case(onboarding, told, mailbox)
    told.chapter("Every step happened")


def on_this_machine() -> None:
    """Start everything, tell the story, stop everything. The logs stay only if something went wrong."""
    with fresh_folder("demo") as folder, exchange(folder, QUICK) as running:
        asyncio.run(tell(running.amqp_url, running.passwords[OPERATOR], running.systems, running.mailbox))


def on_a_running_one(file: Path) -> None:
    """Tell the first case on an exchange that runs already, from its operator's account alone."""
    described: dict[str, Any] = json.loads(file.read_text())
    amqp = described["amqp"]

    def address(system: str, password: str) -> str:
        return f"amqp://{login(system, password)}@{amqp['host']}:{amqp['port']}/{quoted(amqp['vhost'])}"

    asyncio.run(tell(address, described["systems"][OPERATOR], {}, None))


def main() -> None:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--exchange", type=Path, help="exchange.json of a running one; tells the first case only")
    parser.add_argument("--first-case", action="store_true", help="the first case only (given with --exchange)")
    chosen = parser.parse_args()
    try:
        on_a_running_one(chosen.exchange) if chosen.exchange else on_this_machine()
    except (Failed, Refused, TimeoutError) as error:
        sys.exit(f"The demonstration failed: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
