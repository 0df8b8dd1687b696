"""Who may appoint, apply, approve and reject; and that nothing else makes an authority active."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.identity import authority_id, coordinator_id
from contracts.inbox import AuthorityUpdate, Outcome
from contracts.refusal import Refusal
from contracts.registry import Account, Apply, AppointCoordinator, Approve, ConnectSystem, Details, Reject
from contracts.topology import OPERATOR
from contracts.types import FreeText, Message
from services.chassis.desk import Answer
from services.registry.authority import Authority, Entry, apply_for, appoint, authority_from, decide_on
from services.registry.handlers import Onboarding
from services.registry.store import Store
from services.registry.system import System, connect, may_connect, system_from
from tests.unit.memory import MemoryHistories
from tests.unit.samples import HANDLER, command

AT = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
HASH = "A" * 48
REASON = FreeText(text="No such office", language="hu")


def details(country: str = "HU", **changes: Any) -> Details:
    """What an authority says of itself, but for the changes."""
    fields = {
        "country": country,
        "names": {"hu": "Oktatási Hivatal"},
        "city": "Budapest",
        "languages": ("hu",),
        "contacts": ("office@example.eu",),
        "areas": ("diplomas",),
    }
    return Details.model_validate(fields | changes)


def account(system: str = "hu-hivatal") -> Account:
    """An account for a system."""
    return Account(system=system, password_hash=HASH, languages=("hu",))


def authority(**changes: Any) -> Authority:
    """A pending application of Hungary's, but for the changes."""
    fields: dict[str, Any] = {
        "id": "HU-0000000A",
        "version": 1,
        "status": "pending",
        "kind": "authority",
        "details": details(),
        "system": "hu-hivatal",
        "coordinator": "HU-0000000C",
    }
    return Authority(**(fields | changes))


def coordinator(**changes: Any) -> Authority:
    """Hungary's national coordinator, but for the changes."""
    fields: dict[str, Any] = {"id": "HU-0000000C", "status": "active", "kind": "national-coordinator"}
    return authority(**({"system": "hu-nimic", "coordinator": None} | fields | changes))


APPOINTING: list[tuple[str, str, bool, Refusal | None]] = [
    ("the operator, the first of a state", OPERATOR, False, None),
    ("the operator, a second of a state", OPERATOR, True, Refusal("coordinator-exists", "details.country")),
    ("a coordinator", "hu-nimic", False, Refusal("operator-only")),
    ("anybody else", "hu-hivatal", True, Refusal("operator-only")),
]


@pytest.mark.parametrize(
    ("system", "there_is_one", "refusal"), [a[1:] for a in APPOINTING], ids=[a[0] for a in APPOINTING]
)
def test_only_the_operator_appoints_one_coordinator_for_each_state(
    system: str, there_is_one: bool, refusal: Refusal | None
) -> None:
    """What is appointed is active at once, and coordinates."""
    body = AppointCoordinator(details=details(), account=account("hu-nimic"), user=HANDLER)
    entry = appoint(body, system, there_is_one=there_is_one, at=AT)
    if refusal:
        assert entry == refusal
        return
    appointed = authority_from("HU-0000000C", [cast("Entry", entry)])
    assert appointed
    assert (appointed.coordinates, appointed.system, appointed.version) == (True, "hu-nimic", 1)


APPLYING: list[tuple[str, Authority | None, Refusal | None]] = [
    ("its state's coordinator", coordinator(), None),
    ("nobody", None, Refusal("not-a-coordinator", "coordinator")),
    ("an authority", authority(status="active"), Refusal("not-a-coordinator", "coordinator")),
    ("a coordinator that is not active", coordinator(status="rejected"), Refusal("not-a-coordinator", "coordinator")),
    ("another state's coordinator", coordinator(details=details("AT")), Refusal("other-state", "details.country")),
]


@pytest.mark.parametrize(("to", "refusal"), [a[1:] for a in APPLYING], ids=[a[0] for a in APPLYING])
def test_an_application_goes_to_an_active_coordinator_of_the_same_state(
    to: Authority | None, refusal: Refusal | None
) -> None:
    """What is applied for is pending, and its system is the one that spoke: nothing in the message can name another."""
    entry = apply_for(Apply(coordinator="HU-0000000C", details=details(), user=HANDLER), "hu-hivatal", to, AT)
    if refusal:
        assert entry == refusal
        return
    applied = authority_from("HU-0000000A", [cast("Entry", entry)])
    assert applied
    assert (applied.status, applied.system, applied.coordinator) == ("pending", "hu-hivatal", "HU-0000000C")


