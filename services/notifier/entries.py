"""A deadline as an entry of its reader's calendar (RFC 5545), which a later mail changes or takes away. Pure.

Entries are published (RFC 5546, 3.2.1), not requested: a request asks its reader to accept or decline, and nobody reads
what is answered to the exchange. The same deadline of the same authority has the same UID, whatever becomes of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from contracts.dates import DeadlineKind
from contracts.identity import derived_uuid
from services.notifier.letters import Due, Letter, Notices, Undeliverable, parts_of
from services.notifier.notices import AWAITS, Kind, Told
from services.notifier.wording import Wording

if TYPE_CHECKING:
    from icalendar import Event

Method = Literal["PUBLISH", "CANCEL"]

ENDS: Final[Mapping[Kind, frozenset[DeadlineKind]]] = {
    "withdrawn": frozenset({"acceptance", "answer", "clarification"}),
    "closed": frozenset({"acceptance", "answer", "clarification"}),
    "decided": frozenset({"acceptance", "answer", "clarification"}),
    "clarification-asked": frozenset({"acceptance", "answer"}),
}
"""Which deadlines of its reader are met or void once this has happened."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A deadline of an authority in a case, as of that version. `due` is missing where it is not known any more."""

    case: str
    kind: DeadlineKind
    authority: str
    version: int
    due: datetime | None

    @property
    def uid(self) -> str:
        """The same in every version of the case."""
        return derived_uuid("calendar", self.case, self.kind, self.authority)


def entered_by(letter: Letter) -> Iterator[Entry]:
    """Return what is put into its reader's calendar: what is still to be done, not what is overdue."""
    if isinstance(letter, Undeliverable):
        return
    told, due = parts_of(letter)
    newest = {entry.uid: entry for entry in sorted(_entries((*told, *due)), key=lambda entry: entry.version)}
    yield from newest.values()


def taken_away_by(letter: Letter) -> Iterator[Entry]:
    """Return what is taken out of it: what earlier mails entered, and what has happened since ended."""
    if not isinstance(letter, Notices):
        return
    ended = {(one.case, kind): one.version for one in letter.told for kind in ENDS.get(one.kind, ())}
    stays = {entry.uid for entry in entered_by(letter)}
    before = {entry.uid: entry for entry in _entries(letter.before)}
    for uid, entry in before.items():
        version = ended.get((entry.case, entry.kind))
        if version is not None and uid not in stays:
            yield Entry(entry.case, entry.kind, entry.authority, max(version, entry.version), entry.due)


def _entries(pieces: Iterable[Told | Due]) -> Iterator[Entry]:
    for one in pieces:
        if isinstance(one, Due):
            if one.step.stage == "reminder":
                yield Entry(one.case, one.step.kind, one.step.authority, one.version, one.step.due)
        elif one.case and one.due:
            yield Entry(one.case, AWAITS[one.kind], one.authority, one.version, one.due)


def calendar_of(entries: Iterable[Entry], method: Method, wording: Wording, sender: str, now: datetime) -> bytes:
    """Return the calendar's file. `sender` is the address of who publishes the entries."""
    from icalendar import Calendar  # noqa: PLC0415 - three megabytes; not before there is an entry

    calendar = Calendar()
    calendar.add("prodid", "-//Internal Market Information exchange//notifier//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    for entry in entries:
        calendar.add_component(_event(entry, method, wording, sender, now))
    return bytes(calendar.to_ical())


def _event(entry: Entry, method: Method, wording: Wording, sender: str, now: datetime) -> "Event":
    from icalendar import Event, vCalAddress  # noqa: PLC0415 - as above

    event, domain = Event(), sender.rpartition("@")[2]
    event.add("uid", f"{entry.uid}@{domain}")
    event.add("sequence", entry.version)
    event.add("dtstamp", now.astimezone(UTC))
    if entry.due:
        event.add("dtstart", entry.due.astimezone(UTC))
    event.add("summary", wording.calendar(entry.case, entry.kind))
    event.add("url", wording.link(entry.case))
    event.add("organizer", vCalAddress(f"mailto:{sender}"))
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("transp", "TRANSPARENT")  # a deadline keeps nobody busy
    return event
