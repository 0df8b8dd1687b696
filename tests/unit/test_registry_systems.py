"""A system's life: what leads from which status where, who may do it, and how the broker is held against it."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.directory import Provision, Reconcile, SystemStatus
from contracts.refusal import Refusal
from contracts.registry import Account, CloseSystem, ReinstateSystem, RotateCredential, SuspendSystem
from contracts.sentences import REFUSALS
from contracts.topology import OPERATOR, RESERVED, SERVICES, exchange_topology, system_topology
from services.registry.authority import Authority, Entry
from services.registry.differences import Found, Repair, tag_of, topology_of, version_of
from services.registry.system import (
    RULES,
    Standing,
    Step,
    System,
    connect,
    decide,
    may_assign,
    may_connect,
    system_from,
)
from tests.unit.registering import (
    AT,
    DESK,
    EVERYBODY,
    FOREIGN,
    HASH,
    NATIONAL,
    OF_AREA_IN_REGION,
    OTHER_REGIONAL,
    PLAIN,
    REASON,
    REGIONAL,
    SUSPENDED,
)

NAME = "de-kammer"
NEW_HASH = "B" * 48
VERY_NEW = 1000
"""A version that no system of these tests reaches."""


def account(name: str = NAME, **changes: Any) -> Account:
    """An account with a password."""
    return Account.model_validate({"system": name, "password_hash": HASH, "languages": ("de",)} | changes)


def connected(by: Authority | None = REGIONAL, name: str = NAME) -> Entry:
    """The first entry of a system that a coordinator, or the operator, had connected."""
    entry = connect(
        account(name),
        state="DE",
        by=by.id if by else None,
        by_system=by.system if by else OPERATOR,
        user=DESK,
        at=AT,
        taken=False,
    )
    assert not isinstance(entry, Refusal)
    return entry


def command_of(kind: type, actor: Authority = REGIONAL) -> Step:
    """A command to the system."""
    by: dict[str, Any] = {"authority": actor.id, "user": DESK, "system": NAME}
    commands: dict[type, Callable[[], Step]] = {
        RotateCredential: lambda: RotateCredential(account=account(password_hash=NEW_HASH), user=DESK),
        SuspendSystem: lambda: SuspendSystem(reason=REASON, **by),
        ReinstateSystem: lambda: ReinstateSystem(**by),
        CloseSystem: lambda: CloseSystem(reason=REASON, **by),
    }
    return commands[kind]()


def standing(actor: Authority | None = REGIONAL, sender: str | None = None, **changes: Any) -> Standing:
    """What is known when the actor's own system sends, and a regional coordinator had the system connected.

    The broker has whatever was asked for before.
    """
    sender = sender or (actor.system if actor else "nobody")
    return replace(Standing(AT, sender, actor, REGIONAL, in_force=VERY_NEW), **changes)


def history(*kinds: type, by: Authority | None = REGIONAL) -> list[Entry]:
    """The entries that these commands make."""
    entries = [connected(by)]
    for kind in kinds:
        entry = decide(system_from(NAME, entries), command_of(kind), standing())
        assert not isinstance(entry, Refusal), entry
        entries.append(entry)
    return entries


def system(*kinds: type, by: Authority | None = REGIONAL) -> System:
    """The system after these commands."""
    found = system_from(NAME, history(*kinds, by=by))
    assert found
    return found


PATHS: Mapping[SystemStatus, tuple[type, ...]] = {
    "active": (),
    "suspended": (SuspendSystem,),
    "closed": (CloseSystem,),
}
AFTER: Mapping[tuple[SystemStatus, type], SystemStatus] = {
    ("active", RotateCredential): "active",
    ("active", SuspendSystem): "suspended",
    ("active", CloseSystem): "closed",
    ("suspended", RotateCredential): "suspended",
    ("suspended", ReinstateSystem): "active",
    ("suspended", CloseSystem): "closed",
}


@pytest.mark.parametrize(("status", "kind"), list(itertools.product(PATHS, RULES)))
def test_a_status_allows_these_steps_and_no_others(status: SystemStatus, kind: type) -> None:
    """Everything that is not in the table is refused with `system-status`."""
    before = system(*PATHS[status])
    sender = NAME if kind is RotateCredential else REGIONAL.system
    entry = decide(before, command_of(kind), standing(sender=sender))
    if (status, kind) not in AFTER:
        assert isinstance(entry, Refusal)
        assert entry.code == "system-status"
        return
    assert not isinstance(entry, Refusal)
    after = system_from(NAME, [*history(*PATHS[status]), entry])
    assert after
    assert after.status == AFTER[status, kind]
    assert after.happenings[-1].what == RULES[kind].what


BY_WHOM: Sequence[tuple[str, Authority | None, str | None]] = [
    # (who, refusal); the system was connected by the coordinator of a region
    ("the coordinator that had it connected", REGIONAL, None),
    ("the national one above", NATIONAL, None),
    ("one of another region", OTHER_REGIONAL, "not-its-coordinator"),
    ("one below", OF_AREA_IN_REGION, "not-its-coordinator"),
    ("one of another state", FOREIGN, "unknown-system"),
    ("an authority", PLAIN, "not-a-coordinator"),
    ("a suspended coordinator", SUSPENDED, "not-a-coordinator"),
    ("nobody", None, "not-a-coordinator"),
]


@pytest.mark.parametrize("kind", [SuspendSystem, ReinstateSystem, CloseSystem])
@pytest.mark.parametrize(("actor", "code"), [one[1:] for one in BY_WHOM], ids=[one[0] for one in BY_WHOM])
def test_its_coordinator_and_those_above_decide_on_a_system(kind: type, actor: Authority | None, code: str) -> None:
    """Nobody else does, and one of another state does not even learn that there is such a system."""
    before = system(*((SuspendSystem,) if kind is ReinstateSystem else ()))
    entry = decide(before, command_of(kind, actor or REGIONAL), standing(actor))
    assert (entry.code if isinstance(entry, Refusal) else None) == code


@pytest.mark.parametrize("kind", [SuspendSystem, CloseSystem])
def test_nobody_cuts_off_the_system_by_which_he_speaks(kind: type) -> None:
    """Who did could not come back."""
    entry = decide(system(), command_of(kind), standing(sender=NAME))
    assert entry == Refusal("not-its-coordinator", "authority")


@pytest.mark.parametrize("kind", [SuspendSystem, CloseSystem])
def test_the_operator_decides_on_what_it_had_connected_and_on_nothing_else(kind: type) -> None:
    """The systems of national coordinators, which have nobody else above them; no coordinator decides on these."""
    operators, others = system(by=None), system()
    by_operator = standing(None, sender=OPERATOR, coordinator=None)
    assert not isinstance(decide(operators, command_of(kind), by_operator), Refusal)
    assert decide(others, command_of(kind), standing(None, sender=OPERATOR)) == Refusal("unknown-system", "system")
    by_national = standing(NATIONAL, coordinator=None)
    assert decide(operators, command_of(kind), by_national) == Refusal("not-its-coordinator", "authority")


@pytest.mark.parametrize(
    ("sender", "allowed"), [(NAME, True), (REGIONAL.system, True), (NATIONAL.system, False), (OPERATOR, False)]
)
def test_a_credential_is_replaced_by_its_system_or_the_one_that_had_it_connected(sender: str, allowed: bool) -> None:
    """Whoever else tries is told that there is no such system."""
    entry = decide(system(), command_of(RotateCredential), standing(None, sender=sender))
    assert isinstance(entry, Refusal) != allowed
    assert allowed or entry == Refusal("unknown-system", "account.system")


@pytest.mark.parametrize("before", [(), (RotateCredential,), (SuspendSystem,), (SuspendSystem, ReinstateSystem)])
def test_a_credential_is_replaced_once_the_change_before_is_in_force(before: tuple[type, ...]) -> None:
    """Whoever asks, and however often: what is asked for meanwhile is refused, and made no order of."""
    there = system(*before)
    for sender in (NAME, REGIONAL.system):
        late = standing(None, sender=sender, in_force=there.version - 1)
        assert decide(there, command_of(RotateCredential), late) == Refusal("change-pending", "account.system")
        known = standing(None, sender=sender, in_force=there.version)
        assert not isinstance(decide(there, command_of(RotateCredential), known), Refusal)


@pytest.mark.parametrize("kind", [SuspendSystem, ReinstateSystem, CloseSystem])
def test_a_coordinator_waits_for_no_change(kind: type) -> None:
    """A system is suspended, reinstated and closed, whatever the broker has of it."""
    before = system(*((SuspendSystem,) if kind is ReinstateSystem else ()))
    assert not isinstance(decide(before, command_of(kind), standing(in_force=0)), Refusal)


def test_a_system_that_somebody_needs_is_not_closed() -> None:
    """It may be suspended all the same."""
    assert decide(system(), command_of(CloseSystem), standing(in_use=True)) == Refusal("system-in-use", "system")
    assert not isinstance(decide(system(), command_of(SuspendSystem), standing(in_use=True)), Refusal)


@pytest.mark.parametrize("kind", RULES)
def test_a_system_that_there_is_not_is_unknown_to_everybody(kind: type) -> None:
    """Also to who could be its coordinator."""
    entry = decide(None, command_of(kind), standing(NATIONAL))
    assert isinstance(entry, Refusal)
    assert entry.code == "unknown-system"


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_reserved_name_is_taken(name: str) -> None:
    """And so is one that was ever used."""
    wanted: dict[str, Any] = {"state": "DE", "by": None, "by_system": "x", "user": DESK, "at": AT}
    assert connect(account(name), taken=False, **wanted) == Refusal("system-exists", "account.system")
    assert connect(account(), taken=True, **wanted) == Refusal("system-exists", "account.system")


@pytest.mark.parametrize("actor", [*EVERYBODY.values(), None], ids=lambda one: one.id if one else "nobody")
def test_every_coordinator_that_is_active_connects_systems(actor: Authority | None) -> None:
    """Of whatever kind; nobody else."""
    allowed = actor is not None and actor.realm is not None and actor.status == "active"
    assert may_connect(actor) == (None if allowed else Refusal("not-a-coordinator", "authority"))


def test_a_new_system_acts_for_authorities_of_its_own_state() -> None:
    """Others are named in vain."""
    assert may_assign(PLAIN, REGIONAL) is None
    assert may_assign(FOREIGN, REGIONAL) == Refusal("other-state", "acts_for")
    assert may_assign(None, REGIONAL) == Refusal("unknown-authority", "acts_for")


def test_every_refusal_has_a_sentence() -> None:
    """Those of this module."""
    codes = {"system-status", "system-in-use", "unknown-system", "system-exists", "system-suspended", "change-pending"}
    assert codes <= REFUSALS.keys()


@pytest.mark.parametrize(
    "proofs",
    [
        {"password_hash": None},
        {"certificate_subject": f"CN={NAME}"},
        {"password_hash": None, "certificate_subject": "CN=de-other"},
        {"password_hash": None, "certificate_subject": f"CN={NAME},O=x"},
    ],
    ids=["none", "both", "another's", "more than a name"],
)
def test_an_account_is_proven_in_one_way_and_in_its_own_name(proofs: Mapping[str, Any]) -> None:
    """Either a password's hash or the subject of a certificate."""
    with pytest.raises(ValidationError):
        account(**proofs)


