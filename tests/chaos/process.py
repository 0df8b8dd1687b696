"""A service's process as the faults need it. Nothing of this is in the services.

It goes the ways that IMI_TEST_ROUTES names (a port in place of another), and kills or freezes itself at any point of
the chain when IMI_TEST_MARK says so.
"""

import json
import os
from typing import Any

from pymongo import pool_shared

from services.notifier.planning import Deadlines
from services.notifier.records import Emails
from services.notifier.smtp import Courier
from services.notifier.waiting import Waiting
from tests.broker.faulty import POINTS, Point, after, before, install, run

OF_MAILS: dict[str, Point] = {
    "before plans are kept": (before, Deadlines, "plan"),
    "between plans and notices": (after, Deadlines, "plan"),
    "between a turn and its mail": (after, Waiting, "take"),
    "between binding and sending": (after, Waiting, "bind"),
    "before a mail is handed over": (before, Courier, "send"),
    "between a mail and its record": (before, Emails, "record"),
    "between a record and the end of its turn": (after, Emails, "record"),
}
URLS = ("IMI_AMQP_URL", "IMI_MANAGEMENT_URL")


def go_by(routes: dict[str, int]) -> None:
    """Reach the ports in `routes` by others."""
    for name in URLS:
        for port, other in routes.items():
            if name in os.environ:
                os.environ[name] = os.environ[name].replace(f"127.0.0.1:{port}", f"127.0.0.1:{other}")
    connect = pool_shared._async_create_connection

    async def by_another_way(address: Any, options: Any) -> Any:
        # A member of a replica set is known by its own address: no URL could name another.
        return await connect((address[0], routes.get(str(address[1]), address[1])), options)

    pool_shared._async_create_connection = by_another_way


if __name__ == "__main__":
    go_by(json.loads(os.environ["IMI_TEST_ROUTES"]))
    for point, there in (POINTS | OF_MAILS).items():
        install(point, there)
    run()
