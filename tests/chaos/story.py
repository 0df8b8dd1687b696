"""The smallest story that explains a violation: what was sent when, what came, which faults were there. Pure."""

from collections.abc import Iterator
from typing import Final

from tests.chaos.conservation import Violation
from tests.chaos.record import Command, Record

MOST: Final = 40
"""Lines of one story."""


def story(record: Record, violation: Violation) -> list[str]:
    """Return the lines of the story, in the order of time; the violation itself is the first."""
    events = sorted({*_events(record, violation)})
    if events:
        events += _faults(record, events[0][0], events[-1][0])
    lines = [f"{at:8.2f} s  {text}" for at, text in sorted(events)]
    return [f"{violation.kind}: {violation.text}", *(f"  {line}" for line in lines[:MOST])]


def _events(record: Record, violation: Violation) -> Iterator[tuple[float, str]]:
    for command in record.commands.values():
        if _concerns(violation, command.id, command.case):
            yield from _sent(command)
    for one in record.received:
        if _concerns(violation, one.command, one.case):
            said = one.code or one.status or "news"
            version = f", version {one.version} ({one.state})" if one.version else ""
            yield one.at, f"{one.system} receives {one.kind} {one.id}: {said}{version}"
    for mail in record.mails:
        told = [what for case, what in mail.told if case == violation.case]
        if mail.id == violation.mail or (not violation.command and told):
            yield mail.at, f"{mail.to} gets mail {mail.id}, which tells: {', '.join(told) or 'nothing of it'}"


def _sent(command: Command) -> Iterator[tuple[float, str]]:
    for number, at in enumerate(command.sent, start=1):
        again = f", for the {number}. time" if number > 1 else ""
        yield at, f"{command.system} sends {command.kind} {command.id}{again}"
    if command.confirmed_at is not None:
        yield command.confirmed_at, f"the broker confirms {command.kind} {command.id}"


def _concerns(violation: Violation, command: str | None, case: str | None) -> bool:
    """A story of a command is that command's alone; a story of a case is about all that was done to it."""
    if violation.command:
        return command == violation.command
    return violation.case is not None and case == violation.case


def _faults(record: Record, began: float, ended: float) -> Iterator[tuple[float, str]]:
    for fault in record.faults:
        if fault.began <= ended and fault.ended >= began:
            yield fault.began, f"-- {fault.name} ({fault.target}), until {fault.ended:.2f} s"
