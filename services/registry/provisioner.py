"""The provisioner's process: makes in the broker what a connected system needs.

It alone has the broker's administrator right, and nothing else: no database, no command of any system reaches it.
"""

import uvloop
from pydantic import SecretStr
from pydantic_core import to_json

from contracts.identity import derived_uuid
from contracts.registry import Provision, Provisioned
from contracts.topology import RESERVED, system_topology
from services.chassis import logs
from services.chassis.bus import Outgoing
from services.chassis.feed import Feed, open_broker
from services.chassis.management import Management
from services.chassis.service import Parts, serve
from services.chassis.settings import BrokerSettings

NAME = "provisioner"


class Settings(BrokerSettings):
    """Besides the common ones: where the broker is administered, with the administrator's name and password."""

    management_url: SecretStr
    vhost: str = "imi"


class Provisioner:
    """Takes `Provision` and answers with `Provisioned`. Doing it twice changes nothing."""

    def __init__(self, management: Management, feed: Feed, vhost: str) -> None:
        """Administer by `management`, answer by `feed`."""
        self._management = management
        self._feed = feed
        self._vhost = vhost

    async def provision(self, order: Provision) -> None:
        """Make the account, exchange, lanes, inbox and bindings of a system; then say so. Raises `ValueError`."""
        if order.system in RESERVED:
            raise ValueError("a reserved name")
        await self._management.apply(system_topology(order.system, order.password_hash, self._vhost))
        answer = Provisioned(system=order.system)
        message_id = derived_uuid("provisioned", order.system, order.password_hash)
        await self._feed.publish(Outgoing("provisioned", answer.TYPE, to_json(answer), message_id))


async def main() -> None:
    """Run the provisioner until it is told to stop."""
    settings = Settings.load()
    logs.configure(NAME, settings.log_level)
    broker = open_broker(settings.amqp_url.get_secret_value())
    feed = Feed(broker, NAME, f"{NAME}.tasks")
    management = Management(settings.management_url.get_secret_value())
    feed.on(Provision, Provisioner(management, feed, settings.vhost).provision)
    await serve(Parts(broker, probes=[feed.ready], end=[management.close]), settings)


if __name__ == "__main__":
    uvloop.run(main())
