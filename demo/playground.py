"""`make up`: an exchange with four states in it, until Ctrl-C, for anyone who wants to play."""

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from client.system import System
from contracts.topology import OPERATOR
from demo.cast import BELGIUM, GERMANY, HUNGARY, SPAIN
from demo.legislation import publish_all
from demo.onboarding import Onboarding
from demo.timeline import Timeline
from deploy.local.exchange import Exchange, exchange

LOCAL: Final = Path(".local")
DESCRIPTION: Final = LOCAL / "exchange.json"


@contextmanager
def fresh_folder(prefix: str) -> Iterator[Path]:
    """Give an empty folder under `.local`; it is removed in the end, unless something went wrong."""
    LOCAL.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=LOCAL))
    try:
        yield folder
    except Exception:
        print(f"The logs are in {folder / 'logs'}", file=sys.stderr)
        raise
    except BaseException:  # told to end
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


async def populate(running: Exchange, console: Console) -> None:
    """Publish the legislation and let four states join."""
    told = Timeline(console)
    async with System(running.amqp_url(OPERATOR, running.passwords[OPERATOR])) as operator, AsyncExitStack() as stack:
        await publish_all(operator, told)
        onboarding = Onboarding(operator, running.amqp_url, told, running.systems)
        for member in (GERMANY, HUNGARY, SPAIN, BELGIUM):
            await stack.enter_async_context(onboarding.join(member))


def addresses(running: Exchange) -> Table:
    """Show where everything listens."""
    table = Table("what", "where")
    table.add_row("AMQP", f"{running.addresses.amqp_host}:{running.addresses.amqp_port}")
    table.add_row("RabbitMQ management", running.addresses.management_url)
    table.add_row("SMTP", running.smtp_url)
    for replica in running.replicas:
        table.add_row(replica.service, f"{replica.url}/metrics  {replica.url}/health/ready")
    return table


def main() -> None:
    """Run until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), fresh_folder("up") as folder, exchange(folder) as running:
        play(running, Console())


def play(running: Exchange, console: Console) -> None:
    """Say how to connect, and wait for Ctrl-C."""
    asyncio.run(populate(running, console))
    running.write(DESCRIPTION)
    console.print(addresses(running))
    console.print(f"Accounts of all systems: {DESCRIPTION}. Ctrl-C ends it.")
    try:
        signal.pause()
    finally:
        DESCRIPTION.unlink()


if __name__ == "__main__":
    main()
