"""The AsyncAPI document of what the services of the exchange say to each other. No connected system sees any of it."""

import inspect
from importlib.metadata import version
from typing import Any, Final

from contracts import dates, directory, own, translation
from contracts.inbox import Views
from contracts.topology import SERVICES, VHOST, exchange_topology
from contracts.types import Message
from tools.examples import of_type
from tools.exchange_document import BINDING, summary, title
from tools.schemas import Json, components

ABOUT: Final = (
    "What the services of the exchange say to each other. No connected system sees or sends any of it. Each service "
    "writes one exchange, which has its name, and reads its own queues; an event may come again or late, and is known "
    "by its `message_id` and version."
)
SAID: Final[tuple[tuple[str, str, type[Message]], ...]] = (
    # (exchange, routing key, what is said)
    *((service, "views", Views) for service in SERVICES[:3]),
    ("registry", "event.authority", directory.AuthorityState),
    ("registry", "event.system", directory.SystemState),
    ("registry", "event.authorities", directory.Replayed),
    ("registry", "terms", directory.TermsChanged),
    ("registry", "provision", directory.Provision),
    ("registry", "reconcile", directory.Reconcile),
    ("provisioner", "provisioned", directory.Provisioned),
    ("provisioner", "reconciled", directory.Reconciled),
    *((copying, "compare", directory.Compare) for copying in SERVICES[1:]),
    *(("registry", f"replay.{copying}", directory.Replayed) for copying in SERVICES[1:]),
    ("casework", "dates", dates.AllDates),
    *(("casework", own.routing_key(model), model) for model in own.OWN),
    ("translation", "event.area", translation.AreaPublished),
    ("translation", "replay.casework", translation.AreaPublished),
)
MODELS: Final = {model.TYPE: model for _, _, model in SAID}


def document() -> Json:
    """Return the document."""
    schemas: Json = {}
    for model in MODELS.values():
        schemas |= components(model, "", closed=True)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Inside the IMI exchange", "version": version("imi-exchange"), "description": ABOUT},
        "defaultContentType": "application/json",
        "channels": {_name(source, key): _channel(source, key, model) for source, key, model in SAID},
        "operations": {f"{_name(source, key)}.send": _send(source, key, model) for source, key, model in SAID},
        "components": {"messages": {kind: _message(model) for kind, model in MODELS.items()}, "schemas": schemas},
    }


def _name(source: str, key: str) -> str:
    return f"{source}.{key}"


def _channel(source: str, key: str, model: type[Message]) -> Json:
    exchange = {"name": source, "type": "topic", "durable": True, "autoDelete": False, "vhost": VHOST}
    readers = ", ".join(f"`{queue}`" for queue in _readers(source, key))
    return {
        "address": key,
        "description": f"Read from {readers}.",
        "messages": {model.TYPE: {"$ref": f"#/components/messages/{model.TYPE}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}},
    }


def _readers(source: str, key: str) -> list[str]:
    bindings: list[dict[str, Any]] = exchange_topology(_NO_PASSWORDS)["bindings"]
    return [one["destination"] for one in bindings if one["source"] == source and _takes(one["routing_key"], key)]


def _takes(pattern: str, key: str) -> bool:
    return pattern == key or (pattern.endswith(".#") and key.startswith(pattern.removesuffix("#")))


def _send(source: str, key: str, model: type[Message]) -> Json:
    channel = f"#/channels/{_name(source, key)}"
    return {
        "action": "send",
        "title": f"{source} says {key}",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{model.TYPE}"}],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": BINDING}},
    }


def _message(model: type[Message]) -> Json:
    return {
        "name": model.TYPE,
        "title": title(model),
        "summary": summary(model),
        "description": inspect.getdoc(model),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{model.TYPE}"},
        "bindings": {"amqp": {"messageType": model.TYPE, "bindingVersion": BINDING}},
        "examples": [{"name": one.path.stem, "payload": one.body} for one in of_type(model.TYPE)],
    }


_NO_PASSWORDS: Final = dict.fromkeys((*SERVICES, "provisioner"), "")
