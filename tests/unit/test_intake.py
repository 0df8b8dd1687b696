"""What a connected system sends is hostile until checked: every fault has its code and its field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.registry import COMMANDS, Search
from contracts.sentences import REFUSALS
from services.chassis.intake import Command, Faulty, Intake
from tests.unit.deliveries import SYSTEM, delivered

LANE, UNDELIVERED, EXPIRED = f"registry.commands.{SYSTEM}", f"registry.undelivered.{SYSTEM}", "registry.expired"
LIMIT = 1000
INTAKE = Intake(COMMANDS, LIMIT)
DEATHS = {"x-death": [{"reason": "expired", "queue": "inbox.de-kammer", "count": 1}]}


def check(body: bytes = b"{}", queue: str = LANE, **changes: Any) -> Command | Faulty:
    """What the registry's intake says to a message."""
    return INTAKE.check(queue, delivered(body, **changes))


FAULTS: list[tuple[str, bytes, dict[str, Any], str, str | None]] = [
    ("no message id", b"{}", {"message_id": None}, "missing-property", "message_id"),
    ("an empty message id", b"{}", {"message_id": ""}, "missing-property", "message_id"),
    ("a message id that is too long", b"{}", {"message_id": "x" * 129}, "missing-property", "message_id"),
    ("a message id with a space", b"{}", {"message_id": "a b"}, "missing-property", "message_id"),
    ("a message id of two lines", b"{}", {"message_id": "a\n"}, "missing-property", "message_id"),
    ("a message id beyond ASCII", b"{}", {"message_id": "ä"}, "missing-property", "message_id"),
    ("no user id", b"{}", {"user_id": None}, "missing-property", "user_id"),
    ("another's user id", b"{}", {"user_id": "de-kammer"}, "missing-property", "user_id"),
    ("a user id that begins with its own", b"{}", {"user_id": f"{SYSTEM}-2"}, "missing-property", "user_id"),
    ("no type", b"{}", {"message_type": None}, "missing-property", "type"),
    ("an empty type", b"{}", {"message_type": ""}, "missing-property", "type"),
    ("no content type", b"{}", {"content_type": None}, "missing-property", "content_type"),
    ("another content type", b"{}", {"content_type": "text/plain"}, "missing-property", "content_type"),
    ("one byte too many", b" " * (LIMIT + 1), {}, "too-large", None),
    ("more values than so many bytes have", b'{"x": [%b1]}' % (b"1," * 84), {}, "too-large", None),
    ("another routing key", b"{}", {"routing_key": "registry.apply.v1"}, "wrong-routing-key", "routing_key"),
    ("no routing key", b"{}", {"routing_key": ""}, "wrong-routing-key", "routing_key"),
    (
        "an unknown type",
        b"{}",
        {"message_type": "registry.no.v1", "routing_key": "registry.no.v1"},
        "unknown-type",
        "type",
    ),
    (
        "an unknown version",
        b"{}",
        {"message_type": "registry.search.v2", "routing_key": "registry.search.v2"},
        "unknown-type",
        "type",
    ),
    (
        "another service's type",
        b"{}",
        {"message_type": "casework.reply.v1", "routing_key": "casework.reply.v1"},
        "unknown-type",
        "type",
    ),
    ("nothing", b"", {}, "not-json", None),
    ("half an object", b'{"name": ', {}, "not-json", None),
    ("no UTF-8", b'{"name": "\xff"}', {}, "not-json", None),
    ("half a character", rb'{"name": "\ud800x"}', {}, "not-json", None),
    ("two objects", b"{}{}", {}, "not-json", None),
    ("no number", b'{"limit": NaN}', {}, "wrong-shape", "limit"),
    ("no object", b"[]", {}, "wrong-shape", None),
    ("an unknown field", b'{"nam": "x"}', {}, "wrong-shape", "nam"),
    ("a wrong value", b'{"limit": 0}', {}, "wrong-shape", "limit"),
]