DECIDING: list[tuple[str, Authority | None, Authority | None, Refusal | None]] = [
    ("its coordinator", authority(), coordinator(), None),
    ("nobody", authority(), None, Refusal("not-a-coordinator", "authority")),
    ("an authority", authority(), authority(status="active"), Refusal("not-a-coordinator", "authority")),
    ("the applicant itself", authority(), authority(), Refusal("not-a-coordinator", "authority")),
    ("no applicant", None, coordinator(), Refusal("unknown-authority", "applicant")),
    ("another state's", authority(), coordinator(details=details("AT")), Refusal("other-state", "applicant")),
    ("another of the state", authority(), coordinator(id="HU-0000000D"), Refusal("not-its-coordinator", "authority")),
    ("on one that is active", authority(status="active"), coordinator(), Refusal("not-pending", "applicant")),
    ("on one that was rejected", authority(status="rejected"), coordinator(), Refusal("not-pending", "applicant")),
    ("on itself", coordinator(), coordinator(), Refusal("not-its-coordinator", "authority")),
]


@pytest.mark.parametrize(("applicant", "actor", "refusal"), [d[1:] for d in DECIDING], ids=[d[0] for d in DECIDING])
@pytest.mark.parametrize("approving", [True, False], ids=["approves", "rejects"])
def test_only_the_coordinator_applied_to_decides_and_only_once(
    applicant: Authority | None, actor: Authority | None, refusal: Refusal | None, *, approving: bool
) -> None:
    """Approving and rejecting have the same conditions."""
    fields = {"authority": "HU-0000000C", "applicant": "HU-0000000A", "user": HANDLER}
    approve, reject = Approve.model_validate(fields), Reject.model_validate(fields | {"reason": REASON})
    entry = decide_on(applicant, approve if approving else reject, actor, AT)
    assert entry == refusal if refusal else isinstance(entry, Mapping)


CONNECTING: list[tuple[str, Authority | None, bool]] = [
    ("a coordinator", coordinator(), True),
    ("a coordinator that is not active", coordinator(status="rejected"), False),
    ("an active authority", authority(status="active"), False),
    ("an applicant", authority(), False),
    ("nobody", None, False),
]


@pytest.mark.parametrize(("actor", "may"), [c[1:] for c in CONNECTING], ids=[c[0] for c in CONNECTING])
def test_only_a_coordinator_connects_a_system(actor: Authority | None, *, may: bool) -> None:
    """Refused with the field `authority`."""
    assert may_connect(actor) == (None if may else Refusal("not-a-coordinator", "authority"))


def test_the_name_of_a_system_is_taken_once() -> None:
    """Whoever asks for it the second time."""
    entry = connect(account(), "HU", "hu-nimic", HANDLER, taken=True, at=AT)
    assert entry == Refusal("system-exists", "account.system")


def test_a_card_shows_neither_contacts_nor_system() -> None:
    """What anybody may see of an authority has no address to write to, and not who acts for it."""
    shown = authority(status="active").card().model_dump_json()
    assert "office@example.eu" not in shown
    assert "hu-hivatal" not in shown


class MemoryStore:
    """What the registry keeps, in memory."""

    def __init__(self) -> None:
        self.authorities, self.systems = MemoryHistories(), MemoryHistories()

    async def authority(self, number: str) -> Authority | None:
        return authority_from(number, self.authorities.history(number))

    async def has_coordinator(self, country: str) -> bool:
        found = [await self.authority(number) for number in self.authorities.documents]
        return any(one and one.coordinates and one.details.country == country for one in found)

    async def system(self, name: str) -> System | None:
        return system_from(name, self.systems.history(name))


