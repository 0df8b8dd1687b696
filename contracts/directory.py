"""What the registry gives: an authority as others see it, and the events that keep their copies true."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.languages import Language, State
from contracts.registry import CertificateSubject, Details, Kind, PasswordHash, Realm, Region, Scope, Status, Term
from contracts.types import AuthorityId, Code, FreeText, Message, Part, SystemId, User

AuthorityHappening = Literal[
    "appointed",
    "invited",
    "applied",
    "registered",
    "approved",
    "rejected",
    "access-granted",
    "access-withdrawn",
    "updated",
    "change-proposed",
    "change-approved",
    "change-refused",
    "suspended",
    "reinstated",
    "closed",
    "system-assigned",
]
SystemHappening = Literal["connected", "rotated", "suspended", "reinstated", "closed"]
SystemStatus = Literal["active", "suspended", "closed"]
MatchKind = Literal["exact-name", "name-beginning", "all-words", "some-words", "competence", "filter"]


class Access(Part):
    """An authority's access to a legislative area: what it does there, who granted it, who mediates, who observes."""

    scope: Scope
    coordinator: AuthorityId
    request_coordinators: tuple[AuthorityId, ...]
    linked: tuple[AuthorityId, ...] = ()


class Card(Part):
    """An authority as anybody finds it: no contact addresses, no system. `areas` are those it has access to."""

    id: AuthorityId
    status: Status
    kind: Kind
    country: State
    names: dict[Language, str]
    short_name: str | None = None
    region: Region | None = None
    city: str
    languages: tuple[Language, ...]
    areas: tuple[Code, ...]
    reason: FreeText | None = None


class FullCard(Card):
    """An authority with how it is reached and what it does, for one that was found."""

    address: tuple[str, ...]
    contacts: tuple[str, ...]
    realm: Realm | None = None
    coordinator: AuthorityId | None = None
    access: dict[Code, Access]


class Asked(Part):
    """What an authority asks its coordinator for: to take part, another name, another region, further areas."""

    names: dict[Language, str] | None = None
    region: Region | None = None
    realm: Realm | None = None
    areas: dict[Code, Scope]


class Match(Part):
    """Why an authority was found, best kind first, and by which words of the search."""

    kind: MatchKind
    text: str | None = None
    words: tuple[str, ...] = ()


class Found(Part):
    """An authority that was found."""

    card: Card
    match: Match


class TrailEntry(Part):
    """What happened to an authority: who, when, why."""

    what: AuthorityHappening
    at: datetime
    by: str
    user: User
    area: Code | None = None
    reason: FreeText | None = None


class AuthorityState(Message):
    """Event: an authority as it now is, and what made it so. The higher version is the newer.

    `successor` gets its open cases once it is closed.
    """

    TYPE: ClassVar[str] = "registry.authority.v1"
    id: AuthorityId
    version: int
    status: Status
    kind: Kind
    details: Details
    realm: Realm | None = None
    access: dict[Code, Access] = Field(default_factory=dict)
    system: SystemId
    coordinator: AuthorityId | None = None
    successor: AuthorityId | None = None
    happened: AuthorityHappening | None = None
    at: datetime | None = None


class SystemState(Message):
    """Event: a system as it now is; once it is active, its account, exchange, lanes and inbox are there.

    The higher version is the newer.
    """

    TYPE: ClassVar[str] = "registry.system.v1"
    id: SystemId
    version: int
    status: SystemStatus = "active"
    languages: tuple[Language, ...]
    state: State


class Provision(Message):
    """What the broker should have of a system, in this version: the registry's word to its provisioner."""

    TYPE: ClassVar[str] = "registry.provision.v1"
    system: SystemId
    version: int
    status: SystemStatus
    password_hash: PasswordHash | None = None
    certificate_subject: CertificateSubject | None = None


class Provisioned(Message):
    """The provisioner's answer: the broker has of this system what it should in this version."""

    TYPE: ClassVar[str] = "provisioner.provisioned.v1"
    system: SystemId
    version: int


class Reconcile(Message):
    """All systems that the broker should know whose names lie after `after`, up to `upto`, and no others there.

    The first chunk has no `after`, the last no `upto`.
    """

    TYPE: ClassVar[str] = "registry.reconcile.v1"
    after: SystemId | None = None
    upto: SystemId | None = None
    systems: Annotated[tuple[Provision, ...], Field(max_length=500)]


class Reconciled(Message):
    """What the provisioner found different from what it should be, and repaired."""

    TYPE: ClassVar[str] = "provisioner.reconciled.v1"
    repaired: tuple[SystemId, ...]
    removed: tuple[str, ...]
    """Accounts that no system has; whoever made them chose the names."""


class Tally(Part):
    """How many things a copy holds in one part of it, and the sum of their versions."""

    count: int
    versions: int


class Compare(Message):
    """A service tells what its copies hold: by the first four characters of an authority's number, and all systems.

    The registry, and translation of the areas, send again what is missing there, or older.
    """

    TYPE: ClassVar[str] = "registry.compare.v1"
    service: Code
    authorities: dict[str, Tally]
    systems: Tally
    terms: Tally | None = None
    """Of the vocabulary, by whoever keeps a copy of it."""
    areas: Tally | None = None
    """Of the published versions of areas, by whoever keeps a copy of their rules."""


class Replayed(Message):
    """Event: the present state of many things at once: of those that joined together, or that a copy lacked."""

    TYPE: ClassVar[str] = "registry.replayed.v1"
    authorities: tuple[AuthorityState, ...] = ()
    systems: tuple[SystemState, ...] = ()


class TermState(Term):
    """A term as it now is, and of which vocabulary. The higher version is the newer."""

    vocabulary: Code
    version: int


class TermsChanged(Message):
    """Event: terms of the vocabulary as they now are: the operator has loaded them, or a copy lacked them."""

    TYPE: ClassVar[str] = "registry.terms.v1"
    terms: Annotated[tuple[TermState, ...], Field(min_length=1)]


EVENTS: tuple[type[Message], ...] = (AuthorityState, SystemState, TermsChanged)
