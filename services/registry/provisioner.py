"""The provisioner's process: makes in the broker what connected systems need, and takes it away again.

It alone has the broker's administrator right, and nothing else: no database, no command of any system reaches it.
"""

import uvloop
from pydantic_core import to_json

from contracts.directory import Provision, Provisioned, Reconcile
from contracts.identity import derived_uuid
from services.chassis import logs, tracing
from services.chassis.bus import Outgoing
from services.chassis.feed import Feed, open_broker
from services.chassis.management import Management
from services.chassis.service import Parts, serve
from services.chassis.settings import Address, BrokerSettings
from services.registry.enforcing import Enforcer
from services.registry.repairing import Repairer

NAME = "provisioner"


class Settings(BrokerSettings):
    """Besides the common ones: where the broker is administered, with the administrator's name and password."""

    management_url: Address
    vhost: str = "imi"
    kept_accounts: frozenset[str] = frozenset()
    """Accounts of the broker, besides the services' and its administrator's, that are no system's and stay."""


class Provisioner:
    """Takes `Provision` and answers with `Provisioned`. Doing it twice changes nothing."""

    def __init__(self, enforcer: Enforcer, feed: Feed) -> None:
        """Administer by `enforcer`, answer by `feed`."""
        self._enforcer = enforcer
        self._feed = feed

    async def provision(self, order: Provision) -> None:
        """Make in the broker what a system should have there; then say so. Raises `ValueError`."""
        await self._enforcer.enforce(order)
        await self.tell(order)

    async def tell(self, order: Provision) -> None:
        """Say that the broker has what this version of a system asks for."""
        answer = Provisioned(system=order.system, version=order.version)
        message_id = derived_uuid("provisioned", order.system, str(order.version))
        await self._feed.publish(Outgoing("provisioned", answer.TYPE, to_json(answer), message_id))


async def main() -> None:
    """Run the provisioner until it is told to stop."""
    settings = Settings.load()
    logs.configure(NAME, settings.log_level)
    tracing.configure(NAME, settings.otlp_endpoint, settings.trace_share)
    broker = open_broker(settings.amqp_url.get_secret_value())
    feed = Feed(broker, NAME, f"{NAME}.tasks")
    management = Management(settings.management_url.get_secret_value())
    enforcer = Enforcer(management, settings.vhost)
    provisioner = Provisioner(enforcer, feed)
    kept = {management.administrator, *settings.kept_accounts}
    repairer = Repairer(enforcer, management, feed, provisioner.tell, kept)
    feed.on(Provision, provisioner.provision)
    feed.on(Reconcile, repairer.reconcile)
    end = [repairer.end, enforcer.finish, management.close]
    await serve(NAME, Parts(broker, probes=[feed.ready], begin=[repairer.begin], end=end), settings)


if __name__ == "__main__":
    uvloop.run(main())