PLACES = ("HU", "AT")
SYSTEMS = (OPERATOR, "hu-nimic", "at-nimic", "hu-hivatal", "at-amt")
NUMBERS = [authority_id(state, system, str(n)) for state in PLACES for system in SYSTEMS for n in range(3)]
numbers, countries = st.sampled_from(NUMBERS), st.sampled_from(PLACES)
accounts = st.sampled_from(SYSTEMS[1:]).map(account)
commands = st.one_of(
    st.builds(AppointCoordinator, details=countries.map(details), account=accounts, user=st.just(HANDLER)),
    st.builds(ConnectSystem, authority=numbers, account=accounts, user=st.just(HANDLER)),
    st.builds(Apply, coordinator=numbers, details=countries.map(details), user=st.just(HANDLER)),
    st.builds(Approve, authority=numbers, applicant=numbers, user=st.just(HANDLER)),
    st.builds(Reject, authority=numbers, applicant=numbers, reason=st.just(REASON), user=st.just(HANDLER)),
)
TOLD: list[tuple[str, str, Message]] = [
    (OPERATOR, "0", AppointCoordinator(details=details("HU"), account=account("hu-nimic"), user=HANDLER)),
    (OPERATOR, "1", AppointCoordinator(details=details("AT"), account=account("at-nimic"), user=HANDLER)),
    (
        "hu-hivatal",
        "0",
        Apply(coordinator=coordinator_id("HU"), details=details("HU"), user=HANDLER),
    ),
]
"""Two coordinators and an application, from which the rest goes on."""
_deciding = st.sampled_from([coordinator_id("HU"), authority_id("AT", OPERATOR, "1")])
_applied = st.just(authority_id("HU", "hu-hivatal", "0"))
decisions = st.one_of(
    st.builds(Approve, authority=_deciding, applicant=_applied, user=st.just(HANDLER)),
    st.builds(Reject, authority=_deciding, applicant=_applied, reason=st.just(REASON), user=st.just(HANDLER)),
)
stories = st.lists(st.tuples(st.sampled_from(SYSTEMS), st.sampled_from("012"), commands | decisions), max_size=15)


@given(stories)
def test_nothing_makes_an_authority_active_but_its_coordinators_approval_or_the_operators_appointment(
    story: list[tuple[str, str, Message]],
) -> None:
    """Whatever anybody sends in whatever order: whoever is active was appointed, or approved by whom it applied to."""
    asyncio.run(_hold(story))


async def _hold(story: list[tuple[str, str, Message]]) -> None:
    store = MemoryStore()
    desk = Onboarding(cast("Store", store))
    entitled: set[str] = set()
    for position, (system, message_id, body) in enumerate([*TOLD, *story]):
        unique = message_id if position < len(TOLD) else f"{message_id}-{position}"
        before = await _statuses(store)
        (answer,) = await desk([command(body, system, unique)])
        entitled |= await _made_active(store, system, body, answer)
        after = await _statuses(store)
        assert {number for number, status in after.items() if status == "active"} <= entitled
        assert all(after[number] == status for number, status in before.items() if status != "pending"), "final"


async def _statuses(store: MemoryStore) -> dict[str, str]:
    return {number: one.status for number in store.authorities.documents if (one := await store.authority(number))}


async def _made_active(store: MemoryStore, system: str, body: Message, answer: Answer) -> set[str]:
    outcome = answer.outcome.message
    assert isinstance(outcome, Outcome)
    if outcome.status == "refused" or outcome.authority is None:
        return set()
    if isinstance(body, AppointCoordinator):
        assert system == OPERATOR
        return {outcome.authority.id}
    if isinstance(body, Approve):
        applicant, actor = await store.authority(body.applicant), await store.authority(body.authority)
        assert applicant
        assert actor
        assert (actor.system, applicant.coordinator, actor.kind) == (system, actor.id, "national-coordinator")
        return {body.applicant}
    return set()


async def test_a_decision_is_told_to_whoever_decided_and_to_whoever_applied() -> None:
    """The coordinator has the outcome; the applicant's system reads what became of it, with the reason."""
    desk = Onboarding(cast("Store", MemoryStore()))
    for system, message_id, body in TOLD:
        await desk([command(body, system, message_id)])
    number, coordinating = authority_id("HU", "hu-hivatal", "0"), coordinator_id("HU")
    body = Reject(authority=coordinating, applicant=number, reason=REASON, user=HANDLER)
    (answer,) = await desk([command(body, "hu-nimic", "9")])
    (told,) = answer.views
    assert (answer.outcome.to, told.to, told.reader) == ("hu-nimic", "hu-hivatal", number)
    assert isinstance(told.message, AuthorityUpdate)
    assert (told.message.authority.status, told.message.authority.reason) == ("rejected", REASON)
