"""The life of authorities over the real broker. The rules themselves are in `tests/unit/test_registry_lifecycle.py`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from client.system import System
from contracts.directory import Card, FullCard
from contracts.inbox import AuthorityUpdate, Outcome
from contracts.registry import (
    Apply,
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
    Search,
    Show,
    Suggest,
    Suspend,
    Trail,
    UpdateAuthority,
    WithdrawAccess,
)
from contracts.types import FreeText, Message
from tests.world import AREA, HANDLER, World

pytestmark = [pytest.mark.servers, pytest.mark.slow]
REASON = FreeText(text="Dafür gibt es Gründe.", language="de")


def office(name: str, city: str = "Aachen", region: str | None = "DEA2D", **changes: Any) -> Details:
    """A German office that asks for the one area, unless told otherwise."""
    fields: dict[str, Any] = {
        "country": "DE",
        "names": {"de": name},
        "region": region,
        "city": city,
        "languages": ("de",),
        "contacts": ("office@amt.example",),
        "areas": {AREA: Scope()},
    }
    return Details.model_validate(fields | changes)


@asynccontextmanager
async def nimic(world: World) -> AsyncIterator["Desk"]:
    """The German national coordinator's own system."""
    async with world.system("de-nimic") as system:
        yield Desk(system, world.ids["de-nimic"])


class Desk:
    """A system, and the coordinator as which it speaks."""

    def __init__(self, system: System, coordinator: str) -> None:
        self.system = system
        self.id = coordinator

    async def do(self, kind: type[Message], **fields: Any) -> Outcome:
        """Have a command carried out."""
        return await self.system.do(kind.model_validate({"authority": self.id, "user": HANDLER} | fields))

    async def card(self, kind: type[Message], **fields: Any) -> Card:
        """Have a command carried out, and return the authority as it now is."""
        outcome = await self.do(kind, **fields)
        assert outcome.authority
        return outcome.authority

    async def refused(self, kind: type[Message], **fields: Any) -> tuple[str, str | None]:
        """Return why a command is not carried out; the sentence is there in the sender's language."""
        outcome = await self.system.outcome(kind.model_validate({"authority": self.id, "user": HANDLER} | fields))
        assert outcome.refused
        assert outcome.refused.text
        return outcome.refused.code, outcome.refused.field


async def told(system: System, authority: str, event: str) -> AuthorityUpdate:
    """Return what a system reads of an authority."""
    async with system.expecting() as inbox:
        async for message in inbox:
            if isinstance(message, AuthorityUpdate) and (message.authority.id, message.event) == (authority, event):
                return message
    raise AssertionError


async def full(system: System, authority: str) -> FullCard:
    """Return the full card of an active authority."""
    outcome = await system.do(Show(of=authority))
    assert outcome.full
    return outcome.full


async def test_an_invitation_is_taken_up_rejected_corrected_and_approved_under_one_number(world: World) -> None:
    """Invited, applied, rejected with a reason, applied again, approved: found by nobody before the last step."""
    async with nimic(world) as coordinator, world.system("de-kammer") as system:
        invited = await coordinator.card(Invite, details=office("Einladungsamt"), system="de-kammer")
        assert invited.status == "invited"
        assert (await told(system, invited.id, "invited")).text
        apply = Apply(
            coordinator=coordinator.id, details=office("Einladungsamt"), registration=invited.id, user=HANDLER
        )
        applied = await system.do(apply)
        assert applied.authority
        assert (applied.authority.id, applied.authority.status) == (invited.id, "pending")
        update = await told(coordinator.system, invited.id, "applied")
        assert update.asked
        assert set(update.asked.areas) == {AREA}
        await coordinator.do(Reject, applicant=invited.id, reason=REASON)
        rejected = await told(system, invited.id, "rejected")
        assert rejected.reason == REASON
        corrected = apply.model_copy(update={"details": office("Einladungsamt Aachen")})
        await system.do(corrected)
        outcome = await system.outcome(Show(of=invited.id))
        assert outcome.refused
        assert outcome.refused.code == "not-to-be-found"
        approved = await coordinator.card(Approve, applicant=invited.id)
        assert (approved.status, approved.areas) == ("active", (AREA,))
        assert (await full(system, invited.id)).names == {"de": "Einladungsamt Aachen"}


