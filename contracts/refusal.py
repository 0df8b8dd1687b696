"""Why something is not done."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stable code, one of `contracts.sentences.REFUSALS`, and the field of the command that is wrong."""

    code: str
    field: str | None = None
