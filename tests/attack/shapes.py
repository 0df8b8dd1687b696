"""Bodies by the contracts' own schemas, and what becomes of them in hostile hands."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import ValidationError

from contracts.types import Message

Json = Any
Schema = Mapping[str, Any]

_WORDS: Final = st.text(max_size=12)
_MOST: Final = 3
"""Items of a list or entries of a map, where nothing asks for more."""


@functools.cache
def bodies(kind: type[Message]) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy for bodies of which most are such a message, whatever they say."""
    schema = kind.model_json_schema()
    return _by(schema, schema.get("$defs", {}))


def valid_bodies(kind: type[Message]) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy for bodies that pass as such a message."""
    return bodies(kind).filter(lambda body: _passes(kind, body))


def _passes(kind: type[Message], body: dict[str, Any]) -> bool:
    try:
        kind.model_validate_json(json.dumps(body))
    except ValidationError:
        return False
    return True


def _by(schema: Schema, defs: Mapping[str, Schema]) -> SearchStrategy[Any]:
    if "$ref" in schema:
        return st.deferred(lambda: _by(defs[schema["$ref"].rsplit("/", 1)[1]], defs))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([_by(one, defs) for one in schema[several]])
    return _MADE.get(schema.get("type", ""), _anything)(schema, defs)


def _anything(_schema: Schema, _defs: Mapping[str, Schema]) -> SearchStrategy[Any]:
    return st.none() | st.booleans() | st.integers(-100, 100) | _WORDS


def _object(schema: Schema, defs: Mapping[str, Schema]) -> SearchStrategy[dict[str, Any]]:
    fields = {name: _by(one, defs) for name, one in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    known = st.fixed_dictionaries(
        {name: one for name, one in fields.items() if name in required},
        optional={name: one for name, one in fields.items() if name not in required},
    )
    others = schema.get("additionalProperties")
    if not isinstance(others, Mapping):
        return known
    names = _by({"type": "string", **schema.get("propertyNames", {})}, defs)
    return st.dictionaries(names, _by(others, defs), max_size=_MOST)


def _array(schema: Schema, defs: Mapping[str, Schema]) -> SearchStrategy[list[Any]]:
    least = schema.get("minItems", 0)
    most = min(schema.get("maxItems", least + _MOST), least + _MOST)
    return st.lists(_by(schema.get("items", {}), defs), min_size=least, max_size=most)


def _string(schema: Schema, _defs: Mapping[str, Schema]) -> SearchStrategy[str]:
    form = _FORMS.get(schema.get("format", ""))
    if form is not None:
        return form
    if "pattern" in schema:
        pattern = str(schema["pattern"])
        return st.from_regex(pattern, fullmatch=pattern.endswith("$"))
    least = schema.get("minLength", 0)
    return st.text(min_size=least, max_size=min(schema.get("maxLength", least + 12), least + 12))


def _integer(schema: Schema, _defs: Mapping[str, Schema]) -> SearchStrategy[int]:
    return st.integers(schema.get("minimum", -1_000), schema.get("maximum", 1_000_000))


_FORMS: Final[Mapping[str, SearchStrategy[str]]] = {
    "date": st.dates().map(lambda one: one.isoformat()),
    "date-time": st.datetimes().map(lambda one: f"{one.isoformat()}Z"),
}
_MADE: Final[Mapping[str, Callable[[Schema, Mapping[str, Schema]], SearchStrategy[Any]]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": lambda *_: st.floats(allow_nan=False, allow_infinity=False),
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}

Twist = Callable[[Json, int], bytes]


def _plain(body: Json, _: int) -> bytes:
    return json.dumps(body).encode()


def _at_any_place(body: Json, number: int, put: Callable[[Any], Any]) -> Json:
    """Return the body with one of its values replaced: which, `number` says."""
    places = list(_places(body))
    if not places:
        return put(body)
    path = places[number % len(places)]
    changed = json.loads(json.dumps(body))
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = put(holder[path[-1]])
    return changed


def _places(body: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside: list[tuple[Any, Any]] = []
    if isinstance(body, dict):
        inside = list(body.items())
    elif isinstance(body, list):
        inside = list(enumerate(body))
    return [place for key, one in inside for place in ((*path, key), *_places(one, (*path, key)))]


def _replaced(value: Any) -> Twist:
    return lambda body, number: json.dumps(_at_any_place(body, number, lambda _: value)).encode()


def _raw(text: str) -> Twist:
    """Put something in place of a value that JSON's own writers would not write."""
    mark = '"\\u0000mark"'
    return lambda body, number: (
        json.dumps(_at_any_place(body, number, lambda _: "\0mark")).replace(mark, text).encode("utf-8", "surrogatepass")
    )


def _nested(depth: int) -> Json:
    return {"x": _nested(depth - 1)} if depth else 1


def _without(body: Json, number: int) -> bytes:
    keys = list(body)
    return json.dumps({key: body[key] for key in keys if key != keys[number % len(keys)]} if keys else {}).encode()


