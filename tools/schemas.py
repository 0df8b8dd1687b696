"""The JSON Schema of each message, from its model.

Commands are closed: the exchange refuses a field that it does not know. What a system reads is open: a later version of
the exchange may add fields, and a reader passes over what it does not know.
"""

from collections.abc import Iterator
from typing import Any, Final

from contracts.types import Message

Json = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_OPENAPI_ALONE: Final = "discriminator"


def schema(model: type[Message], *, closed: bool) -> Json:
    """Return the schema, its parts under `$defs`."""
    made = model.model_json_schema()
    for node in _objects(made):
        _tidy(node, closed=closed)
    return made


def standalone(model: type[Message], examples: list[Json], *, closed: bool) -> Json:
    """Return the schema as a document of its own."""
    made = schema(model, closed=closed)
    return {"$schema": DIALECT, "$id": f"{model.TYPE}.json", **made, "examples": examples}


def components(model: type[Message], prefix: str, *, closed: bool) -> Json:
    """Return the schema and its parts by name, referring to each other as AsyncAPI components.

    The message's own name is its type; `prefix` stands before the names of its parts.
    """
    made = schema(model, closed=closed)
    for node in _objects(made):
        if "$ref" in node:
            node["$ref"] = f"#/components/schemas/{prefix}{node['$ref'].rsplit('/', 1)[1]}"
    parts: Json = made.pop("$defs", {})
    return {model.TYPE: made} | {f"{prefix}{name}": part for name, part in parts.items()}


def _tidy(node: Json, *, closed: bool) -> None:
    """Make one object of the schema say what the exchange does."""
    node.pop(_OPENAPI_ALONE, None)
    if isinstance(node.get("title"), str):
        del node["title"]
    if "patternProperties" in node and closed:
        node["additionalProperties"] = False
    if node.get("additionalProperties") is False and not closed:
        del node["additionalProperties"]


def _objects(node: Any) -> Iterator[Json]:
    """Every object in a schema, from the inside out."""
    if isinstance(node, dict):
        for value in node.values():
            yield from _objects(value)
        yield node
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)
