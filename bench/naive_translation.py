"""Translation in plain FastStream: one subscriber, and for each message its publishes, one after the other.

The rendering is translation's own. Which languages each reader reads is read once at the start.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import uvloop
from faststream.rabbit import RabbitBroker
from pydantic_core import to_json

import contracts
from bench.naive_broker import Publisher, open_broker, subscriber
from contracts.languages import LAST_RESORT
from contracts.sentences import SENTENCES
from contracts.topology import inbox_of
from services.chassis import catalogue, mongo
from services.chassis.mongo import Database
from services.chassis.service import Parts, serve
from services.chassis.settings import ServiceSettings
from services.translation.reading import Reading, Sentences, in_order
from services.translation.render import Json, area_of, render
from services.translation.store import Store

NAME: Final = "translation"


class Translation:
    """The handler."""

    def __init__(
        self, broker: RabbitBroker, store: Store, sentences: Sentences, languages: Mapping[str, tuple[str, ...]]
    ) -> None:
        """`languages` of each reader; `store` for the texts of areas, which it keeps in memory."""
        self._out = Publisher(broker, NAME)
        self._store = store
        self._sentences = sentences
        self._languages = languages

    def subscribe(self, broker: RabbitBroker) -> None:
        """Take the views."""

        @subscriber(broker, f"{NAME}.views")
        async def on_views(body: dict[str, Any]) -> None:
            for view in body["views"]:
                await self._publish(view)

    async def _publish(self, view: Json) -> None:
        wanted = area_of(view["message"])
        names: list[str] = [name for name in (view.get("reader"), view["to"]) if name]
        spoken = in_order(next((self._languages[name] for name in names if name in self._languages), (LAST_RESORT,)))
        areas = {wanted: await self._store.area_texts(*wanted, spoken)} if wanted else {}
        kind = render(view["message"], Reading(spoken, self._sentences), areas)
        cause = view.get("correlation_id")
        await self._out.body(inbox_of(view["to"]), kind, to_json(view["message"]), view["message_id"], cause)


async def _languages(database: Database) -> dict[str, tuple[str, ...]]:
    return {str(found["_id"]): tuple(found["languages"]) async for found in database["readers"].find({})}


async def main() -> None:
    """Run until told to stop."""
    settings = ServiceSettings.load()
    database = mongo.connect(settings.mongo_url.get_secret_value(), settings.mongo_database)
    sentences = catalogue.read_all(Path(contracts.__file__).parent / "locale", SENTENCES)
    broker = open_broker(settings.amqp_url.get_secret_value())
    Translation(broker, Store(database), sentences, await _languages(database)).subscribe(broker)
    await serve("translation", Parts(broker, probes=[functools.partial(broker.ping, 5.0)]), settings)


if __name__ == "__main__":
    uvloop.run(main())
