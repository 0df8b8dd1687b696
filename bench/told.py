"""What the processes that a round starts say of themselves: a JSON object a line."""

import json
from typing import Any


def tell(event: str, **more: Any) -> None:
    """Say what has happened: `begin` and `end` of what is measured, `progress`, and last the `result`."""
    print(json.dumps({"event": event, **more}), flush=True)
