"""The file of the states that take part: each with its languages, its capital's time zone and its regions' prefix."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

_LARGEST_FILE: Final = 256 * 1024


class BadStates(ValueError):
    """The file of states cannot be relied upon; says where it is and what is wrong with it."""


def _a_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, LookupError, ValueError) as error:
        raise ValueError("not a time zone of the IANA database") from error
    return name


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if repeated := _repeated(values):
        raise ValueError(f"stands twice: {repeated}")
    return values


class StateEntry(BaseModel):
    """A state that takes part. `languages` are its official ones in their order, as far as the exchange has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    nuts: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    """With what the codes of its regions begin (Regulation (EC) 1059/2003, Annex I)."""
    zone: Annotated[str, StringConstraints(max_length=64), AfterValidator(_a_zone)]
    languages: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")], ...],
        Field(min_length=1, max_length=26),
        AfterValidator(_each_once),
    ]


_FILE: Final = TypeAdapter(Annotated[tuple[StateEntry, ...], Field(max_length=200)])


def read_states(path: Path) -> tuple[StateEntry, ...]:
    """Return the states of a file, in its order. Raises `BadStates`."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise BadStates(f"{path}: {error.strerror or 'cannot be read'}") from error
    if len(content) > _LARGEST_FILE:
        raise BadStates(f"{path}: too large for a list of states")
    try:
        states = _FILE.validate_json(content)
    except ValidationError as error:
        raise BadStates(f"{path}: {'; '.join(_words(error))}") from error
    if not states:
        raise BadStates(f"{path}: no state at all")
    for name, values in (("code", [one.code for one in states]), ("nuts", [one.nuts for one in states])):
        if repeated := _repeated(values):
            raise BadStates(f"{path}: {name} stands twice: {repeated}")
    return states


def _words(error: ValidationError) -> Iterable[str]:
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(step) for step in one["loc"])
        yield f"{where}: {one['msg']}" if where else one["msg"]


def _repeated(values: Iterable[str]) -> str:
    return ", ".join(value for value, count in Counter(values).items() if count > 1)