kinds = st.lists(st.sampled_from(list(RULES)), max_size=12)


@given(kinds)
def test_whatever_happens_a_system_is_told_by_its_history_alone(steps: list[type]) -> None:
    """Every entry makes one version, closed is the end, and what the broker should have follows from the last."""
    entries = [connected()]
    for kind in steps:
        before = system_from(NAME, entries)
        sender = NAME if kind is RotateCredential else REGIONAL.system
        entry = decide(before, command_of(kind), standing(sender=sender))
        assert before
        if isinstance(entry, Refusal):
            continue
        assert before.status != "closed"
        entries.append(entry)
    after = system_from(NAME, entries)
    assert after
    assert after.version == len(entries) == len(after.happenings)
    rotated = any(entry["what"] == "rotated" for entry in entries)
    order = after.provision()
    assert (order.version, order.status) == (after.version, after.status)
    assert order.password_hash == (NEW_HASH if rotated else HASH)
    assert after.event().version == after.version


# What the broker has, against what it should have

VHOST = "imi"
BASE = exchange_topology(dict.fromkeys((*SERVICES, "provisioner"), "C" * 48))


def order(name: str = NAME, version: int = 3, status: SystemStatus = "active", **changes: Any) -> Provision:
    """What the broker should have of a system."""
    fields = {"system": name, "version": version, "status": status, "password_hash": HASH}
    return Provision.model_validate(fields | changes)


