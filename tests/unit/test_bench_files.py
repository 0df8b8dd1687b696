"""The bench counts and speaks correctly: what it says of the exchange rests on this."""

import asyncio
from datetime import date

import pytest
from pamqp import commands, frame, header

from bench import frames, report
from bench.channel import Channel, Nacked, Returned
from bench.count import Tally
from bench.frames import Delivered, Properties
from bench.limit.shape import published
from bench.plan import Player, about, replies, request
from bench.quoted import quoted
from bench.rounds import Round
from contracts.casework import CloseCase, SendRequest

ALL = Properties(
    content_type="application/json",
    content_encoding="identity",
    headers={"imi-cause": "x", "imi-redelivered": True},
    delivery_mode=2,
    priority=3,
    correlation_id="c",
    reply_to="r",
    expiration="60000",
    message_id="m",
    timestamp=1_700_000_000,
    message_type="t",
    user_id="u",
    app_id="a",
)


class FakeLine:
    """What a channel writes to, kept."""

    def __init__(self) -> None:
        self.frame_max = 4096
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def forget(self, channel: int) -> None:
        pass


def _frames(data: bytes) -> list[object]:
    found: list[object] = []
    while data:
        used, _, one = frame.unmarshal(data)
        found.append(one)
        data = data[used:]
    return found


def _payload(method: object) -> bytes:
    return frame.marshal(method, 1)[7:-1]  # type: ignore[arg-type]


def test_a_published_message_is_read_by_pamqp_as_it_was_written() -> None:
    """Exchange, key, properties and body, the body in frames no longer than the broker allows."""
    data = frames.published(1, ("in.x", "key"), ALL, b"b" * 9000, most=4096)
    method, content, *bodies = _frames(data)
    assert isinstance(method, commands.Basic.Publish)
    assert (method.exchange, method.routing_key, method.mandatory) == ("in.x", "key", True)
    assert isinstance(content, header.ContentHeader)
    assert content.body_size == 9000
    assert [len(one.value) for one in bodies] == [4088, 4088, 824]  # type: ignore[attr-defined]
    written = content.properties
    names = ("content_type", "headers", "delivery_mode", "priority", "correlation_id", "expiration", "message_id")
    assert [getattr(written, name) for name in names] == [getattr(ALL, name) for name in names]
    assert (written.message_type, written.user_id, written.app_id) == ("t", "u", "a")


@pytest.mark.parametrize("properties", [ALL, Properties(), Properties(user_id="u"), Properties(message_id="m")])
def test_properties_are_read_as_they_were_written(properties: Properties) -> None:
    """Whichever of them a message has."""
    data = b"\x00\x3c\x00\x00" + (7).to_bytes(8, "big") + properties.encoded()
    assert frames.header(data) == (7, properties)


def test_a_delivery_is_read_as_pamqp_writes_it() -> None:
    """Consumer, tag, whether it was delivered before, exchange and routing key."""
    method = commands.Basic.Deliver("consumer", 2**40, True, "in.x", "key")
    assert frames.delivered(_payload(method)) == Delivered("consumer", 2**40, True, "in.x", "key", Properties())


async def test_confirms_of_several_messages_at_once_settle_each() -> None:
    """A confirm may mean all up to its tag; what was not taken raises; what no queue took raises."""
    channel = Channel(FakeLine(), 1)
    published = [channel.publish("e", "k", Properties(message_id=str(n)), b"") for n in range(4)]
    channel.take(frames.METHOD, _payload(commands.Basic.Return(312, "NO_ROUTE", "e", "k")))
    channel.take(frames.HEADER, b"\x00\x3c\x00\x00" + bytes(8) + Properties(message_id="1").encoded())
    channel.take(frames.METHOD, _payload(commands.Basic.Ack(3, True)))
    channel.take(frames.METHOD, _payload(commands.Basic.Nack(4, False)))
    results = await asyncio.gather(*published, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), Returned, type(None), Nacked]


