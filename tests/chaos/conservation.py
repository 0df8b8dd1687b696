"""Nothing is lost, nothing is doubled: what must hold of a record when everything has settled. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.record import TOLD, VERSIONS, Case, Command, Mail, Received, Record


@dataclass(frozen=True)
class Violation:
    """Something that must not be. `command`, `case` or `mail` is what its story is about."""

    kind: str
    text: str
    command: str | None = None
    case: str | None = None
    mail: str | None = None


@dataclass(frozen=True)
class Looked:
    """What was found in the exchange itself, in the end: by the operator's own commands, and in the queues."""

    checked: int
    """Cases whose chain was verified."""
    broken: tuple[str, ...] = ()
    parked: tuple[str, ...] = ()
    """What was parked: queue, reason, type."""


def violations(record: Record) -> list[Violation]:
    """Return all that is wrong with what the systems saw; nothing when each got what it should, once."""
    return [
        *_of_commands(record),
        *_of_messages(record),
        *_of_cases(record),
        *_of_connections(record),
        *_of_mails(record),
        *_of_strays(record),
    ]


def violations_inside(record: Record, looked: Looked) -> list[Violation]:
    """Return what is wrong with what was found in the exchange itself, which has no cases but those of the record."""
    found = [Violation("broken-chain", f"the chain of {case} is broken", case=case) for case in looked.broken]
    if looked.checked != len(record.cases):
        kind = "lost-case" if looked.checked < len(record.cases) else "doubled-case"
        found.append(Violation(kind, f"{looked.checked} chains verified, of {len(record.cases)} cases"))
    return found + [Violation("parked", one) for one in looked.parked]


def too_few(record: Record, least: float) -> list[Violation]:
    """Return what is wrong with a load that began fewer cases than that: it proves nothing."""
    begun = len(record.cases)
    return [Violation("too-few-cases", f"{begun} cases were begun, not {least:g}")] if begun < least else []


def missing(record: Record) -> int:
    """Return how many things are still to come: when this is 0 everything has settled."""
    waiting = {"untaken", "lost", "missing-version", "lost-mail", "not-connected"}
    return sum(one.kind in waiting for one in violations(record))


def repeated(record: Record) -> int:
    """Return how many messages and mails came again under the same id, which is allowed."""
    ids = [*((one.system, one.id) for one in record.received), *((one.to, one.id) for one in record.mails)]
    return len(ids) - len(set(ids))


def _of_commands(record: Record) -> Iterator[Violation]:
    outcomes = defaultdict[str, list[Received]](list)
    for one in record.outcomes():
        outcomes[one.command or ""].append(one)
    for command in record.commands.values():
        yield from _of_command(command, outcomes[command.id])


def _of_command(command: Command, came: Sequence[Received]) -> Iterator[Violation]:
    def wrong(kind: str, text: str) -> Violation:
        return Violation(kind, f"{command.kind} of {command.system} {text}", command.id, command.case)

    if command.confirmed_at is None:
        yield wrong("untaken", "was never confirmed by the broker")
    elif not came:
        yield wrong("lost", "has no outcome")
    if (ids := len({one.id for one in came})) > 1:
        yield wrong("doubled", f"has {ids} outcomes")
    for system in {one.system for one in came} - {command.system}:
        yield wrong("misdelivered", f"was answered to {system}")
    for status, code in {(one.status, one.code) for one in came if one.status != command.expected}:
        yield wrong("unexpected", f"was {status} ({code}), not {command.expected}")


def _of_messages(record: Record) -> Iterator[Violation]:
    """A message that comes again says what it said, to whom it said it."""
    first = dict[str, Received]()
    for one in record.received:
        before = first.setdefault(one.id, one)
        if (before.system, before.digest) != (one.system, one.digest):
            yield Violation("differing", f"{one.kind} {one.id} came with two contents", one.command, one.case)


def _of_cases(record: Record) -> Iterator[Violation]:
    shown = defaultdict[tuple[str, str], defaultdict[int, set[str]]](lambda: defaultdict(set))
    for one in record.shown():
        case = record.cases[one.case or ""]
        if one.system not in (case.asking, case.answering):
            yield Violation("misdelivered", f"{one.system} is no party of {case.id}", case=case.id)
        # A command that is refused shows the case as it was: that is no news of it.
        if one.status != "refused":
            shown[case.id, one.system][one.version or 0].add(one.id)
        if VERSIONS.get(one.version or 0) != one.state:
            yield Violation("wrong-state", f"version {one.version} of {case.id} is {one.state}", case=case.id)
    for case in record.cases.values():
        for system in (case.asking, case.answering):
            yield from _of_versions(case, system, shown[case.id, system])


def _of_versions(case: Case, system: str, shown: Mapping[int, set[str]]) -> Iterator[Violation]:
    for version in VERSIONS:
        ids = shown.get(version, set())
        if not ids:
            yield Violation("missing-version", f"{system} never saw version {version} of {case.id}", case=case.id)
        elif len(ids) > 1:
            text = f"{system} was shown version {version} of {case.id} under {len(ids)} ids"
            yield Violation("doubled-version", text, case=case.id)


def _of_connections(record: Record) -> Iterator[Violation]:
    told = defaultdict[str, set[str]](set)
    for one in record.received:
        if one.connected:
            told[one.connected].add(one.id)
    for command in record.commands.values():
        if command.connects and len(told[command.connects]) != 1:
            kind = "doubled-connection" if told[command.connects] else "not-connected"
            text = f"{command.system} was told {len(told[command.connects])} times that {command.connects} is connected"
            yield Violation(kind, text, command.id)


def _of_mails(record: Record) -> Iterator[Violation]:
    """Each notice stands in one mail; the same mail may come again."""
    yield from _differing(record.mails)
    told = _told(record.mails)
    for case in record.cases.values():
        for side, system in (("asking", case.asking), ("answering", case.answering)):
            for notice, least in TOLD[side].items():
                count = told.pop((record.addresses[system], case.id, notice), 0)
                if not least <= count <= 1:
                    kind = "lost-mail" if count < least else "doubled-mail"
                    yield Violation(kind, f"{system} was told {count} times by mail: {notice}, {case.id}", case=case.id)
    for to, stray, notice in told:
        text = f"{to} was told by mail what does not concern it: {notice}, {stray}"
        yield Violation("stray-mail", text, case=stray)


def _told(mails: Iterable[Mail]) -> Counter[tuple[str, str, str]]:
    """Return how often each address was told each thing. What comes again may tell less: what was settled meanwhile."""
    by_mail = defaultdict[tuple[str, str], Counter[tuple[str, str]]](Counter)
    for mail in mails:
        by_mail[mail.to, mail.id] |= Counter(mail.told)
    told = Counter[tuple[str, str, str]]()
    for (to, _), things in by_mail.items():
        for (case, notice), count in things.items():
            told[to, case, notice] += count
    return told


def _differing(mails: Sequence[Mail]) -> Iterable[Violation]:
    first = dict[str, Mail]()
    for mail in mails:
        if first.setdefault(mail.id, mail).to != mail.to:
            yield Violation("misdelivered-mail", f"{mail.id} came to two addresses", mail=mail.id)


def _of_strays(record: Record) -> Iterator[Violation]:
    """Whatever comes to a system answers one of its commands, or is about a case of its own."""
    for one in {stray.id: stray for stray in record.strays()}.values():
        known = one.case is None or one.case in record.cases
        what = f"answers command {one.command}, which nobody sent" if known else f"is of {one.case}, which nobody began"
        yield Violation("stray", f"{one.kind} {one.id} to {one.system} {what}", one.command, one.case)
