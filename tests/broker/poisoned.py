"""A casework that cannot handle a request whose comment is `poison`. Nothing of this is in the services."""

from collections.abc import Sequence
from typing import Any

import uvloop

from services.casework import app
from services.casework.handlers import CaseDesk
from services.chassis.intake import Command

POISON = "poison"
handle = CaseDesk.__call__


async def poisoned(self: CaseDesk, commands: Sequence[Command]) -> Any:
    """Fail over it, as a mistake in the code would."""
    for command in commands:
        if (comment := getattr(command.body, "comment", None)) and comment.text == POISON:
            raise KeyError(POISON)
    return await handle(self, commands)


if __name__ == "__main__":
    setattr(CaseDesk, "__call__", poisoned)  # noqa: B010 - mypy takes no assignment to a method
    uvloop.run(app.main())
