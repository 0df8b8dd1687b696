"""What the registry takes: onboarding of authorities and systems, their whole life, and searches."""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.languages import Language, State
from contracts.types import AuthorityId, Code, Email, FreeText, Message, Name, Part, SystemId, User

Status = Literal["invited", "pending", "active", "suspended", "rejected", "closed"]
Kind = Literal["authority", "national-coordinator", "regional-coordinator", "area-coordinator"]
"""NIMIC, SDIMIC and LIMIC, in the terms of IMI; every other one is an authority."""

PasswordHash = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{48}$")]
"""RabbitMQ's salted SHA-256: base64 of four bytes of salt and the digest. The password itself never travels."""
CertificateSubject = Annotated[str, StringConstraints(pattern=r"^CN=[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$")]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[0-9A-Z]{0,3}$")]
"""A NUTS code (Regulation (EC) 1059/2003) of level 0 to 3: every region's code begins with that of what it lies in."""
Competence = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$")]
"""A term of the vocabulary that the deployment loaded: a profession, a NACE activity."""
Keyword = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,600}$")]


class Scope(Part):
    """What an authority does in a legislative area."""

    competences: Annotated[tuple[Competence, ...], Field(max_length=200)] = ()
    keywords: Annotated[tuple[Keyword, ...], Field(max_length=50)] = ()


class Details(Part):
    """What an authority says of itself. `languages` in the order in which it would rather read."""

    country: State
    names: Annotated[dict[Language, Name], Field(min_length=1, max_length=26)]
    short_name: Name | None = None
    region: Region | None = None
    city: Name
    address: Annotated[tuple[Line, ...], Field(max_length=6)] = ()
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=6)]
    contacts: Annotated[tuple[Email, ...], Field(min_length=1, max_length=5)]
    areas: Annotated[dict[Code, Scope], Field(max_length=50)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _region_of_its_country(self) -> Self:
        if self.region and not self.region.startswith(self.country):
            raise ValueError("the region lies in another state")
        return self


class Realm(Part):
    """For what a coordinator is one: a region, a legislative area, or both. Neither: the whole state."""

    region: Region | None = None
    area: Code | None = None


class Account(Part):
    """The broker account of a system: its name, and what proves it, whose secret its owner alone has.

    Either a password's salted hash or the subject of a certificate, which must be the system's own name.
    """

    system: SystemId
    password_hash: PasswordHash | None = None
    certificate_subject: CertificateSubject | None = None
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=6)]

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.password_hash is None) == (self.certificate_subject is None):
            raise ValueError("either password_hash or certificate_subject")
        if self.certificate_subject and self.certificate_subject != f"CN={self.system}":
            raise ValueError("the subject is not the system's name")
        return self


class ByCoordinator(Message):
    """A command that a coordinator gives: `authority` is the coordinator, as which the system speaks."""

    authority: AuthorityId
    user: User


class AppointCoordinator(Message):
    """The operator appoints the national coordinator (NIMIC) of a state and connects its system."""

    TYPE: ClassVar[str] = "registry.appoint_coordinator.v1"
    details: Details
    account: Account
    user: User


class Invite(ByCoordinator):
    """A coordinator invites an authority: nothing but a number by which it may apply."""

    TYPE: ClassVar[str] = "registry.invite.v1"
    details: Details
    system: SystemId | None = None


class Apply(Message):
    """Apply for an authority that `system` will act for, by default the sending one; `coordinator` decides.

    `registration` is the number of an invitation, or of an application that was rejected: it is kept. Whoever has a
    `realm` applies to become a coordinator.
    """

    TYPE: ClassVar[str] = "registry.apply.v1"
    coordinator: AuthorityId
    details: Details
    realm: Realm | None = None
    registration: AuthorityId | None = None
    system: SystemId | None = None
    user: User


class Register(ByCoordinator):
    """A coordinator registers an authority directly: applied for and approved in one."""

    TYPE: ClassVar[str] = "registry.register.v1"
    details: Details
    realm: Realm | None = None
    system: SystemId | None = None


class Approve(ByCoordinator):
    """The validating coordinator approves an application: the authority becomes active.

    The areas that it asked for are granted as far as the coordinator is one for them.
    """

    TYPE: ClassVar[str] = "registry.approve.v1"
    applicant: AuthorityId


class Reject(ByCoordinator):
    """The validating coordinator rejects an application, and says why. It can be made again, corrected."""

    TYPE: ClassVar[str] = "registry.reject.v1"
    applicant: AuthorityId
    reason: FreeText


class GrantAccess(ByCoordinator):
    """An access coordinator gives an authority access to a legislative area, or changes what it does there.

    `request_coordinators` approve and mediate its requests; without any, the access coordinator does. `linked`
    authorities observe: they see a general summary.
    """

    TYPE: ClassVar[str] = "registry.grant_access.v1"
    to: AuthorityId
    area: Code
    scope: Scope = Scope()
    request_coordinators: Annotated[tuple[AuthorityId, ...], Field(max_length=10)] = ()
    linked: Annotated[tuple[AuthorityId, ...], Field(max_length=20)] = ()


class WithdrawAccess(ByCoordinator):
    """The access coordinator withdraws a legislative area, or refuses the wish for it, and says why."""

    TYPE: ClassVar[str] = "registry.withdraw_access.v1"
    of: AuthorityId
    area: Code
    reason: FreeText