def _twice(body: Json, number: int) -> bytes:
    """The same key twice, with another value: whoever checks one and uses the other is deceived."""
    keys = list(body) or ["authority"]
    key = keys[number % len(keys)]
    return f'{{{json.dumps(key)}: "HU-00000000", {json.dumps(body)[1:]}'.encode()


PLAIN: Final = "as it should be"
TWISTS: Final[Mapping[str, Twist]] = {
    PLAIN: _plain,
    "a value missing": _without,
    "a key twice": _twice,
    "a key of nobody's": lambda body, _: json.dumps({**body, "__proto__": {"x": 1}, "$where": "1"}).encode(),
    "nothing for a value": _replaced(None),
    "a list for a value": _replaced([[], {}]),
    "an operator for a value": _replaced({"$gt": ""}),
    "a number beyond all numbers": _raw("1" * 5_000),
    "a number with an endless exponent": _raw("1e999999"),
    "not a number": _raw("NaN"),
    "minus infinity": _raw("-Infinity"),
    "a text of a hundred thousand letters": _replaced("A" * 100_000),
    "a zero byte": _replaced("a\0b"),
    "letters that run backwards": _replaced("\u202e\u2066evil"),
    "a thousand accents on one letter": _replaced("a" + "\u0301" * 1_000),
    "half a letter": _raw('"\\ud800"'),
    "bytes that are no UTF-8": lambda body, _: json.dumps(body).encode()[:-1] + b"\xff\xfe}",
    "a mark of byte order": lambda body, _: b"\xef\xbb\xbf" + json.dumps(body).encode(),
    "UTF-16": lambda body, _: json.dumps(body).encode("utf-16"),
    "deep lists": lambda body, _: b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "deep objects": lambda body, _: b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "cut off": lambda body, number: json.dumps(body).encode()[: max(1, number % 50)],
    "more behind it": lambda body, _: json.dumps(body).encode() + b"{}",
    "white space of a quarter of a megabyte": lambda body, _: json.dumps(body).encode() + b" " * (256 * 1024),
}
"""What is done to a body, by name."""


class Latin(str):
    """Text of which each letter goes out as one byte: a client library sends UTF-8, who wants harm need not."""

    __slots__ = ()

    def encode(self, encoding: str = "latin-1", errors: str = "strict") -> bytes:
        """Return its bytes."""
        return super().encode("latin-1", errors)


NO_UTF8: Final = Latin("\xff" * 255)
"""As long as a property may be. Read as text, each byte is replaced by a character of three: longer than it may be."""

_OPERATORS: Final = "casework.commands.operator"
_PUT_TERMS: Final = "registry.put_terms.v1"
_TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "none": {},
    "a death that never was": {
        "x-death": [
            {"reason": "expired", "queue": "casework.commands.operator", "exchange": "in.operator", "count": 9}
        ],
        "x-first-death-queue": _OPERATORS,
        "x-first-death-exchange": "in.operator",
        "x-first-death-reason": "expired",
    },
    "another's name": {
        "imi-user": "operator",
        "imi-queue": "registry.commands.operator",
        "imi-exchange": "in.operator",
    },
    "to have been parked": {
        "imi-reason": "unroutable",
        "imi-message-id": "1",
        "imi-cause": "1",
        "imi-redelivered": True,
    },
    "another exchange": {
        "x-exchange": "in.operator",
        "x-routing-key": "registry.put_terms.v1",
        "x-user-id": "operator",
    },
    "a place in a stream": {"x-stream-offset": 0, "x-stream-filter-value": "x"},
    "other properties": {"x-basic-type": _PUT_TERMS, "x-basic-expiration": "1", "x-basic-priority": 255},
    "a count of deliveries": {"x-delivery-count": 10_000, "x-acquired-count": 10_000},
    "a trace of words": {"traceparent": "planted", "tracestate": "x=" + "y" * 500},
    "a trace of others": {"traceparent": _TRACE, "baggage": ",".join(f"user{n}=operator" for n in range(500))},
    "a trace that is no text": {"traceparent": 10**12, "tracestate": [_TRACE] * 50, "baggage": {"a": True}},
    "many": {f"header-{number}": "x" * 20 for number in range(2_000)},
    "one as large as a frame": {"x": "y" * 130_700},
    "one in another": {"x": _nested(200)},
}
"""Headers that claim what the broker or a service would say, or are more than anybody needs."""

PROPERTIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "none": {},
    "compressed": {"content_encoding": "gzip"},
    "for somebody else": {"reply_to": "inbox.hu-hivatal|translation"},
    "urgent": {"priority": 255},
    "not for long": {"expiration": "1"},
    "for ever": {"expiration": "4294967295"},
    "of an application": {"app_id": "casework"},
    "correlated": {"correlation_id": "x" * 255},
    "correlated by no UTF-8": {"correlation_id": NO_UTF8},
    "of a type that is no UTF-8": {"message_type": NO_UTF8},
    "not to be kept": {"delivery_mode": 1},
}