async def test_a_regional_coordinator_acts_in_its_region_and_the_national_one_above_it(world: World) -> None:
    """A coordinator is registered with its realm; outside it is refused what it may do inside."""
    async with nimic(world) as national:
        region = await national.card(Register, details=office("Land NRW", areas={}), realm=Realm(region="DEA"))
        assert region.kind == "regional-coordinator"
        land = Desk(national.system, region.id)
        inside = await land.card(Register, details=office("Regionalamt"))
        assert inside.status == "active"
        assert await land.refused(Register, details=office("Bayernamt", region="DE21H")) == ("outside-realm", "details")
        stranger = await national.card(Register, details=office("Fremdes Amt", region="DE21H"))
        assert await land.refused(Suspend, of=stranger.id, reason=REASON) == ("not-its-coordinator", "authority")
        assert (await national.card(Suspend, of=inside.id, reason=REASON)).status == "suspended"
        assert (await national.card(Reinstate, of=inside.id)).status == "active"


async def test_an_access_coordinator_grants_and_withdraws_an_area(world: World) -> None:
    """With request coordinators and observers; the coordinator of another area may not."""
    async with nimic(world) as national:
        area = await national.card(Register, details=office("Fachstelle", areas={}), realm=Realm(area=AREA))
        other = await national.card(Register, details=office("Andere Stelle", areas={}), realm=Realm(area="services"))
        bare = await national.card(Register, details=office("Amt ohne Gebiet", areas={}))
        assert bare.areas == ()
        desk = Desk(national.system, area.id)
        granted = await desk.card(GrantAccess, to=bare.id, area=AREA, linked=(other.id,))
        assert granted.areas == (AREA,)
        access = (await full(national.system, bare.id)).access[AREA]
        assert (access.coordinator, access.request_coordinators, access.linked) == (area.id, (area.id,), (other.id,))
        elsewhere = Desk(national.system, other.id)
        assert await elsewhere.refused(GrantAccess, to=bare.id, area=AREA) == ("outside-realm", "area")
        assert (await desk.card(WithdrawAccess, of=bare.id, area=AREA, reason=REASON)).areas == ()


async def test_a_new_name_waits_for_the_coordinator_who_owns_it(world: World) -> None:
    """A new address does not."""
    async with nimic(world) as national, world.system("de-kammer") as system:
        one = await national.card(Register, details=office("Alter Name"), system="de-kammer")
        own = Desk(system, one.id)
        wanted = office("Neuer Name", city="Köln")
        updated = await own.card(UpdateAuthority, details=wanted)
        assert (updated.names, updated.city) == ({"de": "Alter Name"}, "Köln")
        asked = (await told(national.system, one.id, "change-proposed")).asked
        assert asked
        assert asked.names == {"de": "Neuer Name"}
        approved = await national.card(DecideChange, of=one.id, approved=True)
        assert approved.names == {"de": "Neuer Name"}
        assert (await told(system, one.id, "change-approved")).authority.names == {"de": "Neuer Name"}


async def test_likely_duplicates_are_shown_and_not_blocked(world: World) -> None:
    """To the applicant in the outcome, to the coordinator with the application: same place, names alike."""
    async with nimic(world) as national, world.system("de-kammer") as system:
        first = await national.card(Register, details=office("Zahnärztekammer Würselen", city="Würselen"))
        apply = Apply(
            coordinator=national.id, details=office("Kammer der Zahnärzte WÜRSELEN", city="Wurselen"), user=HANDLER
        )
        twin = apply.model_copy(update={"details": office("ZAHNARZTEKAMMER Würselen", city="WÜRSELEN")})
        outcome = await system.do(twin)
        assert outcome.authority
        assert outcome.authority.status == "pending"
        assert [card.id for card in outcome.alike or ()] == [first.id]
        update = await told(national.system, outcome.authority.id, "applied")
        assert [card.id for card in update.alike or ()] == [first.id]


