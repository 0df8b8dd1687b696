"""What a run is told as: a table of the faults, the violations with their stories, a line of JSON. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from tests.chaos.conservation import Violation, repeated
from tests.chaos.record import Command, Fault, Record
from tests.chaos.story import story

FOR_MINUTES: Final = "for minutes"
"""How the names of such faults end."""
STORIES: Final = 5
"""Stories that are told in full, each of another kind of violation as far as there are so many."""


def answered_after(record: Record, fault: Fault) -> float | None:
    """Return after how many seconds the first command was answered that was sent after the fault had begun.

    Of a system's own line its own commands count, of a fault of the registry or the provisioner those to the registry,
    of all others commands on cases. Nothing when none was sent, and where no command is concerned: by faults of mails.
    Nor where a cut for minutes lasted beside it: it is that which was waited for.
    """
    if fault.target.startswith("notifier") or any(_is_beside(fault, other) for other in record.faults):
        return None
    first = dict[str, float]()
    for one in record.outcomes():
        first.setdefault(one.command or "", one.at)
    answered = (
        first[command.id]
        for command in record.commands.values()
        if command.id in first and command.sent and command.sent[0] >= fault.began and _concerns(fault, command)
    )
    soonest = min(answered, default=None)
    return None if soonest is None else soonest - fault.began


def _is_beside(fault: Fault, other: Fault) -> bool:
    lasting = other is not fault and other.name.endswith(FOR_MINUTES)
    return lasting and other.began < fault.ended and fault.began < other.ended


def _concerns(fault: Fault, command: Command) -> bool:
    to_registry = command.kind.startswith("registry.")
    if "-bench" in fault.target:
        return command.system == fault.target.split()[0]
    if fault.target.startswith(("registry", "provisioner")):
        return to_registry
    return not to_registry


def table(record: Record) -> list[str]:
    """Return the lines of the table: each kind of fault with the seconds until a command was answered again.

    Below it stand the points that nobody came by.
    """
    times, counts, lengths = defaultdict[str, list[float]](list), Counter[str](), defaultdict[str, list[float]](list)
    for fault in record.faults:
        counts[fault.name] += 1
        lengths[fault.name].append(fault.ended - fault.began)
        after = answered_after(record, fault)
        if after is not None:
            times[fault.name].append(after)
    lines = [f"{'fault':26} {'times':>5} {'lasted, at most':>16} {'answered again after: median':>30} {'at most':>9}"]
    for name, count in sorted(counts.items()):
        middle = sorted(times[name])[len(times[name]) // 2] if times[name] else None
        most = max(times[name], default=None)
        lines.append(f"{name:26} {count:5} {max(lengths[name]):14.1f} s {_seconds(middle):>30} {_seconds(most):>9}")
    return [*lines, *(f"{fault.name} ({fault.target}): nobody came by" for fault in record.never_met)]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def stories(record: Record, found: Sequence[Violation]) -> list[str]:
    """Return how many violations of each kind there are, and some of their stories, the shortest of each kind first."""
    lines = [f"{count} times {kind}" for kind, count in Counter(one.kind for one in found).most_common()]
    by_kind = defaultdict[str, list[list[str]]](list)
    for one in found:
        by_kind[one.kind].append(story(record, one))
    told = sorted((sorted(several, key=len) for several in by_kind.values()), key=lambda several: len(several[0]))
    chosen = [several[0] for several in told][:STORIES]
    return [*lines, *(line for one in chosen for line in ("", *one))]


def figures(record: Record, found: Iterable[Violation], **more: Any) -> dict[str, Any]:
    """Return the figures of a run."""
    kinds = Counter(one.kind for one in found)
    answered = [after for fault in record.faults if (after := answered_after(record, fault)) is not None]
    return {
        **more,
        "faults": len(record.faults),
        "kinds_of_faults": len({fault.name for fault in record.faults}),
        "never_met": len(record.never_met),
        "commands": len(record.commands),
        "cases": len(record.cases),
        "mails": len({(mail.to, mail.id) for mail in record.mails}),
        "repeated": repeated(record),
        "lost": sum(count for kind, count in kinds.items() if kind.startswith(("lost", "missing", "untaken", "not-"))),
        "doubled": sum(count for kind, count in kinds.items() if kind.startswith("doubled")),
        "violations": sum(kinds.values()),
        "answered_again_most_s": round(max(answered, default=0.0), 2),
    }
