"""The building blocks of every message: identifiers, people, free text, labels."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema

from contracts.languages import Language

SystemId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$")]
"""A connected system. Broker permissions are patterns in which it stands unescaped: hence the narrow alphabet."""

AuthorityId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[0-9A-Z]{8}$")]
CaseId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}(\.[1-9][0-9]?)?$")]
"""A case's number, the same for its whole life; a child's is its parent's with a part of its own behind the dot."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
"""Code of an area, a question, an option or a competence."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Email = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}$")]

Traceparent = Annotated[str, StringConstraints(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]
"""Where a trace is: W3C Trace Context. It holds no words."""


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("UTC has no such moment") from error


Moment = Annotated[datetime, AfterValidator(_in_utc)]
"""A moment that somebody asks for, in UTC, as the database keeps them all; without a zone it is UTC's."""

_COLLECTIONS: Final = frozenset({"list", "tuple", "set", "frozenset", "dict"})

Role = Literal["request-handler", "allocator", "referral-handler", "data-administrator", "basic-user"]


class Part(BaseModel):
    """A piece of a message. Unknown fields are refused, so that a typing error is told and not dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Have a list or map end at the first thing that is wrong with it: only the first is ever told."""
        schema = handler(source)
        _end_at_first_fault(schema, cls)
        return schema


def _end_at_first_fault(schema: Any, whole: type[Part]) -> None:
    """In one command there may be a hundred thousand: to note them all takes as long as to carry out many commands.

    Parts of the `whole` have done so themselves.
    """
    if isinstance(schema, list | tuple):
        for one in schema:
            _end_at_first_fault(one, whole)
    elif isinstance(schema, dict) and schema.get("cls") in (None, whole):
        if isinstance(schema.get("type"), str) and schema["type"] in _COLLECTIONS:
            schema["fail_fast"] = True
        for one in schema.values():
            _end_at_first_fault(one, whole)


class Message(Part):
    """A whole message. `TYPE` is its AMQP `type`; the number after `.v` changes when a reader could break."""

    TYPE: ClassVar[str]


M = TypeVar("M", bound=Message)


def read(kind: type[M], body: bytes) -> M:
    """Return a message that another part of the exchange has written. Raises `ValidationError`.

    Fields that are not known here are passed over, however deep: while an upgrade is under way the other side may be
    newer. What a connected system sends is never read so.
    """
    return kind.model_validate_json(body, extra="ignore")


class User(Part):
    """Who acts inside the authority. Asserted by its system, recorded by the exchange."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    role: Role


class FreeText(Part):
    """Words that somebody typed, marked with the language they are in."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    language: Language


class Amount(Part):
    """A sum of money: a decimal number as text, so that no cent is lost, and the currency's ISO 4217 code."""

    amount: Annotated[str, StringConstraints(max_length=40)]
    currency: Annotated[str, StringConstraints(max_length=3)]


class Span(Part):
    """From one day to another, both included (ISO 8601)."""

    begin: Annotated[str, StringConstraints(max_length=10)]
    end: Annotated[str, StringConstraints(max_length=10)]


class Label(Part):
    """A code and, once translated, what its reader reads for it."""

    code: str
    text: str | None = None


class MachineTranslation(Part):
    """What a machine made of a text in its reader's language. It binds nobody: `label` says so."""

    text: str
    language: Language
    label: Label


class ReadText(FreeText):
    """Free text as it is read. `looks_like` is a language that it seems to be in rather than in that of its mark.

    It may be mistaken: it warns, and nothing is refused for it.
    """

    looks_like: Label | None = None
    machine_translation: MachineTranslation | None = None


Value = (
    Annotated[str, Field(strict=True, max_length=200)]
    | Annotated[int, Field(strict=True)]
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
    | Annotated[tuple[Code, ...], Field(max_length=100)]
    | FreeText
    | Amount
    | Span
)
"""An answer: an option's code, several of them, a date (ISO 8601), a state's code, a code of a list, a number, free
text, an amount of money, or a period."""