async def test_a_suspended_authority_is_neither_found_nor_heard(world: World) -> None:
    """And both again once it is reinstated; a closed one names its successor and never comes back."""
    async with nimic(world) as national, world.system("de-kammer") as system:
        one = await national.card(Register, details=office("Verschwindendes Amt"), system="de-kammer")
        other = await national.card(Register, details=office("Nachfolgeamt"), system="de-kammer")
        await national.do(Suspend, of=one.id, reason=REASON)
        assert await found(system, "Verschwindendes") == []
        request = world.request(authority=one.id)
        outcome = await system.outcome(request)
        assert outcome.refused
        assert outcome.refused.code == "authority-not-active"
        await national.do(Reinstate, of=one.id)
        assert await found(system, "Verschwindendes") == [one.id]
        await system.do(world.request(authority=one.id))
        await national.do(Close, of=one.id, successor=other.id, reason=REASON)
        assert await found(system, "Verschwindendes") == []
        assert await national.refused(Reinstate, of=one.id) == ("wrong-status", "of")


async def found(system: System, text: str) -> list[str]:
    """Return the numbers of those that a search finds."""
    outcome = await system.do(Search(text=text))
    return [one.card.id for one in outcome.found or ()]


async def test_suggestions_come_while_typing(world: World) -> None:
    """By the beginning of a name or of a word in it, without accents."""
    async with nimic(world) as national:
        one = await national.card(Register, details=office("Übungsamt Öhringen"))
        for typed in ("ubungs", "ÜBU", "ohrin"):
            outcome = await national.system.do(Suggest(text=typed, country="DE"))
            assert one.id in [card.id for card in outcome.suggested or ()]


async def test_the_trail_tells_who_when_and_why_to_itself_and_those_above(world: World) -> None:
    """Another authority of the same system does not read it."""
    async with nimic(world) as national, world.system("de-kammer") as system:
        one = await national.card(Register, details=office("Aktenamt"), system="de-kammer")
        await national.do(Suspend, of=one.id, reason=REASON)
        await national.do(Reinstate, of=one.id)
        for desk in (national, Desk(system, one.id)):
            outcome = await desk.do(Trail, of=one.id)
            assert [(entry.what, entry.by) for entry in outcome.trail or ()] == [
                ("registered", national.id),
                ("suspended", national.id),
                ("reinstated", national.id),
            ]
        stranger = Desk(system, world.ids["de-kammer"])
        assert await stranger.refused(Trail, of=one.id) == ("not-its-coordinator", "of")


async def test_another_system_acts_for_an_authority_once_the_coordinator_says_so(world: World) -> None:
    """From then on the old one is refused."""
    async with nimic(world) as national, world.system("de-kammer") as old, world.system("de-other") as new:
        one = await national.card(Register, details=office("Wechselamt"), system="de-kammer")
        await national.do(AssignSystem, to=one.id, system="de-other")
        assert (await told(new, one.id, "system-assigned")).authority.id == one.id
        wanted = office("Wechselamt", city="Bonn")
        assert await Desk(old, one.id).refused(UpdateAuthority, details=wanted) == ("not-your-authority", "authority")
        assert (await Desk(new, one.id).card(UpdateAuthority, details=wanted)).city == "Bonn"
        assert await national.refused(AssignSystem, to=one.id, system="hu-hivatal") == ("unknown-system", "system")


async def test_no_coordinator_touches_another_state(world: World) -> None:
    """Neither its authorities nor its systems, and it learns nothing of them."""
    async with nimic(world) as national:
        foreign = world.ids["hu-hivatal"]
        for kind in (Suspend, Close):
            assert await national.refused(kind, of=foreign, reason=REASON) == ("other-state", "of")
        assert await national.refused(GrantAccess, to=foreign, area="services") == ("other-state", "to")
        assert await national.refused(Register, details=office("X", country="HU", region=None)) == (
            "other-state",
            "details.country",
        )


async def test_a_competence_must_be_of_the_vocabulary(world: World) -> None:
    """The refusal names the field."""
    async with nimic(world) as national:
        details = office("Falschamt", areas={AREA: Scope(competences=("wizard",))})
        code = await national.refused(Register, details=details)
        assert code == ("unknown-competence", f"details.areas.{AREA}.competences.0")