def broker_with(orders: Iterable[Provision], connections: Iterable[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """The lists of a broker that has just these systems, and the exchange itself."""
    operator = system_topology(OPERATOR, HASH)
    parts = [BASE, operator, *(topology_of(one, VHOST) for one in orders)]
    whole = {kind: [one for part in parts for one in part.get(kind, [])] for kind in ("users", "permissions")}
    things = {kind: [one for part in parts for one in part[kind]] for kind in ("exchanges", "queues", "bindings")}
    users = [{**one, "tags": [one["tags"]] if one["tags"] else []} for one in whole["users"]]
    administrator = {"name": "boss", "tags": ["administrator"], "password_hash": HASH, "hashing_algorithm": "x"}
    return {
        **things,
        "users": [*users, administrator],
        "permissions": whole["permissions"],
        "topic_permissions": [],
        "limits": [{"user": one["name"], "value": one["limits"]} for one in whole["users"] if "limits" in one],
        "connections": [{"user": name, "name": "c"} for name in connections],
    }


def repair_of(lists: Mapping[str, Any], wanted: Provision) -> Repair:
    """What is to be repaired of one system."""
    return Found(lists, VHOST).repair(wanted)


statuses = st.sampled_from(["active", "suspended"])
names = st.from_regex(r"[a-z0-9][a-z0-9-]{1,8}[a-z0-9]", fullmatch=True).filter(lambda name: name not in RESERVED)
orders = st.builds(order, names, st.integers(1, 9), statuses)
lists = st.lists(orders, max_size=6, unique_by=lambda one: one.system)


@given(lists)
def test_a_broker_that_has_what_it_should_needs_no_repair(wanted: list[Provision]) -> None:
    """Neither the systems nor the exchange itself are found wrong."""
    found = Found(broker_with(wanted), VHOST)
    assert not any(found.repair(one).needed for one in wanted)
    assert not found.strangers(Reconcile(systems=tuple(wanted)), {"boss"})


@given(lists, st.data())
def test_whatever_one_system_lacks_is_found_and_nothing_of_the_others(wanted: list[Provision], data: Any) -> None:
    """One thing that belongs to a system is taken out of the broker."""
    systems = broker_with(wanted)
    own = [
        (kind, one)
        for order in wanted
        for kind, things in topology_of(order, VHOST).items()
        for one in things
        if kind != "users"
    ]
    if not own:
        return
    kind, lost = data.draw(st.sampled_from(own))
    systems[kind] = [one for one in systems[kind] if one != lost]
    found = Found(systems, VHOST)
    assert len([one.system for one in wanted if found.repair(one).needed]) == 1


def _administrator(broker: Any) -> None:
    _account_in(broker)["tags"].append("administrator")


def _another_password(broker: Any) -> None:
    _account_in(broker)["password_hash"] = NEW_HASH


def _wider(broker: Any) -> None:
    (permission,) = (one for one in broker["permissions"] if one["user"] == NAME)
    permission["read"] = ".*"


def _elsewhere(broker: Any) -> None:
    broker["permissions"].append({"user": NAME, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"})


def _narrowed(broker: Any) -> None:
    broker["topic_permissions"].append({"user": NAME, "vhost": VHOST, "exchange": f"in.{NAME}", "write": "^$"})


def _unlimited(broker: Any) -> None:
    broker["limits"] = [one for one in broker["limits"] if one["user"] != NAME]


def _bound(source: str, destination: str, kind: str = "queue") -> Callable[[Any], None]:
    def tamper(broker: Any) -> None:
        broker["bindings"].append(
            {"source": source, "destination": destination, "destination_type": kind, "routing_key": "#",
             "properties_key": "%23"}
        )  # fmt: skip

    return tamper


def _other_exchange(broker: Any) -> None:
    (exchange,) = (one for one in broker["exchanges"] if one["name"] == f"in.{NAME}")
    exchange["arguments"] = {}


def _account_in(broker: Any) -> Any:
    (found,) = (one for one in broker["users"] if one["name"] == NAME)
    return found


TAMPERINGS: Mapping[str, Callable[[Any], None]] = {
    "made an administrator": _administrator,
    "given another password": _another_password,
    "given a wider permission": _wider,
    "given a permission elsewhere": _elsewhere,
    "narrowed to some keys": _narrowed,
    "freed of its limits": _unlimited,
    "made a listener of views": _bound("casework", f"inbox.{NAME}"),
    "made to write another's inbox": _bound(f"in.{NAME}", "inbox.hu-hivatal"),
    "made to hear another exchange": _bound("translation", f"in.{NAME}", "exchange"),
    "robbed of what goes nowhere": _other_exchange,
}


@pytest.mark.parametrize("tamper", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_what_a_system_has_too_much_is_found(tamper: Callable[[Any], None]) -> None:
    """Whatever an administrator, or an old backup, gave to an account."""
    broker = broker_with([order()])
    tamper(broker)
    assert repair_of(broker, order()).needed


def test_what_is_too_much_is_taken_away_and_no_more() -> None:
    """The names under which the broker knows what must go."""
    broker = broker_with([order(), order("hu-hivatal")])
    for tamper in TAMPERINGS.values():
        tamper(broker)
    repair = repair_of(broker, order())
    assert (repair.forbidden, repair.restricted, repair.exchanges) == (("/",), (VHOST,), (f"in.{NAME}",))
    assert {(one["source"], one["destination"]) for one in repair.bindings} == {
        ("casework", f"inbox.{NAME}"),
        (f"in.{NAME}", "inbox.hu-hivatal"),
        ("translation", f"in.{NAME}"),
    }


def test_a_suspended_system_that_is_connected_is_cut_off() -> None:
    """Even when the broker has nothing else of it that it should not have."""
    suspended = order(status="suspended")
    assert not repair_of(broker_with([suspended]), suspended).needed
    repair = repair_of(broker_with([suspended], [NAME]), suspended)
    assert repair.opened
    assert not repair.broken


def test_a_broker_restored_from_an_old_backup_says_which_version_it_has() -> None:
    """What was rotated, suspended or reinstated since is found by its credential, its permission or its tag."""
    before = broker_with([order(version=1)])
    for now in (order(version=2, password_hash=NEW_HASH), order(version=2, status="suspended"), order(version=3)):
        repair = repair_of(before, now)
        assert repair.needed
        assert repair.was == 1


@given(lists, lists, st.sampled_from([1, 2, 500]))
def test_every_stranger_is_found_in_exactly_one_part_of_the_list(
    wanted: list[Provision], others: list[Provision], chunk: int
) -> None:
    """However the list is cut; never an account of the exchange itself, nor one that is kept."""
    known = {one.system for one in wanted}
    strangers = {one.system for one in others} - known
    there = [*wanted, *(one for one in others if one.system in strangers)]
    found = Found(broker_with(there, ["no-account"]), VHOST)
    parts = [found.strangers(one, {"boss"}) for one in _chunks(wanted, chunk)]
    assert sorted(itertools.chain(*parts)) == sorted(strangers | {"no-account"} - known)


def _chunks(wanted: list[Provision], size: int) -> list[Reconcile]:
    """The list as the registry cuts it."""
    wanted = sorted(wanted, key=lambda one: one.system)
    chunks = [wanted[start : start + size] for start in range(0, len(wanted), size)] or [[]]
    ends = [None, *(chunk[-1].system for chunk in chunks[:-1]), None]
    return [
        Reconcile(after=ends[place], upto=ends[place + 1], systems=tuple(chunk)) for place, chunk in enumerate(chunks)
    ]


@pytest.mark.parametrize("name", sorted({*RESERVED, "service.registry", "boss"}))
def test_accounts_of_the_exchange_itself_are_no_strangers(name: str) -> None:
    """Nor is the one by which the provisioner administers the broker."""
    broker = broker_with([])
    broker["users"].append({"name": name, "tags": "", "password_hash": HASH, "hashing_algorithm": "x"})
    assert Found(broker, VHOST).strangers(Reconcile(systems=()), {"boss"}) == []


def test_what_was_closed_is_a_stranger() -> None:
    """An account, or a queue that is left of it."""
    message = Reconcile(systems=(order(status="closed"),))
    assert Found(broker_with([order()]), VHOST).strangers(message, {"boss"}) == [NAME]
    left = broker_with([])
    left["queues"].append({"name": f"inbox.{NAME}"})
    assert Found(left, VHOST).strangers(message, {"boss"}) == [NAME]


@given(st.integers(1, 10**9 - 1))
def test_an_account_bears_its_version(version: int) -> None:
    """As a tag that means nothing to the broker; an account without one has version 0."""
    assert version_of({"tags": [tag_of(version), "monitoring"]}) == version
    assert version_of({"tags": f"monitoring,{tag_of(version)}"}) == version
    assert version_of({"tags": []}) == version_of(None) == 0
