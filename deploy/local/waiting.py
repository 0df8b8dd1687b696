"""Wait for servers to come up, and for several at once."""

import asyncio
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import aiormq
import httpx

from deploy.local.addresses import Addresses

PAUSE = 0.1


def until(check: Callable[[], bool], what: str, within: float = 60) -> None:
    """Return when `check` holds, looking ten times a second; raises TimeoutError after `within` seconds."""
    end = time.monotonic() + within
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {within:g} s in vain: {what}")
        time.sleep(PAUSE)


def both(*actions: Callable[[], None]) -> None:
    """Do the actions at the same time; when some fail, raise the first failure after all have ended."""
    with ThreadPoolExecutor(len(actions)) as pool:
        done = [pool.submit(action) for action in actions]
    for each in done:
        each.result()


def rabbitmq_serves(addresses: Addresses) -> bool:
    """Tell whether the administrator can log in to the broker and to its management API."""
    return management_answers(addresses) and amqp_answers(addresses)


def management_answers(addresses: Addresses) -> bool:
    """Tell whether the management API knows the administrator."""
    admin = addresses.rabbit_admin
    try:
        context = ssl.create_default_context(cafile=addresses.ca)
        with httpx.Client(trust_env=False, timeout=5, verify=context) as client:
            url = f"{addresses.management_url}/api/whoami"
            return client.get(url, auth=(admin.name, admin.password)).status_code == 200
    except httpx.HTTPError:
        return False


def amqp_answers(addresses: Addresses) -> bool:
    """Tell whether the administrator can open a connection; may be called where an event loop runs."""
    admin = addresses.rabbit_admin
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, opens(addresses.amqp_url(admin.name, admin.password))).result()


async def opens(url: str) -> bool:
    """Open a connection and close it again."""
    try:
        async with asyncio.timeout(5):
            connection = await aiormq.connect(url)
            await connection.close()
    except (OSError, TimeoutError, aiormq.AMQPError):
        return False
    return True
