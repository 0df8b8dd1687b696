"""Where commands come in and outcomes go out: intake, the service's own handler, and one outcome for every command."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog
from pydantic_core import to_json

from contracts.identity import derived_uuid
from contracts.inbox import Outcome, Refused, View
from contracts.refusal import Refusal
from contracts.types import AuthorityId, Message, read
from services.chassis import metrics, tracing
from services.chassis.bus import Outgoing
from services.chassis.delivery import Delivery, Later, Result
from services.chassis.intake import Command, Faulty, Intake, traceparent_of
from services.chassis.together import Said, together
from services.chassis.tracing import Hop

log = structlog.get_logger()

OWN_SYSTEM: Final = "*"
"""Whose commands a service's own are. No connected system can be called so."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that other services are told."""

    routing_key: str
    message: Message
    message_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command: its outcome, what else systems are shown, what services are told.

    What a service told itself to do has no outcome: nobody asked.
    """

    outcome: View | None
    views: tuple[View, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def is_refusal(self) -> bool:
        """Whether the command was refused."""
        said = self.outcome.message if self.outcome else None
        return isinstance(said, Outcome) and said.status == "refused"


Handler = Callable[[Sequence[Command]], Awaitable[Sequence[Answer | Later]]]


class Desk:
    """Takes the deliveries of a service's lanes. Give it to a `Worker` as its handler."""

    def __init__(self, types: Iterable[type[Message]], max_body: int, handle: Handler) -> None:
        """`handle` decides and stores; called again with the same commands it must give the same answers."""
        types = tuple(types)
        self._intake = Intake(types, max_body)
        for kind in types:  # a counter that is not there yet cannot be seen to rise
            for outcome in ("done", "refused"):
                metrics.COMMANDS.labels(kind.TYPE, outcome)
        self._handle = handle

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Result]:
        """Return for each delivery what is to be published before it is acknowledged."""
        checked = [self._intake.check(delivery.lane, delivery.message, delivery.age) for delivery in deliveries]
        said = iter(await _carried_out([one for one in checked if isinstance(one, Command)], self._handle))
        return together([_refuse(one) if isinstance(one, Faulty) else next(said) for one in checked])


class OwnDesk:
    """Takes what a service tells itself to do. Its sender is certain: only the service may write to that queue."""

    def __init__(self, types: Iterable[type[Message]], handle: Handler) -> None:
        """`handle` decides and stores, as for any command; its answers have no outcome."""
        self._types = {kind.TYPE: kind for kind in types}
        self._handle = handle

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Result]:
        """Return for each delivery what is to be published before it is acknowledged."""
        return together(await _carried_out([self._command(delivery) for delivery in deliveries], self._handle))

    def _command(self, delivery: Delivery) -> Command:
        properties = delivery.message.header.properties
        body = read(self._types[properties.message_type or ""], delivery.message.body)
        traceparent = traceparent_of(delivery.message)
        return Command(OWN_SYSTEM, str(properties.message_id), body, "", delivery.age, traceparent=traceparent)


def outcome_of(command: Command, outcome: Outcome, reader: AuthorityId | None = None) -> View:
    """Return the outcome addressed to the sender, under an id that depends on the command alone."""
    return View(
        to=command.system,
        reader=reader,
        message_id=derived_uuid("outcome", command.key, command.digest),
        correlation_id=command.message_id,
        message=outcome,
    )


def done(command: Command, *, reader: AuthorityId | None = None, **result: object) -> View:
    """Return the outcome of a command that was carried out; `result` are fields of `Outcome`."""
    outcome = Outcome.model_validate(
        {"command": command.message_id, "command_type": command.body.TYPE, "status": "done", **result}
    )
    return outcome_of(command, outcome, reader)


def refused(command: Command, refusal: Refusal, *, reader: AuthorityId | None = None, **result: object) -> View:
    """Return the outcome of a command that was refused."""
    outcome = Outcome.model_validate(
        {
            "command": command.message_id,
            "command_type": command.body.TYPE,
            "status": "refused",
            "refused": Refused(code=refusal.code, field=refusal.field),
            **result,
        }
    )
    return outcome_of(command, outcome, reader)


async def _carried_out(commands: Sequence[Command], handle: Handler) -> Sequence[Said | Later]:
    """Have a group handled, each command in the trace that it came in, and return what there is to say of each."""
    if not commands:
        return ()
    hops = [_begin(command) for command in commands]
    traced = [_within(command, hop) for command, hop in zip(commands, hops, strict=True)]
    answers = await handle(traced)
    said = [_say(command, answer) for command, answer in zip(traced, answers, strict=True)]
    for hop, one in zip(hops, said, strict=True):
        if isinstance(one, Said):
            hop.end()
    return said


def _begin(command: Command) -> Hop:
    attributes = {"messaging.system": "rabbitmq", "messaging.message.id": command.message_id}
    return tracing.begin(f"process {command.body.TYPE}", command.traceparent, attributes)


def _within(command: Command, hop: Hop) -> Command:
    return command if hop.traceparent == command.traceparent else replace(command, traceparent=hop.traceparent)


def _say(command: Command, answer: Answer | Later) -> Said | Later:
    if isinstance(answer, Later):
        return answer
    events = tuple(_outgoing(e.routing_key, e.message, e.message_id, command) for e in answer.events)
    if answer.outcome:
        _note(command.system, command.message_id, command.body.TYPE, answer.outcome.message)
    views = (answer.outcome, *answer.views) if answer.outcome else answer.views
    if command.traceparent:
        views = tuple(view.model_copy(update={tracing.HEADER: command.traceparent}) for view in views)
    return Said.of(views, events)


def _refuse(faulty: Faulty) -> Said:
    outcome = Outcome(
        command=faulty.message_id,
        command_type=None,
        status="refused",
        refused=Refused(code=faulty.code, field=faulty.field),
    )
    view = View(to=faulty.system, message_id=faulty.outcome_id, correlation_id=faulty.message_id, message=outcome)
    _note(faulty.system, faulty.message_id, "none", outcome)
    return Said.of((view,))


def _outgoing(routing_key: str, message: Message, message_id: str, cause: Command) -> Outgoing:
    headers = {"imi-cause": cause.message_id}
    if cause.traceparent:
        headers[tracing.HEADER] = cause.traceparent
    body = to_json(message, exclude_none=True)
    return Outgoing(routing_key, message.TYPE, body, message_id, cause.message_id, headers)


def _note(system: str, message_id: str | None, kind: str, outcome: object) -> None:
    """Count and log what came of a command: who, what, how it ended; never what it says."""
    if not isinstance(outcome, Outcome):
        return
    code = outcome.refused.code if outcome.refused else None
    metrics.COMMANDS.labels(kind, outcome.status).inc()
    metrics.SYSTEMS.labels(system, outcome.status).inc()
    if code:
        metrics.REFUSALS.labels(code).inc()
    log.info("command", system=system, correlation_id=message_id, type=kind, outcome=outcome.status, code=code)
