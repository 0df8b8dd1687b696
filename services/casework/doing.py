"""A command on a case with all that counts for it, and what every action of the lifecycle shares. Pure.

An entry's `personal` is everything that anybody typed or picked: it is stored under the case's own key alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from contracts import casework as do
from contracts import own
from contracts.calendar import years_of
from contracts.refusal import Refusal
from contracts.translation import AreaRules, Period
from contracts.types import FreeText, Message, Part, Value
from services.casework.answers import part_of
from services.casework.case import ENDED, Case, Entry, Side
from services.casework.deadlines import acceptance_due, plainly_later
from services.casework.knowledge import Authority, Knowledge, NotAtHand, Now, behind, first_behind

MOST_STEPS: Final = 1_000
"""A case that holds as much, of this or of the following, can only be brought to an end."""
MOST_BYTES: Final = 6 * 1024 * 1024
"""Of all that is stored: the database takes 16 MiB in one document, and to put something right all is written anew."""
MOST_SAID: Final = 512 * 1024
"""Bytes without what is in files: the broker takes 4 MiB in one message, which may hold the case in two languages."""
_ALWAYS: Final[tuple[type[Message], ...]] = (
    do.WithdrawRequest,
    do.CloseCase,
    do.DecideReferral,
    do.ConsentCorrection,
    own.TimePassed,
    own.AuthorityGone,
)
"""What is carried out however much there is. Each can come but a few times before something else has to."""

Change = Entry | Refusal


@dataclass(frozen=True, slots=True)
class Doing:
    """A command on a case, and what is known. Of a case that is not there yet, `case` has no more than its sender."""

    case: Case
    command: Any
    rules: AreaRules
    ask: Knowledge
    now: Now

    @property
    def actor(self) -> str | None:
        """The authority that acts; nobody when the exchange does."""
        return getattr(self.command, "authority", None) if not isinstance(self.command, own.OWN) else None


def begin(case: Case | None, command: Message, ask: Knowledge, now: Now) -> Doing | Refusal:
    """Return the command with all that counts for it, or why it can come to nothing."""
    if case is None:
        return _new(command, ask, now)
    if isinstance(command, do.SaveDraft) and command.area != case.area:
        return Refusal("area-fixed", "area")
    if _full(case) and not isinstance(command, _ALWAYS):
        return Refusal("case-full")
    return Doing(case, command, ask.rules(case.area, case.area_version), ask, now)


def _full(case: Case) -> bool:
    return case.version >= MOST_STEPS or case.size >= MOST_BYTES or case.said >= MOST_SAID


def _new(command: Message, ask: Knowledge, now: Now) -> Doing | Refusal:
    if isinstance(command, own.OpenChild):
        return _new_child(command, ask, now)
    if not isinstance(command, do.SaveDraft | do.SendRequest):
        return Refusal("unknown-case", "case")
    sender, area = ask.authority(command.authority), ask.area(command.area)
    if area is None or sender is None:
        return Refusal("unknown-area", "area")
    if not takes_part(sender, area.code, area.rules):
        return Refusal("no-access", "area")
    return Doing(_blank("", area.code, area.version, sender.side, now), command, area.rules, ask, now)


def _new_child(command: own.OpenChild, ask: Knowledge, now: Now) -> Doing | Refusal:
    parent = ask.case(command.parent)
    if parent is None or parent.recipient is None:
        return Refusal("unknown-case", "case")
    blank = _blank(command.case, parent.area, parent.area_version, parent.recipient, now)
    return Doing(blank, command, ask.rules(parent.area, parent.area_version), ask, now)


def _blank(case_id: str, area: str, version: int, sender: Side, now: Now) -> Case:
    return Case(case_id, 0, "nothing", area, version, sender, None, now.at)


def common(doing: Doing, what: str, leads_to: str | None) -> dict[str, Any]:
    """Return what every entry has: what, when, who, the state that follows, and by when the next thing is due."""
    entry: dict[str, Any] = {"what": what, "at": doing.now.at, "by": doing.actor}
    if user := getattr(doing.command, "user", None):
        entry["user"] = user.model_dump()
    if leads_to:
        entry["state"] = leads_to
    return entry | _clocks(doing, what, leads_to)


def _clocks(doing: Doing, what: str, leads_to: str | None) -> dict[str, Any]:
    now, retention = doing.now, doing.rules.retention
    if leads_to in ENDED:
        blocked, deleted = (plainly_later(now.at, one, now.day) for one in (retention.blocked, retention.deleted))
        return {"ended_at": now.at, "idle_at": None, "block_at": blocked, "delete_at": deleted}
    if doing.case.state in ENDED or what == "overdue":
        return {}
    drafted = (leads_to or doing.case.state) == "draft"
    return {"idle_at": plainly_later(now.at, retention.blocked if drafted else doing.rules.deadlines.idle, now.day)}


# Conditions of the table


def wants_approval(doing: Doing) -> bool:
    """Whether the area has its requests approved by a coordinator before they are sent."""
    return doing.rules.workflow.approval


def ends_as(doing: Doing, state: str) -> bool:
    """Whether the coordinator decided so."""
    return bool(doing.command.ends == state)


def erasure_was_asked(doing: Doing) -> bool:
    """Whether the other side asked for the erasure of everything."""
    asked = doing.case.correction
    return asked is not None and asked.erase and asked.by != doing.actor


def correction_was_asked(doing: Doing) -> bool:
    """Whether the other side asked for particulars to be put right."""
    asked = doing.case.correction
    return asked is not None and not asked.erase and asked.by != doing.actor


# Shared


def takes_part(authority: Authority, area: str, rules: AreaRules) -> bool:
    """Say whether an authority may act in an area: with access, and a competence of those that the area names."""
    access, wanted = authority.access.get(area), set(rules.participants.competences)
    return access is not None and (not wanted or not wanted.isdisjoint(access.competences))


def arrival(doing: Doing, there: Side) -> dict[str, Any]:
    """Return by when a recipient is to accept, and who stands behind it."""
    recipient = doing.ask.authority(there.authority)
    above = first_behind(recipient, doing.case.area) if recipient else None
    return {
        "acceptance_due": due(doing, there, doing.rules.deadlines.acceptance),
        "behind": [above] if above else [],
    }


def due(doing: Doing, there: Side, period: Period) -> datetime:
    """Return by when something is due that an authority has a period for. Raises `NotAtHand` without its holidays."""
    now = doing.now
    try:
        return acceptance_due(period, there, now.at, now.day, now.calendar)
    except NotAtHand:
        raise
    except LookupError as error:
        years = years_of(now.today(there), period)
        raise NotAtHand("holidays", there.country, there.region or "", years.start, years.stop) from error


def coordinators(doing: Doing) -> list[str]:
    """Return who mediates for the sender, and who for the recipient."""
    case = doing.case
    assert case.recipient
    return [behind_of(doing, case.sender.authority), behind_of(doing, case.recipient.authority)]


def behind_of(doing: Doing, number: str) -> str:
    """Return who mediates for an authority; of one that is not known any more, itself."""
    found = doing.ask.authority(number)
    return behind(found, doing.case.area, doing.ask).id if found else number


def remark(said: FreeText | None) -> Entry:
    """Return what an entry has of what was said along with an action, if anything was."""
    return {"says": True, "personal": {"text": text(said)}} if said else {}


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they are kept: nothing but strings, numbers, lists and mappings."""
    return {code: _plain(value) for code, value in values.items()}


def value_of(kept: Any) -> Value:
    """Return a value that was kept as it had come in."""
    if isinstance(kept, Mapping):
        return part_of(kept)
    result: Value = tuple(kept) if isinstance(kept, list) else kept
    return result


def text(said: FreeText | None) -> dict[str, str] | None:
    """Return free text as it is kept."""
    return said.model_dump() if said else None


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value
