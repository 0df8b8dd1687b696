"""Where a system's own account reaches in the broker: its exchange, its inbox, and nowhere else."""

import functools
from collections.abc import Awaitable, Callable
from typing import Final

import aiormq
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed

from contracts.registry import Search
from contracts.topology import exchange_of, inbox_of
from tests.attack.named import ATTACKER, VICTIM, Attack, refused
from tests.broker.raw import RawSystem, raw_system
from tests.world import World

Try = Callable[[RawSystem], Awaitable[object]]


async def _stream(system: RawSystem, name: str) -> object:
    await system.channel.basic_qos(prefetch_count=1)
    return await system.channel.basic_consume(name, _take, arguments={"x-stream-offset": "first"})


async def _take(_: aiormq.abc.DeliveredMessage) -> None: ...


_TRIES: Final[list[tuple[str, str, Try]]] = [
    ("read another's inbox", "its cases", lambda s: s.channel.basic_consume(inbox_of(VICTIM), _take)),
    ("get from another's inbox", "its cases", lambda s: s.channel.basic_get(inbox_of(VICTIM))),
    ("read its own lane", "to take commands back unseen", lambda s: s.channel.basic_get(f"casework.commands.{s.name}")),
    ("read what is said inside", "everybody's cases", lambda s: s.channel.basic_get("translation.views")),
    (
        "have something handled again",
        "commands in anybody's name",
        lambda s: s.send(b"{}", exchange="replay", routing_key="casework.again"),
    ),
    ("read what was handled again", "others' commands", lambda s: s.channel.basic_get("replays")),
    ("read what is parked", "others' commands", lambda s: s.channel.basic_get("casework.parked")),
    ("read the operator's inbox", "what it is told", lambda s: s.channel.basic_get(inbox_of("operator"))),
    ("read the journal", "everybody's commands", lambda s: _stream(s, "journal")),
    ("read the record of replays", "others' commands", lambda s: _stream(s, "replays")),
    ("read what is to be handled again", "others' commands", lambda s: s.channel.basic_get("casework.again")),
    ("read what expired", "others' commands", lambda s: s.channel.basic_get("registry.expired")),
    ("read the provisioner's tasks", "hashes of passwords", lambda s: s.channel.basic_get("provisioner.tasks")),
    (
        "take another's inbox for itself alone",
        "that it never hears",
        lambda s: s.channel.basic_consume(inbox_of(VICTIM), _take, exclusive=True),
    ),
    ("purge another's inbox", "that it never hears", lambda s: s.channel.queue_purge(inbox_of(VICTIM))),
    ("delete its own inbox", "to disturb who writes there", lambda s: s.channel.queue_delete(inbox_of(s.name))),
    ("delete another's lane", "its silence", lambda s: s.channel.queue_delete(f"casework.commands.{VICTIM}")),
    ("delete its own exchange", "a gap in the topology", lambda s: s.channel.exchange_delete(exchange_of(s.name))),
    (
        "write another's exchange",
        "to speak as it",
        lambda s: s.send(b"{}", exchange=exchange_of(VICTIM), message_type=Search.TYPE),
    ),
    ("write the operator's", "its rights", lambda s: s.send(b"{}", exchange=exchange_of("operator"), routing_key="x")),
    (
        "write as translation",
        "to put words into an inbox",
        lambda s: s.send(b"{}", exchange="translation", routing_key=inbox_of(VICTIM)),
    ),
    ("write as casework", "to invent a case", lambda s: s.send(b"{}", exchange="casework", routing_key="views")),
    ("write as the registry", "a part in it", lambda s: s.send(b"{}", exchange="registry", routing_key="event.x")),
    ("order the provisioner", "an account", lambda s: s.send(b"{}", exchange="registry", routing_key="provision")),
    (
        "write to what was undelivered",
        "a command without checks",
        lambda s: s.send(b"{}", exchange=f"undelivered.{s.name}"),
    ),
    ("write to what expired", "a command without checks", lambda s: s.send(b"{}", exchange="expired", routing_key="x")),
    (
        "use the default exchange",
        "any queue",
        lambda s: s.send(b"{}", exchange="", routing_key=inbox_of(VICTIM)),
    ),
    (
        "write to the journal",
        "a past that never was",
        lambda s: s.send(b"{}", exchange="replay", routing_key="journal"),
    ),
    ("use what no client may write", "an answer to nobody", lambda s: s.send(b"{}", exchange=f"undelivered.{VICTIM}")),
    ("use the broker's own exchange", "any queue", lambda s: s.send(b"{}", exchange="amq.topic", routing_key="x")),
    ("declare a queue", "a place of its own", lambda s: s.channel.queue_declare("mine")),
    ("declare a passing queue", "a place of its own", lambda s: s.channel.queue_declare("", exclusive=True)),
    ("declare an exchange", "a way around", lambda s: s.channel.exchange_declare(exchange="mine")),
    (
        "bind its inbox to the inside",
        "everybody's cases",
        lambda s: s.channel.queue_bind(inbox_of(s.name), "casework", "#"),
    ),
    (
        "bind another's inbox to its own exchange",
        "to put words into an inbox",
        lambda s: s.channel.queue_bind(inbox_of(VICTIM), s.exchange, "#"),
    ),
    (
        "unbind another's inbox",
        "that it never hears",
        lambda s: s.channel.queue_unbind(inbox_of(VICTIM), "translation", inbox_of(VICTIM)),
    ),
    (
        "bind exchanges",
        "everybody's commands",
        lambda s: s.channel.exchange_bind(destination=exchange_of(s.name), source="casework"),
    ),
    (
        "unbind another's lane",
        "its silence",
        lambda s: s.channel.queue_unbind(f"casework.commands.{VICTIM}", exchange_of(VICTIM), "casework.#"),
    ),
    (
        "listen to the broker's events",
        "who is connected, from where",
        lambda s: s.channel.queue_bind(inbox_of(s.name), "amq.rabbitmq.event", "#"),
    ),
]

"""What its account has no right to."""
_CLAIMS: Final[list[tuple[str, str, Try]]] = [
    ("forge its user id", "to speak as another", lambda s: s.command(Search.TYPE, b"{}", "1", user_id=VICTIM)),
    (
        "send what expires at no time",
        "a lane that nobody can read",
        lambda s: s.command(Search.TYPE, b"{}", "1", expiration="soon"),
    ),
]
"""What it would have the right to if it were true: it may write there, and the broker looks at what it writes."""


async def _is_refused(attempt: Try, world: World, *, by: type[Exception] = ChannelAccessRefused) -> None:
    async with raw_system(world.url(ATTACKER), ATTACKER, listening=False) as system:
        with refused(by):
            await attempt(system)


ATTACKS: Final = [
    *(Attack(name, gain, functools.partial(_is_refused, attempt)) for name, gain, attempt in _TRIES),
    *(
        Attack(name, gain, functools.partial(_is_refused, attempt, by=ChannelPreconditionFailed))
        for name, gain, attempt in _CLAIMS
    ),
]
"""Each ends with an error on the attacker's own channel, and for that reason alone for which it has to."""