class UpdateAuthority(Message):
    """An authority corrects its own entry. New names, a new region and new areas wait for a coordinator."""

    TYPE: ClassVar[str] = "registry.update_authority.v1"
    authority: AuthorityId
    details: Details
    user: User


class DecideChange(ByCoordinator):
    """The validating coordinator lets a proposed name or region come into force, or not."""

    TYPE: ClassVar[str] = "registry.decide_change.v1"
    of: AuthorityId
    approved: bool
    reason: FreeText | None = None


class Suspend(ByCoordinator):
    """A coordinator suspends an authority: for the time being nobody may act as it."""

    TYPE: ClassVar[str] = "registry.suspend.v1"
    of: AuthorityId
    reason: FreeText


class Reinstate(ByCoordinator):
    """A coordinator lifts a suspension."""

    TYPE: ClassVar[str] = "registry.reinstate.v1"
    of: AuthorityId


class Close(ByCoordinator):
    """A coordinator closes a registration for good, or merges it into `successor`.

    Open cases go to the successor, or else to the validating coordinator.
    """

    TYPE: ClassVar[str] = "registry.close.v1"
    of: AuthorityId
    successor: AuthorityId | None = None
    reason: FreeText


class AssignSystem(ByCoordinator):
    """A coordinator has another connected system of its state act for an authority from now on."""

    TYPE: ClassVar[str] = "registry.assign_system.v1"
    to: AuthorityId
    system: SystemId


class ConnectSystem(ByCoordinator):
    """A coordinator connects a system of its state, and names the authorities that it acts for from then on."""

    TYPE: ClassVar[str] = "registry.connect_system.v1"
    account: Account
    acts_for: Annotated[tuple[AuthorityId, ...], Field(max_length=100)] = ()


class RotateCredential(Message):
    """A system replaces what proves its account; so may the system that had it connected, when it was lost.

    Connections that are open stay open; a new one needs the new credential as soon as that is told to be in force.
    """

    TYPE: ClassVar[str] = "registry.rotate_credential.v1"
    account: Account
    user: User


class SuspendSystem(ByCoordinator):
    """A coordinator cuts a system off at once. Its inbox is kept."""

    TYPE: ClassVar[str] = "registry.suspend_system.v1"
    system: SystemId
    reason: FreeText


class ReinstateSystem(ByCoordinator):
    """A coordinator lets a suspended system in again."""

    TYPE: ClassVar[str] = "registry.reinstate_system.v1"
    system: SystemId


class CloseSystem(ByCoordinator):
    """A coordinator disconnects a system for good, its inbox included. It must act for nobody any more."""

    TYPE: ClassVar[str] = "registry.close_system.v1"
    system: SystemId
    reason: FreeText


class Search(Message):
    """Find active authorities by any combination of filters and words, best first.

    `text` matches names in any script and without accents, cities, keywords, and competences by their labels in any
    language. `after` is the cursor of the page before.
    """

    TYPE: ClassVar[str] = "registry.search.v1"
    country: State | None = None
    region: Region | None = None
    city: Text | None = None
    area: Code | None = None
    competence: Competence | None = None
    text: Text | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: Cursor | None = None


class Suggest(Message):
    """Suggest authorities whose name, or a word of it, begins with what has been typed so far."""

    TYPE: ClassVar[str] = "registry.suggest.v1"
    text: Text
    country: State | None = None
    area: Code | None = None
    limit: Annotated[int, Field(ge=1, le=20)] = 10


class Show(Message):
    """Show the full card of an authority that can be found."""

    TYPE: ClassVar[str] = "registry.show.v1"
    of: AuthorityId


class Trail(Message):
    """Show everything that ever happened to an authority: to itself, and to the coordinators above it."""

    TYPE: ClassVar[str] = "registry.trail.v1"
    authority: AuthorityId
    of: AuthorityId
    user: User


class Term(Part):
    """A competence, with its label in each language that has one."""

    code: Competence
    labels: Annotated[dict[Language, Line], Field(min_length=1, max_length=26)]


class PutTerms(Message):
    """The operator loads terms of the vocabulary. A term that is there gets the new labels."""

    TYPE: ClassVar[str] = "registry.put_terms.v1"
    vocabulary: Code
    terms: Annotated[tuple[Term, ...], Field(min_length=1, max_length=100)]
    user: User


COORDINATION: Final[tuple[type[Message], ...]] = (
    Invite,
    Apply,
    Register,
    Approve,
    Reject,
    GrantAccess,
    WithdrawAccess,
    UpdateAuthority,
    DecideChange,
    Suspend,
    Reinstate,
    Close,
    AssignSystem,
)
"""What happens to an authority; each leaves an entry in its history."""
CONNECTION: Final[tuple[type[Message], ...]] = (
    ConnectSystem,
    RotateCredential,
    SuspendSystem,
    ReinstateSystem,
    CloseSystem,
)
"""What happens to a system."""
QUESTIONS: Final[tuple[type[Message], ...]] = (Search, Suggest, Show, Trail)
"""What changes nothing."""
COMMANDS: tuple[type[Message], ...] = (AppointCoordinator, *COORDINATION, *CONNECTION, *QUESTIONS, PutTerms)
