"""Whatever a connected system sends, it is told what is wrong with it: nothing vanishes, and nothing stops."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from pamqp.commands import Basic

from contracts.casework import AcceptRequest, Reply, SendRequest
from contracts.registry import Search
from contracts.translation import PublishArea
from tests.broker.management import purge, take
from tests.broker.raw import RawSystem, raw_system
from tests.world import ANSWERS, World, update

pytestmark = pytest.mark.servers

SEARCH = Search.TYPE
SEND = SendRequest.TYPE


async def _refusal(system: RawSystem, message_id: str) -> tuple[str, str | None]:
    outcome = await system.outcome(message_id)
    assert outcome["status"] == "refused"
    assert outcome["refused"]["text"], "a refusal says in words what is wrong"
    return outcome["refused"]["code"], outcome["refused"].get("field")


SHAPES: list[tuple[str, bytes, dict[str, Any], str, str | None]] = [
    ("not JSON", b"{", {}, "not-json", None),
    ("no UTF-8", b'{"name": "\xff"}', {}, "not-json", None),
    ("nothing at all", b"", {}, "not-json", None),
    ("deeper than any message", b"[" * 100_000, {}, "not-json", None),
    ("no object", b"[]", {}, "wrong-shape", None),
    ("an unknown field", b'{"nam": "x"}', {}, "wrong-shape", "nam"),
    ("a number for a name", b'{"name": 1}', {}, "wrong-shape", "name"),
    ("an unknown state", b'{"country": "XX"}', {}, "wrong-shape", "country"),
    ("more than the limit", b" " * (256 * 1024 + 1), {}, "too-large", None),
    ("an unknown type", b"{}", {"message_type": "registry.destroy.v1"}, "unknown-type", "type"),
    ("an unknown version", b"{}", {"message_type": "registry.search.v99"}, "unknown-type", "type"),
    ("a service without commands", b"{}", {"message_type": "notifier.stop.v1"}, "unknown-type", "type"),
    ("an unknown service", b"{}", {"message_type": "nobody.search.v1"}, "not-routable", "routing_key"),
    ("no type", b"{}", {"message_type": None, "routing_key": SEARCH}, "missing-property", "type"),
    ("no content type", b"{}", {"content_type": None}, "missing-property", "content_type"),
    ("no user id", b"{}", {"user_id": None}, "missing-property", "user_id"),
    ("another routing key", b"{}", {"routing_key": "registry.apply.v1"}, "wrong-routing-key", "routing_key"),
    ("another service's routing key", b"{}", {"routing_key": SEND}, "wrong-routing-key", "routing_key"),
    ("a message id that is too long", b"{}", {"message_id": "x" * 129}, "missing-property", "message_id"),
]


@pytest.mark.parametrize(("body", "changes", "code", "field"), [s[1:] for s in SHAPES], ids=[s[0] for s in SHAPES])
async def test_a_malformed_message_is_refused_with_its_fault(
    world: World, body: bytes, changes: dict[str, Any], code: str, field: str | None
) -> None:
    """Every fault has its code, the field that is wrong, and a sentence."""
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:
        message_id = changes.get("message_id", str(uuid.uuid4()))
        await system.command(SEARCH, body, message_id, **{k: v for k, v in changes.items() if k != "message_id"})
        assert await _refusal(system, message_id) == (code, field)


@pytest.mark.parametrize("kind", [SEARCH, SEND, PublishArea.TYPE])
async def test_a_command_that_expires_in_its_lane_is_refused_as_expired(world: World, kind: str) -> None:
    """An `expiration` that ran out is an outcome too, whatever the death headers claim."""
    service = kind.split(".", maxsplit=1)[0]
    bodies = {SEARCH: {}, SEND: world.request().model_dump(mode="json"), PublishArea.TYPE: area_without_texts()}
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:
        forged = {"x-death": [{"reason": "rejected", "queue": "inbox.hu-hivatal", "count": 1}]}
        message_id = str(uuid.uuid4())
        await asyncio.to_thread(world.exchange.stop, *world.exchange.of(service))
        try:
            await system.command(kind, bodies[kind], message_id, expiration="1", headers=forged)
        finally:
            await asyncio.to_thread(world.exchange.start, service)
            await asyncio.to_thread(world.exchange.wait_until_ready)
        assert await _refusal(system, message_id) == ("expired", "expiration")


Given = Mapping[str, str | bytes | int]


class Unreadable(Basic.Properties):
    """Properties whose bytes are as given. A client library would not send them; a hostile one would."""

    def __init__(self, given: Given) -> None:
        super().__init__()
        self._raw = _properties(given)

    def marshal(self) -> bytes:
        return self._raw


_BITS = {
    "content_type": 15,
    "correlation_id": 10,
    "expiration": 8,
    "message_id": 7,
    "timestamp": 6,
    "message_type": 5,
    "user_id": 4,
}


def _properties(given: Given) -> bytes:
    """The flags and values of properties, in their order (AMQP 0-9-1, 4.2.6.1)."""
    flags = sum(1 << bit for name, bit in _BITS.items() if name in given)
    return flags.to_bytes(2, "big") + b"".join(_value(given[name]) for name in _BITS if name in given)


def _value(one: str | bytes | int) -> bytes:
    if isinstance(one, int):
        return one.to_bytes(8, "big")
    text = one.encode() if isinstance(one, str) else one
    return bytes([len(text)]) + text


NO_TEXT = b"\xff" * 255
"""As long as a property may be; as text, in which each byte is replaced by a character of three, it would be longer."""


@pytest.mark.parametrize(
    "strange",
    [{}, {"message_type": NO_TEXT}, {"correlation_id": NO_TEXT}, {"message_id": NO_TEXT}],
    ids=["of a known type", "of a type that is no text", "a correlation id that is none", "a message id that is none"],
)
async def test_an_expired_command_without_a_user_id_is_parked(world: World, strange: Given) -> None:
    """Its lane no longer says who sent it, and nobody else may: there is no one to answer, but nothing vanishes.

    Whatever its properties are, they go where it goes, and the service goes on.
    """
    purge(world.exchange, "casework.parked")
    usual: Given = {"content_type": "application/json", "message_type": SEND, "message_id": "1", "expiration": "1"}
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:
        await asyncio.to_thread(world.exchange.stop, *world.exchange.of("casework"))
        try:
            await system.channel.basic_publish(
                b"{}",
                exchange=system.exchange,
                routing_key=SEND,
                properties=Unreadable({**usual, **strange}),
                mandatory=True,
            )
        finally:
            await asyncio.to_thread(world.exchange.start, "casework")
            await asyncio.to_thread(world.exchange.wait_until_ready)
        headers, _ = await asyncio.to_thread(take, world.exchange, "casework.parked")
        assert (headers["imi-queue"], headers["imi-user"]) == ("casework.expired", "")
        after = str(uuid.uuid4())
        await system.command(SEND, b"{}", after)
        assert await _refusal(system, after) == ("wrong-shape", "authority")


@pytest.mark.parametrize(
    ("message_id", "timestamp", "status"),
    [(b"far-future", 2**62, "done"), (b"\xff\xfe", 0, "refused"), (b"with space", 0, "refused")],
    ids=["a timestamp in a far future", "a message id that is no text", "a message id with a space"],
)
async def test_properties_that_cannot_be_read_disturb_nobody(
    world: World, message_id: bytes, timestamp: int, status: str
) -> None:
    """They are refused or passed over; the service goes on at once."""
    usual: Given = {"content_type": "application/json", "message_type": SEARCH, "user_id": "de-other"}
    async with raw_system(world.url("de-other"), "de-other") as system:
        await system.channel.basic_publish(
            b"{}",
            exchange=system.exchange,
            routing_key=SEARCH,
            properties=Unreadable({**usual, "message_id": message_id, "timestamp": timestamp}),
            mandatory=True,
        )
        _, outcome = await system.receive(lambda _, body: body["kind"] == "outcome")
        assert outcome["status"] == status
        after = str(uuid.uuid4())
        await system.command(SEARCH, b"{}", after)
        assert (await system.outcome(after))["status"] == "done"


CONTENT: list[tuple[str, dict[str, Any], str, str]] = [
    ("an unknown authority", {"authority": "DE-00000000"}, "unknown-authority", "authority"),
    ("an authority of another system", {"authority": "hu-hivatal"}, "not-your-authority", "authority"),
    ("an unknown recipient", {"recipient": "HU-00000000"}, "recipient-not-found", "recipient"),
    ("a recipient of its own state", {"recipient": "de-other"}, "own-state", "recipient"),
    ("a recipient without access", {"recipient": "hu-nimic"}, "recipient-not-found", "recipient"),
    ("an unknown area", {"area": "no-such-area"}, "unknown-area", "area"),
    ("an unknown question", {"questions": ["no-such-question"]}, "unknown-question", "questions.0"),
    ("a question twice", {"questions": ["is-diploma-genuine"] * 2}, "unknown-question", "questions.1"),
    ("a date that has passed", {"wished_date": "2020-01-01"}, "date-in-the-past", "wished_date"),
    ("no particulars", {"particulars": {}}, "particular-missing", "particulars.holder-name"),
    ("an unknown particular", {"particulars": {"shoe-size": 42}}, "particular-unknown", "particulars.shoe-size"),
    (
        "a date that is none",
        {"particulars": {"date-of-birth": "1980-02-30"}},
        "wrong-answer-type",
        "particulars.date-of-birth",
    ),
    ("an unknown profession", {"particulars": {"profession": "magician"}}, "unknown-option", "particulars.profession"),
]


@pytest.mark.parametrize(("changes", "code", "field"), [c[1:] for c in CONTENT], ids=[c[0] for c in CONTENT])
async def test_a_request_that_cannot_be_sent_is_refused_with_its_fault(
    world: World, changes: dict[str, Any], code: str, field: str
) -> None:
    """Whom, what, about whom, until when: each is checked before there is a case."""
    named = {key: world.ids.get(value, value) if isinstance(value, str) else value for key, value in changes.items()}
    async with world.system("de-kammer") as system:
        outcome = await system.outcome(world.request(**named))
        assert outcome.refused
        assert (outcome.refused.code, outcome.refused.field, outcome.case) == (code, field, None)


ANSWER_FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("an unknown option", {"is-diploma-genuine": "perhaps"}, "unknown-option", "answers.is-diploma-genuine"),
    ("a number for an option", {"is-diploma-genuine": 1}, "wrong-answer-type", "answers.is-diploma-genuine"),
    ("several for one", {"is-diploma-genuine": ["yes"]}, "wrong-answer-type", "answers.is-diploma-genuine"),
    ("an unknown state", {"country-of-training": "XX"}, "unknown-option", "answers.country-of-training"),
    ("an unknown question", {"no-such-question": "yes"}, "unknown-question", "answers.no-such-question"),
    ("one that was not asked", {"profession-regulated": "yes"}, "question-not-asked", "answers.profession-regulated"),
]


async def test_a_reply_that_does_not_fit_is_refused_with_its_fault(world: World) -> None:
    """Answers of the wrong type, to other questions, or missing: the case stays as it is."""
    async with world.both() as (germany, hungary):
        sent = (await germany.do(world.request())).case
        assert sent
        early = await hungary.outcome(world.reply(sent.id))
        assert early.refused
        assert early.refused.code == "wrong-state", "a reply before acceptance"
        await hungary.do(world.accept(sent.id))
        for name, answers, code, field in ANSWER_FAULTS:
            outcome = await hungary.outcome(world.reply(sent.id, answers={**ANSWERS, **answers}))
            assert outcome.refused, name
            assert (outcome.refused.code, outcome.refused.field) == (code, field), name
        missing = await hungary.outcome(world.reply(sent.id, answers={"country-of-training": "HU"}))
        assert missing.refused
        assert (missing.refused.code, missing.refused.field) == ("answer-missing", "answers.is-diploma-genuine")
        assert missing.case
        assert missing.case.version == 2


async def test_each_side_has_its_own_steps(world: World) -> None:
    """The sender cannot accept its own request, nor the recipient close it, nor one speak for the other."""
    async with world.both() as (germany, hungary):
        sent = (await germany.do(world.request())).case
        assert sent
        own = await germany.outcome(world.accept(sent.id, authority=world.ids["de-kammer"]))
        assert own.refused
        assert own.refused.code == "not-your-step"
        await hungary.do(world.accept(sent.id))
        await hungary.do(world.reply(sent.id))
        await update(germany, sent.id, 3)
        wrong = await hungary.outcome(world.close(sent.id, authority=world.ids["hu-hivatal"]))
        assert wrong.refused
        assert wrong.refused.code == "not-your-step"
        forged = await hungary.outcome(
            AcceptRequest.model_validate(world.accept(sent.id).model_dump() | {"authority": world.ids["de-kammer"]})
        )
        assert forged.refused
        assert forged.refused.code == "not-your-authority"


def area_without_texts() -> dict[str, Any]:
    """The smallest area there can be."""
    rule = {"code": "q", "type": "date", "required": True, "personal": False}
    periods = {"acceptance": {"days": 1}, "answer": {"days": 1}}
    rules = {"legal_basis": "x", "deadlines": periods, "particulars": [], "questions": [rule]}
    return {"area": "mine", "version": 1, "rules": rules}


@pytest.mark.parametrize("kind", [PublishArea.TYPE, "translation.put_texts.v1"])
async def test_only_the_operator_publishes_legislation(world: World, kind: str) -> None:
    """Any other system is told so."""
    texts = {"area": "mine", "version": 1, "language": "en", "texts": {"title": "Mine"}}
    body = area_without_texts() if kind == PublishArea.TYPE else texts
    async with raw_system(world.url("de-kammer"), "de-kammer") as system:
        message_id = str(uuid.uuid4())
        await system.command(kind, body, message_id)
        assert await _refusal(system, message_id) == ("operator-only", None)


async def test_a_reply_is_typed_strictly(world: World) -> None:
    """`true` is no number and no option: JSON's own types count."""
    async with raw_system(world.url("hu-hivatal"), "hu-hivatal") as system:
        body = world.reply("0000-0000-0000").model_dump(mode="json")
        body["answers"] = {"is-diploma-genuine": True}
        message_id = str(uuid.uuid4())
        await system.command(Reply.TYPE, body, message_id)
        code, field = await _refusal(system, message_id)
        assert code == "wrong-shape"
        assert field
        assert field.startswith("answers.is-diploma-genuine")