async def test_a_delivery_in_several_frames_reaches_its_consumer_whole() -> None:
    """And a channel that fails lets nobody wait."""
    channel, arrived = Channel(FakeLine(), 1), list[Delivered]()
    consuming = asyncio.ensure_future(channel.consume("q", arrived.append))
    await asyncio.sleep(0)
    channel.take(frames.METHOD, _payload(commands.Basic.ConsumeOk("1.1")))
    channel.take(frames.METHOD, _payload(commands.Basic.Deliver(await consuming, 1, False, "e", "k")))
    channel.take(frames.HEADER, b"\x00\x3c\x00\x00" + (6).to_bytes(8, "big") + ALL.encoded())
    channel.take(frames.BODY, b"abc")
    assert not arrived
    channel.take(frames.BODY, b"def")
    assert (arrived[0].body, arrived[0].properties) == (b"abcdef", ALL)
    waiting = channel.publish("e", "k", Properties(message_id="1"), b"")
    channel.fail(ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await waiting


def test_a_case_is_whole_when_each_side_has_seen_all_its_versions() -> None:
    """Repeats are counted apart; another message that says the same is a doubled one; what is missing is lost."""
    tally = Tally()
    for system in ("a", "b"):
        for version in (1, 2, 3, 4):
            assert not tally.whole("case")
            assert tally.saw(system, "case", version, f"{system}{version}")
    assert tally.whole("case")
    assert not tally.saw("a", "case", 1, "a1")
    assert not tally.saw("a", "case", 1, "other")
    assert (tally.repeated, tally.doubled, tally.lost(1), tally.lost(2)) == (1, 1, 0, 8)


def test_each_command_has_one_outcome() -> None:
    """A second one with another id is a doubled one; one that never comes is lost."""
    tally = Tally()
    tally.sent("one", 1.5)
    tally.sent("two", 2.5)
    assert tally.outcome("one", "x") == 1.5
    assert tally.outcome("one", "x") is None
    assert tally.outcome("one", "y") is None
    assert (tally.repeated, tally.doubled, tally.lost(0)) == (1, 1, 1)


def test_the_prebuilt_commands_are_those_of_the_contracts() -> None:
    """With the case's number put in, they are what a system would send."""
    german = Player(system="de", url="", authority="DE-12345678", language="de")
    hungarian = Player(system="hu", url="", authority="HU-12345678", language="hu")
    sent = SendRequest.model_validate_json(request(german, hungarian))
    assert (sent.authority, sent.recipient) == ("DE-12345678", "HU-12345678")
    assert sent.wished_date > date(2024, 1, 1)
    closed = about(replies(german).closed, b"ABCD-EFGH-JKMN")
    assert CloseCase.model_validate_json(closed).case == "ABCD-EFGH-JKMN"


@pytest.mark.parametrize(
    ("closed", "lost", "wrong"),
    [
        (300, 0, []),
        (299, 0, ["vs_naive is 2.99, and must be 3.0"]),
        (300, 3, ["3 messages lost"]),
    ],
)
def test_a_bench_fails_when_it_is_slow_or_loses(closed: int, lost: int, wrong: list[str]) -> None:
    """It says what is not as it must be."""
    rounds = [_round("exchange", closed, lost), _round("naive", 100, 0), _round("limit", 1600, 0)]
    assert report.failures(report.summary(rounds)) == wrong


def test_a_bench_fails_when_the_broker_could_do_far_more() -> None:
    """What a C client does with the same messages is the measure."""
    rounds = [_round("exchange", 300, 0), _round("naive", 100, 0), _round("limit", 2000, 0)]
    result = report.summary(rounds)
    assert report.failures(result) == ["vs_limit is 0.15, and must be 0.18"]
    assert "vs_limit: 0.15, the aim is 0.25: 60%" in report.distances(result)


def test_a_case_comes_to_what_the_services_say_that_they_published() -> None:
    """The limit has the same messages: so many of each kind, of the size that they have."""
    text = """# TYPE imi_published_total counter
imi_published_total{type="inbox.outcome.v1"} 30.0
imi_published_total{type="inbox.case.v1"} 10.0
imi_published_bytes_total{type="inbox.outcome.v1"} 60000.0
imi_published_created{type="inbox.case.v1"} 1.7e+09
imi_published_total{type="casework.all_dates.v1"} 5.0
"""
    assert list(published(text)) == [
        ("inbox", 30.0, 0.0),
        ("inbox", 10.0, 0.0),
        ("inbox", 0.0, 60000.0),
        ("dates", 5.0, 0.0),
    ]


def test_a_result_is_quoted_as_it_was_measured() -> None:
    """In a table for the README: the services, plain FastStream and the limit, whose messages nobody waits for."""
    rounds = [_round("exchange", 300, 0), _round("naive", 100, 0), _round("limit", 1000, 0)]
    text = quoted(report.summary(rounds))
    assert "| the services as they ship | 300.0 | 1 / 2 ms | - | 1.0 / 0.0 / 0.0 / 0.0 ms |" in text
    assert "3.0 times as many as plain FastStream, 30% of the limit; 0 lost, 0 doubled in 1 rounds" in text


def _round(variant: str, closed: int, lost: int) -> Round:
    return Round(
        variant=variant,
        closed=closed,
        seconds=1,
        p50_ms=1,
        p99_ms=2,
        begun=closed,
        lost=lost,
        doubled=0,
        repeated=0,
        cpu_ms_per_case={"casework": 1.0},
        rss_mb={"casework": 70.0},
    )
