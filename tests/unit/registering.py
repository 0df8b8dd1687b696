"""A state's coordinators and authorities, as tests of the registry need them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from contracts.directory import Access
from contracts.identity import coordinator_id
from contracts.refusal import Refusal
from contracts.registry import (
    Account,
    Apply,
    AppointCoordinator,
    Approve,
    AssignSystem,
    Close,
    DecideChange,
    Details,
    GrantAccess,
    Invite,
    Realm,
    Register,
    Reinstate,
    Reject,
    Scope,
    Suspend,
    UpdateAuthority,
    WithdrawAccess,
)
from contracts.topology import OPERATOR
from contracts.types import FreeText, User
from services.registry.authority import Authority, Entry, Proposal
from services.registry.known import Known, subject_of
from services.registry.lifecycle import decide

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DESK = User(id="desk", role="data-administrator")
REASON = FreeText(text="Because.", language="en")
HASH = "A" * 48
PQ, SERVICES = "professional-qualifications", "services"


def details(country: str = "DE", region: str | None = "DEA2", *areas: str, **changes: Any) -> Details:
    """An authority in Aachen, unless told otherwise."""
    fields = {
        "country": country,
        "names": {"en": "Chamber"},
        "region": region,
        "city": "Aachen",
        "languages": ("en",),
        "contacts": ("office@chamber.example",),
        "areas": {area: Scope() for area in areas},
    }
    return Details.model_validate(fields | changes)


def authority(number: str, realm: Realm | None = None, **changes: Any) -> Authority:
    """An active authority of Germany, in the hand of the national coordinator."""
    blank = Authority(
        id=number,
        version=1,
        status="active",
        details=details(),
        system=f"system-of-{number.lower()}",
        coordinator=NATIONAL_ID,
        realm=realm,
    )
    return replace(blank, **changes)


NATIONAL_ID = coordinator_id("DE")
NATIONAL = authority(NATIONAL_ID, Realm(), coordinator=None)
REGIONAL = authority("DE-REGIONAL", Realm(region="DEA"))
OTHER_REGIONAL = authority("DE-BAVARIA0", Realm(region="DE2"))
OF_AREA = authority("DE-OFAREA00", Realm(area=PQ))
OF_OTHER_AREA = authority("DE-OTHAREA0", Realm(area=SERVICES))
OF_AREA_IN_REGION = authority("DE-AREAREG0", Realm(region="DEA", area=PQ), coordinator=REGIONAL.id)
FOREIGN = authority("HU-NATIONAL", Realm(), coordinator=None, details=details("HU", None))
PLAIN = authority("DE-PLAIN000")
SUSPENDED = replace(NATIONAL, id="DE-SUSPEND0", status="suspended")
EVERYBODY = {
    one.id: one
    for one in (
        NATIONAL, REGIONAL, OTHER_REGIONAL, OF_AREA, OF_OTHER_AREA, OF_AREA_IN_REGION, FOREIGN, PLAIN, SUSPENDED,
    )
}  # fmt: skip

SUBJECT = authority(
    "DE-SUBJECT0",
    coordinator=REGIONAL.id,
    details=details("DE", "DEA2", PQ),
    access={PQ: Access(scope=Scope(), coordinator=REGIONAL.id, request_coordinators=(REGIONAL.id,))},
    proposal=Proposal({"en": "New name"}, None),
)


def command_of(kind: type, actor: Authority = REGIONAL, subject: Authority = SUBJECT) -> Any:
    """A command that is all right when it comes from whoever is in charge of the subject."""
    by: dict[str, Any] = {"authority": actor.id, "user": DESK}
    asked = subject.details
    commands: dict[type, Any] = {
        AppointCoordinator: lambda: AppointCoordinator(
            details=details("DE", None),
            account=Account(system="de-nimic", password_hash=HASH, languages=("en",)),
            user=DESK,
        ),
        Invite: lambda: Invite(details=asked, **by),
        Apply: lambda: Apply(coordinator=actor.id, details=asked, registration=subject.id, user=DESK),
        Register: lambda: Register(details=asked, **by),
        Approve: lambda: Approve(applicant=subject.id, **by),
        Reject: lambda: Reject(applicant=subject.id, reason=REASON, **by),
        GrantAccess: lambda: GrantAccess(to=subject.id, area=PQ, **by),
        WithdrawAccess: lambda: WithdrawAccess(of=subject.id, area=PQ, reason=REASON, **by),
        UpdateAuthority: lambda: UpdateAuthority(authority=subject.id, details=asked, user=DESK),
        DecideChange: lambda: DecideChange(of=subject.id, approved=True, **by),
        Suspend: lambda: Suspend(of=subject.id, reason=REASON, **by),
        Reinstate: lambda: Reinstate(of=subject.id, **by),
        Close: lambda: Close(of=subject.id, reason=REASON, **by),
        AssignSystem: lambda: AssignSystem(to=subject.id, system="de-other", **by),
    }
    return commands[kind]()


def sender_of(command: Any, everybody: dict[str, Authority]) -> str:
    """The system that sends it: of the authority that acts."""
    if isinstance(command, AppointCoordinator):
        return OPERATOR
    actor = everybody.get(command.coordinator if isinstance(command, Apply) else command.authority)
    return actor.system if actor else "nobody"


def decided(
    command: Any, subject: Authority | None = SUBJECT, sender: str | None = None, **changes: Any
) -> Entry | Refusal:
    """What comes of a command when everybody above is there."""
    everybody = EVERYBODY | ({subject.id: subject} if subject else {})
    known = Known(
        at=AT,
        sender=sender or sender_of(command, everybody),
        actor=everybody.get(getattr(command, "authority", "")),
        system="de-other",
        others=everybody,
    )
    about = subject if subject_of(command) or isinstance(command, AppointCoordinator) else None
    return decide(about, command, replace(known, **changes))
