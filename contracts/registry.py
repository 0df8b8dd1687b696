"""What the registry takes and gives: onboarding of authorities and systems, searches, and their events."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from contracts.languages import Language, State
from contracts.types import AuthorityId, Code, Email, FreeText, Message, Name, Part, SystemId, User

Status = Literal["pending", "active", "rejected"]
Kind = Literal["authority", "national-coordinator"]

PasswordHash = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{48}$")]
"""RabbitMQ's salted SHA-256: base64 of four bytes of salt and the digest. The password itself never travels."""


class Details(Part):
    """What an authority says of itself. `languages` in the order in which it would rather read."""

    country: State
    names: Annotated[dict[Language, Name], Field(min_length=1, max_length=26)]
    city: Name
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=6)]
    contacts: Annotated[tuple[Email, ...], Field(min_length=1, max_length=5)]
    areas: Annotated[tuple[Code, ...], Field(max_length=50)] = ()


class Account(Part):
    """The broker account of a system: its name and the salted hash of a password that its owner alone knows."""

    system: SystemId
    password_hash: PasswordHash
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=6)]


class AppointCoordinator(Message):
    """The operator appoints the national coordinator (NIMIC) of a state and connects its system."""

    TYPE: ClassVar[str] = "registry.appoint_coordinator.v1"
    details: Details
    account: Account
    user: User


class ConnectSystem(Message):
    """A coordinator connects a system of its state."""

    TYPE: ClassVar[str] = "registry.connect_system.v1"
    authority: AuthorityId
    account: Account
    user: User


class Apply(Message):
    """The sending system applies for an authority that it will act for; `coordinator` decides."""

    TYPE: ClassVar[str] = "registry.apply.v1"
    coordinator: AuthorityId
    details: Details
    user: User


class Approve(Message):
    """The validating coordinator approves an application: the authority becomes active."""

    TYPE: ClassVar[str] = "registry.approve.v1"
    authority: AuthorityId
    applicant: AuthorityId
    user: User


class Reject(Message):
    """The validating coordinator rejects an application, and says why."""

    TYPE: ClassVar[str] = "registry.reject.v1"
    authority: AuthorityId
    applicant: AuthorityId
    reason: FreeText
    user: User


class Search(Message):
    """Find active authorities by country, area and the beginning of any word of a name, in any combination."""

    TYPE: ClassVar[str] = "registry.search.v1"
    country: State | None = None
    area: Code | None = None
    name: Annotated[str, StringConstraints(min_length=2, max_length=100)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


COMMANDS: tuple[type[Message], ...] = (AppointCoordinator, ConnectSystem, Apply, Approve, Reject, Search)


class AuthorityState(Message):
    """Event: an authority as it now is. The higher version is the newer."""

    TYPE: ClassVar[str] = "registry.authority.v1"
    id: AuthorityId
    version: int
    status: Status
    kind: Kind
    details: Details
    system: SystemId
    coordinator: AuthorityId | None = None


class SystemState(Message):
    """Event: a system has its account, exchange, lanes and inbox. The higher version is the newer."""

    TYPE: ClassVar[str] = "registry.system.v1"
    id: SystemId
    version: int
    languages: tuple[Language, ...]
    state: State


class Provision(Message):
    """The registry asks its provisioner to make, or make again, what a system needs in the broker."""

    TYPE: ClassVar[str] = "registry.provision.v1"
    system: SystemId
    password_hash: PasswordHash


class Provisioned(Message):
    """The provisioner's answer: the broker now has everything that this system needs."""

    TYPE: ClassVar[str] = "provisioner.provisioned.v1"
    system: SystemId


class Card(Part):
    """An authority as anybody finds it: no contact addresses, no system."""

    id: AuthorityId
    status: Status
    kind: Kind
    country: State
    names: dict[Language, str]
    city: str
    languages: tuple[Language, ...]
    areas: tuple[Code, ...]
    reason: FreeText | None = None


EVENTS: tuple[type[Message], ...] = (AuthorityState, SystemState)