@pytest.mark.parametrize(("body", "changes", "code", "field"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_message_that_is_not_right_is_refused_with_its_fault(
    body: bytes, changes: dict[str, Any], code: str, field: str | None
) -> None:
    """The lane says whose it is, so that even a message without any property has somebody to be told."""
    faulty = check(body, **changes)
    assert isinstance(faulty, Faulty)
    assert (faulty.system, faulty.code, faulty.field) == (SYSTEM, code, field)
    assert faulty.code in REFUSALS


def test_a_message_that_is_right_is_a_command() -> None:
    """Its sender is the lane's; its body is parsed."""
    command = check(b'{"text": "Amt"}', message_id="17")
    assert isinstance(command, Command)
    assert (command.system, command.message_id, command.key) == (SYSTEM, "17", f"{SYSTEM}/17")
    assert command.body == Search(text="Amt")


EDGES: list[tuple[str, bytes, dict[str, Any]]] = [
    ("a body of just the size", b"{}" + b" " * (LIMIT - 2), {}),
    ("the longest message id", b"{}", {"message_id": "x" * 128}),
    ("a message id of any signs", b"{}", {"message_id": "$set/../{}%s<b>"}),
    ("redelivered", b"{}", {"redelivered": True}),
    ("forged death headers", b"{}", {"headers": DEATHS}),
]


@pytest.mark.parametrize(("body", "changes"), [e[1:] for e in EDGES], ids=[e[0] for e in EDGES])
def test_what_is_unusual_but_right_is_taken(body: bytes, changes: dict[str, Any]) -> None:
    """And nothing is believed of death headers, which a sender can forge."""
    assert isinstance(check(body, **changes), Command)


def test_what_expired_is_a_command_that_must_not_be_begun() -> None:
    """It came by the lane of the expired; the broker's check of the user id names the sender, whoever it is."""
    command = check(queue=EXPIRED, user_id="de-kammer")
    assert isinstance(command, Command)
    assert (command.system, command.expired) == ("de-kammer", True)
    lively = check()
    assert isinstance(lively, Command)
    assert not lively.expired


def test_what_expired_and_names_nobody_cannot_be_answered() -> None:
    """It is parked: there is no inbox to which an outcome could go."""
    with pytest.raises(ValueError, match="user id"):
        check(queue=EXPIRED, user_id=None)


def test_what_no_queue_took_is_told_so() -> None:
    """It came by the alternate exchange, and still has its own exchange on it."""
    faulty = check(b"{}", UNDELIVERED, message_type="nobody.x.v1", routing_key="nobody.x.v1")
    assert isinstance(faulty, Faulty)
    assert (faulty.code, faulty.field) == ("not-routable", "routing_key")


def test_a_fault_never_quotes_the_message() -> None:
    """The field is named, its content is not: it would travel on to logs and inboxes."""
    faulty = check(b'{"name": "x", "country": "Planted Person"}')
    assert isinstance(faulty, Faulty)
    assert "Planted" not in repr(faulty)


@given(st.binary(max_size=40))
def test_no_body_whatever_makes_the_intake_fail(body: bytes) -> None:
    """It is a command, or a fault with a code that has a sentence."""
    checked = check(body)
    assert isinstance(checked, Command) or checked.code in REFUSALS


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_the_same_fault_has_the_same_outcome_id_and_another_body_another(one: bytes, other: bytes) -> None:
    """So that a repetition can be told from a second mistake."""
    first, second = (check(body, message_type=None) for body in (one, other))
    assert isinstance(first, Faulty)
    assert isinstance(second, Faulty)
    assert (first.outcome_id == second.outcome_id) == (one == other)


def test_the_digest_tells_body_and_type_apart() -> None:
    """The same words under another type are another command."""
    search, other = check(b"{}"), Intake((type("Other", (Search,), {"TYPE": "x.y.v1"}),), LIMIT)
    same = other.check(LANE, delivered(b"{}", message_type="x.y.v1", routing_key="x.y.v1"))
    assert isinstance(search, Command)
    assert isinstance(same, Command)
    assert search.digest != same.digest


TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
TRACES: list[tuple[str, Any, str | None]] = [
    ("one", {"traceparent": TRACE}, TRACE),
    ("words of the sender's own", {"traceparent": "planted words"}, None),
    ("of no trace", {"traceparent": f"00-{'0' * 32}-{'b' * 16}-01"}, None),
    ("of no span", {"traceparent": f"00-{'a' * 32}-{'0' * 16}-01"}, None),
    ("with more behind it", {"traceparent": f"{TRACE}-planted"}, None),
    ("none", None, None),
    ("too long", {"traceparent": "0" * 65}, None),
    ("a number", {"traceparent": 1}, None),
]


@pytest.mark.parametrize(("headers", "trace"), [t[1:] for t in TRACES], ids=[t[0] for t in TRACES])
def test_a_trace_is_taken_on_when_it_looks_like_one(headers: Any, trace: str | None) -> None:
    """Anything else is dropped, and the command goes on."""
    command = check(headers=headers)
    assert isinstance(command, Command)
    assert command.traceparent == trace
