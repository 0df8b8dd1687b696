"""The AsyncAPI document of what a connected system sees: what it may send, and what it reads."""

import inspect
from importlib.metadata import version
from typing import Final

from contracts.catalogue import COMMANDS, INBOX
from contracts.inbox import Outcome
from contracts.topology import VHOST, exchange_of, inbox_of
from contracts.types import Message
from tools.examples import of_type
from tools.schemas import Json, components

BINDING: Final = "0.3.0"
SYSTEM: Final = "{system}"
ABOUT: Final = (
    "What an IT system of a member state sends to the Internal Market Information exchange, and what it reads. "
    "Written from the side of that system: `send` is what it does. `{system}` stands for its name, which is also its "
    "AMQP user.\n\n"
    "`docs/connecting.md` says the rest: accounts, rules, refusals, and a whole case from the search to the closing."
)
COMMAND_PROPERTIES: Final[Json] = {
    "type": "object",
    "description": "The AMQP properties of a command; `traceparent` alone is an entry of the header table.",
    "required": ["message_id", "user_id", "type", "content_type", "delivery_mode"],
    "properties": {
        "message_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128,
            "description": "Chosen by the system; new for each command.",
        },
        "user_id": {"type": "string", "description": "The name of the system."},
        "type": {"type": "string", "description": "The type of the message; the routing key is the same."},
        "content_type": {"const": "application/json"},
        "delivery_mode": {"const": 2, "description": "Persistent."},
        "expiration": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "Milliseconds. A command that waits longer is refused.",
        },
        "traceparent": {"type": "string", "maxLength": 64, "description": "W3C Trace Context, if the system has one."},
    },
}
INBOX_PROPERTIES: Final[Json] = {
    "type": "object",
    "description": "The AMQP properties of a message in the inbox.",
    "required": ["message_id", "type", "content_type"],
    "properties": {
        "message_id": {"type": "string", "description": "The same when the message is repeated."},
        "correlation_id": {"type": "string", "description": "Of an outcome: the command's `message_id`."},
        "type": {"type": "string"},
        "content_type": {"const": "application/json"},
        "delivery_mode": {"const": 2},
        "timestamp": {"type": "integer", "description": "When it was published: seconds since 1970."},
    },
}


def document() -> Json:
    """Return the document."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "IMI exchange", "version": version("imi-exchange"), "description": ABOUT, "tags": _tags()},
        "defaultContentType": "application/json",
        "servers": {"exchange": _server()},
        "channels": {**{kind: _command_channel(kind) for kind in COMMANDS}, "inbox": _inbox_channel()},
        "operations": {
            **{f"send.{kind}": _send(kind) for kind in COMMANDS},
            **{f"read.{kind}": _read(kind) for kind in INBOX},
        },
        "components": {
            "securitySchemes": {
                "account": {"type": "userPassword", "description": "The system's AMQP user and password."}
            },
            "correlationIds": {
                "command": {"location": "$message.header#/message_id", "description": "Repeated in the outcome."},
                "outcome": {
                    "location": "$message.header#/correlation_id",
                    "description": "The command's `message_id`.",
                },
            },
            "messages": {kind: message(model) for kind, model in {**COMMANDS, **INBOX}.items()},
            "schemas": _schemas(),
        },
    }


def message(model: type[Message]) -> Json:
    """Return the AsyncAPI message of a model."""
    command = model.TYPE in COMMANDS
    correlated = {"$ref": f"#/components/correlationIds/{'command' if command else 'outcome'}"}
    return {
        "name": model.TYPE,
        "title": title(model),
        "summary": summary(model),
        "description": inspect.getdoc(model),
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/properties-of-{'commands' if command else 'the-inbox'}"},
        "payload": {"$ref": f"#/components/schemas/{model.TYPE}"},
        **({"correlationId": correlated} if command or model is Outcome else {}),
        "bindings": {"amqp": {"messageType": model.TYPE, "bindingVersion": BINDING}},
        "examples": [
            {"name": example.path.stem, "headers": example.properties, "payload": example.body}
            for example in of_type(model.TYPE)
        ],
    }


def title(model: type[Message]) -> str:
    """Return the name of a message in words."""
    words = model.TYPE.split(".")[1].replace("_", " ")
    return words[0].upper() + words[1:]


def summary(model: type[Message]) -> str:
    """Return the first line of what is said of a message."""
    return (inspect.getdoc(model) or "").splitlines()[0]


def _server() -> Json:
    return {
        "host": "{host}:{port}",
        "pathname": f"/{VHOST}",
        "protocol": "amqps",
        "protocolVersion": "0.9.1",
        "description": "The operator of the exchange names host and port.",
        "variables": {"host": {"default": "exchange.example"}, "port": {"default": "5671"}},
        "security": [{"$ref": "#/components/securitySchemes/account"}],
    }


def _tags() -> list[Json]:
    about = {
        "registry": "Authorities and systems: who takes part, and how to find them.",
        "casework": "Requests for information.",
        "translation": "Legislation, published by the operator.",
        "inbox": "What a system reads.",
    }
    return [{"name": name, "description": text} for name, text in about.items()]


def _command_channel(kind: str) -> Json:
    exchange = {"name": exchange_of(SYSTEM), "type": "topic", "durable": True, "autoDelete": False, "vhost": VHOST}
    return {
        "address": kind,
        "description": f"The system's own exchange, `{exchange_of(SYSTEM)}`, with the type as routing key.",
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}},
    }


def _inbox_channel() -> Json:
    queue = {"name": inbox_of(SYSTEM), "durable": True, "exclusive": False, "autoDelete": False, "vhost": VHOST}
    return {
        "address": inbox_of(SYSTEM),
        "description": "The system's own queue. It is there already; a system declares nothing.",
        "parameters": {"system": {"description": "The name of the system."}},
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in INBOX},
        "bindings": {"amqp": {"is": "queue", "queue": queue, "bindingVersion": BINDING}},
    }


def _send(kind: str) -> Json:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{kind}"},
        "summary": summary(COMMANDS[kind]),
        "tags": [{"name": kind.partition(".")[0]}],
        "messages": [{"$ref": f"#/channels/{kind}/messages/{kind}"}],
        "bindings": {"amqp": {"userId": SYSTEM, "deliveryMode": 2, "mandatory": True, "bindingVersion": BINDING}},
        "reply": {"channel": {"$ref": "#/channels/inbox"}, "messages": [_in_inbox(Outcome.TYPE)]},
    }


def _read(kind: str) -> Json:
    return {
        "action": "receive",
        "channel": {"$ref": "#/channels/inbox"},
        "summary": summary(INBOX[kind]),
        "tags": [{"name": "inbox"}],
        "messages": [_in_inbox(kind)],
        "bindings": {"amqp": {"ack": True, "deliveryMode": 2, "bindingVersion": BINDING}},
    }


def _in_inbox(kind: str) -> Json:
    return {"$ref": f"#/channels/inbox/messages/{kind}"}


def _schemas() -> Json:
    made: Json = {"properties-of-commands": COMMAND_PROPERTIES, "properties-of-the-inbox": INBOX_PROPERTIES}
    for model in COMMANDS.values():
        made |= components(model, "", closed=True)
    for model in INBOX.values():
        made |= components(model, "inbox.", closed=False)
    return made
