"""Reading what RabbitMQ's management API says."""

import json
from typing import Any


def read(answer: str) -> Any:
    """Return what is said in JSON; where an object has a name twice, the first value counts. Raises `ValueError`.

    RabbitMQ 4.0 says of a queue first what the queue itself says, then what it remembers of it, under the same names:
    one that stands still is "down", and then "running".
    """
    return json.loads(answer, object_pairs_hook=_first)


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))
